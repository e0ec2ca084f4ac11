/** One signal for a request: the caller's abort and our deadline, each as the Failure it becomes. */
import { Failure } from '../core/failure.js'

export interface Deadline {
  /** Its `reason` is always a Failure: ABORTED or TIMEOUT. */
  signal: AbortSignal
  /** Ends the request now, with this reason. */
  abort(reason: Failure): void
  /** Lets go of the timer and of the caller's signal. */
  dispose(): void
}

export interface DeadlineOptions {
  /** Milliseconds from now. */
  timeoutMs: number
  /** What was asked, for the message. */
  what: string
  /** True for a write: the engine may still complete it. */
  write: boolean
  signal?: AbortSignal | undefined
}

/** Joins `signal` and `timeoutMs`; whichever comes first decides the reason. */
export function createDeadline({ timeoutMs, what, write, signal }: DeadlineOptions): Deadline {
  const controller = new AbortController()
  const details = write ? { in_progress: true } : undefined
  const timedOut = (after: string) =>
    new Failure('TIMEOUT', `The engine did not finish ${what} ${after}. Try again, or allow more time.`, { details })
  const onTimeout = () => controller.abort(timedOut(`within ${timeoutMs} ms`))
  const onAbort = () => {
    const reason: unknown = signal?.reason
    controller.abort(
      reason instanceof Error && reason.name === 'TimeoutError'
        ? timedOut('before the caller’s deadline')
        : new Failure('ABORTED', `The caller aborted ${what}.`, { details, cause: reason }),
    )
  }
  const timer = setTimeout(onTimeout, timeoutMs)
  if (signal?.aborted) onAbort()
  else signal?.addEventListener('abort', onAbort, { once: true })
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    dispose() {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    },
  }
}
