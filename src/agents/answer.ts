/** What a model reads of a call: the tool's own text, or why there is none. */
import { FAILURES, type Failure } from '../core/failure.js'
import type { RunDocument, RunReason } from '../core/run.js'
import type { Redactor } from '../redaction/index.js'

/** The answer to one call of a model. */
export interface Answer {
  /** Whether the tool did what it was asked for. */
  ok: boolean
  /**
   * For the model: the tool's text; or one line of JSON, `{ code, reason, retriable, run_id, details? }`, and below it
   * what the tool had to show before it failed. Redacted, and not to be trusted: programs and engines speak in it.
   */
  text: string
  /** The call in the session's log; absent when it was refused before it became a run. */
  runId?: string
}

/** The answer that a run of one intent came to. */
export function fromRun({ id, status, reason, steps }: RunDocument): Answer {
  const executed = steps.find((step) => step.type === 'tool_exec')
  const { result = '', metadata } = executed?.details.result ?? {}
  if (status === 'completed') return { ok: true, text: result, runId: id }
  // Every run that ended in another way has a reason.
  const { code, message } = reason as RunReason
  const error = metadata?.success === false ? metadata.error : undefined
  const retriable = error?.code === code ? error.retriable : FAILURES[code].retriable
  const told = { code, reason: message, retriable, run_id: id, details: error?.details }
  // The text of a failed tool begins with the message that is told already.
  const shown = result.replace(`Error: ${error?.message}`, '')
  return { ok: false, text: JSON.stringify(told) + shown, runId: id }
}

/** The answer to a call that became no run. */
export function fromFailure({ code, message, retriable }: Failure, redactor: Redactor): Answer {
  return { ok: false, text: JSON.stringify({ code, reason: redactor.text(message), retriable }) }
}
