/** What the conformance suites expect of a promise that must reject. */
import assert from 'node:assert/strict'
import { isFailure } from '../core/failure.js'

/** The upstream's HTTP status on an error, wherever a provider may put it. */
export function upstreamStatus(error: unknown): unknown {
  if (isFailure(error)) return error.details?.status
  const { status, statusCode } = error as { status?: unknown; statusCode?: unknown }
  return status ?? statusCode
}

export async function rejection(promise: Promise<unknown>): Promise<Error> {
  const answer = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  )
  assert.ok('error' in answer, `it resolved, with ${JSON.stringify('value' in answer ? answer.value : undefined)}`)
  assert.ok(answer.error instanceof Error, 'it must reject with an Error')
  return answer.error
}
