/** What a gateway's refusal means: its own words when it is one of ours, else what its status says. */
import { z } from 'zod'
import { FAILURES, Failure, type FailureCode } from '../core/failure.js'
import type { Redactor } from '../redaction/index.js'

const MAX_MESSAGE = 2_000

const Refusal = z.object({
  code: z.string(),
  message: z.string(),
  retriable: z.boolean().optional(),
  details: z.record(z.string(), z.unknown()).optional(),
  partial: z.object({ text: z.string().optional(), data: z.record(z.string(), z.unknown()).optional() }).optional(),
})

/** The codes that an HTTP status stands for, whoever answered with it; every other is UPSTREAM_ERROR. */
const MEANT: ReadonlyMap<number, FailureCode> = new Map(
  (
    ['INVALID_INPUT', 'UNAUTHORIZED', 'DENIED', 'NOT_FOUND', 'CONFLICT', 'PAYLOAD_TOO_LARGE', 'RATE_LIMITED'] as const
  ).map((code) => [FAILURES[code].status, code]),
)

const ADVICE: Partial<Record<FailureCode, string>> = {
  UNAUTHORIZED: ' Check the credential.',
  DENIED: ' Ask whoever runs the gateway what this credential may do.',
  RATE_LIMITED: ' Try again later.',
}

/**
 * The failure behind an answer that is not 200. `error` is its JSON's member of that name, or whatever stands there. The
 * gateway's text may hold what we sent, so `redactor` knows the credential.
 */
export function refusalOf(status: number, error: unknown, address: string, redactor: Redactor): Failure {
  const told = toldFailure(error, redactor, status)
  if (told !== undefined) return told
  const code = MEANT.get(status) ?? 'UPSTREAM_ERROR'
  const redirected = status >= 300 && status < 400
  const message = redirected
    ? `The gateway at ${address} answered with a redirect (${status}), which is never followed. Point the URL at the gateway itself.`
    : `The gateway at ${address} answered with status ${status} and no reason of its own.${ADVICE[code] ?? ''}`
  const retriable = status === 408 || status === 429 || status >= 500
  return new Failure(code, message, { retriable, details: { status } })
}

/** Undefined when it is no failure of a skillgate gateway, or its code and the status contradict each other. */
export function toldFailure(error: unknown, redactor: Redactor, status?: number): Failure | undefined {
  const { success, data: refusal } = Refusal.safeParse(error)
  if (!success || !Object.hasOwn(FAILURES, refusal.code)) return undefined
  const code = refusal.code as FailureCode
  if (status !== undefined && FAILURES[code].status !== status && code !== 'UPSTREAM_ERROR') return undefined
  const { retriable, details, partial } = refusal
  const known = { ...(status !== undefined && { status }), ...(redactor.value(details ?? {}) as object) }
  return new Failure(code, redactor.text(refusal.message).slice(0, MAX_MESSAGE), {
    retriable,
    details: known,
    partial: partial as Failure['partial'],
  })
}

/** The gateway answered, and the answer cannot be used; asking again would bring the same. */
export function malformed(address: string, why: string, cause?: unknown): Failure {
  const message = `The answer of the gateway at ${address} cannot be used: ${why}. Check that a skillgate gateway answers there, and no proxy that changes its answers.`
  return new Failure('UPSTREAM_ERROR', message, { retriable: false, cause })
}
