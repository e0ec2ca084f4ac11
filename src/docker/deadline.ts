/** One signal for a request: the caller's abort and our deadline, each as the Failure it becomes. */
import { Failure } from '../core/failure.js'

/** What this package asks of an AbortSignal. Node takes longer to make a real one than to send a request. */
export interface StopSignal {
  readonly aborted: boolean
  /** Undefined until it is aborted; then ABORTED or TIMEOUT. */
  readonly reason: Failure | undefined
  throwIfAborted(): void
  addEventListener(type: 'abort', listener: () => void, options?: { once: boolean }): void
  removeEventListener(type: 'abort', listener: () => void): void
}

export interface Deadline {
  signal: StopSignal
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
  const stop = createStop()
  const details = write ? { in_progress: true } : undefined
  const timedOut = (after: string) =>
    new Failure('TIMEOUT', `The engine did not finish ${what} ${after}. Try again, or allow more time.`, { details })
  const onTimeout = () => stop.abort(timedOut(`within ${timeoutMs} ms`))
  const onAbort = () => {
    const reason: unknown = signal?.reason
    stop.abort(
      reason instanceof Error && reason.name === 'TimeoutError'
        ? timedOut('before the caller’s deadline')
        : new Failure('ABORTED', `The caller aborted ${what}.`, { details, cause: reason }),
    )
  }
  const timer = setTimeout(onTimeout, timeoutMs)
  if (signal?.aborted) onAbort()
  else signal?.addEventListener('abort', onAbort, { once: true })
  return {
    signal: stop.signal,
    abort: stop.abort,
    dispose() {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    },
  }
}

function createStop(): { signal: StopSignal; abort(reason: Failure): void } {
  const listeners = new Set<() => void>()
  let reason: Failure | undefined
  const signal: StopSignal = {
    get aborted() {
      return reason !== undefined
    },
    get reason() {
      return reason
    },
    throwIfAborted() {
      if (reason !== undefined) throw reason
    },
    addEventListener: (_type, listener) => {
      listeners.add(listener)
    },
    removeEventListener: (_type, listener) => {
      listeners.delete(listener)
    },
  }
  function abort(why: Failure): void {
    if (reason !== undefined) return
    reason = why
    for (const listener of listeners) listener()
    listeners.clear()
  }
  return { signal, abort }
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
