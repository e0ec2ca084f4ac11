/** One signal for a request: the caller's abort and our deadline, each as the Failure it becomes. */
import { Failure, isFailure } from '../core/failure.js'
import { createStop, type StopSignal } from '../core/stop.js'

export interface Bounds {
  /** Milliseconds from now. */
  timeoutMs: number
  /** What was asked, for the message. */
  what: string
  /** True for a write: the engine may still complete it. */
  write: boolean
  signal?: AbortSignal | StopSignal | undefined
}

export interface Bounded<T> {
  done: Promise<T>
  /** Ends the work now, with this reason. */
  abort(reason: Failure): void
}

/** Runs the work with one signal for `signal` and `timeoutMs`; whichever comes first decides the reason. */
export function bounded<T>(
  { timeoutMs, what, write, signal }: Bounds,
  work: (signal: StopSignal) => Promise<T>,
  /** Told when it is over, before the caller. */
  onEnd?: () => void,
): Bounded<T> {
  const stop = createStop()
  const details = write ? { in_progress: true } : undefined
  const timedOut = (after: string) =>
    new Failure('TIMEOUT', `The engine did not finish ${what} ${after}. Try again, or allow more time.`, { details })
  const onAbort = () => {
    const reason: unknown = signal?.reason
    const late = isFailure(reason)
      ? reason.code === 'TIMEOUT'
      : reason instanceof Error && reason.name === 'TimeoutError'
    stop.abort(
      late
        ? timedOut('before the caller’s deadline')
        : new Failure('ABORTED', `The caller aborted ${what}.`, { details, cause: reason }),
    )
  }
  if (signal?.aborted) onAbort()
  else signal?.addEventListener('abort', onAbort, { once: true })
  const working = work(stop.signal)
  // Set when the request is on its way, which need not wait for a timer.
  const timer = setTimeout(() => stop.abort(timedOut(`within ${timeoutMs} ms`)), timeoutMs)
  const done = working.finally(() => {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
    onEnd?.()
  })
  return { done, abort: stop.abort }
}

/** Waits; rejects with the signal's reason as soon as it is aborted. */
export function pause(milliseconds: number, signal: StopSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const onAbort = () => {
      clearTimeout(timer)
      reject(signal.reason)
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    }, milliseconds)
    signal.addEventListener('abort', onAbort, { once: true })
  })
}
