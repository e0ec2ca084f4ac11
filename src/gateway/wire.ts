/** What client and server put on the wire beside the L1 documents: headers, failures, and the lines of a live run. */
import { FAILURES, type Failure, type FailureCode } from '../core/failure.js'
import type { PullProgress } from '../core/provider.js'
import type { Redactor } from '../redaction/index.js'

/** Milliseconds that the caller has left. */
export const TIMEOUT_HEADER = 'x-skillgate-timeout-ms'
/** The most that it may say; a run with a pull needs the most. */
export const MAX_TIMEOUT_MS = 3_600_000
/** Names the call in the caller's log. */
export const RUN_ID_HEADER = 'x-skillgate-run-id'
export const JSON_TYPE = 'application/json'
/** Accepted by a caller that wants to see a run's output and progress as they come. */
export const LINES_TYPE = 'application/x-ndjson'

export interface FailureDocument {
  code: FailureCode
  message: string
  retriable: boolean
  details?: Record<string, unknown>
  partial?: NonNullable<Failure['partial']>
}

/** One line of a live run; the last is the answer or the error, as the whole body would have been without lines. */
export type Line =
  | { output: { stream: 'stdout' | 'stderr'; text: string } }
  | { progress: PullProgress }
  | { answer: unknown }
  | { error: FailureDocument }

/** What the program printed goes along as it is, like every answer: it is the receiving host that redacts it. */
export function toDocument(
  { code, message, retriable, details, partial }: Failure,
  redactor: Redactor,
): FailureDocument {
  return {
    code,
    message: redactor.text(message),
    retriable,
    ...(details && { details: redactor.value(details) as Record<string, unknown> }),
    ...(partial && { partial }),
  }
}

/** An upstream's refusal keeps its own status, as a caller of the provider itself would see it. */
export function statusOf({ code, details }: Failure): number {
  const upstream = Number(details?.status)
  return code === 'UPSTREAM_ERROR' && upstream >= 400 && upstream < 500 ? upstream : FAILURES[code].status
}
