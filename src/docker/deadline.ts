/** One signal for a request: the caller's abort and our deadline, each as the Failure it becomes. */
import { Failure, isFailure } from '../core/failure.js'
import { createStop, type StopSignal } from '../core/stop.js'

export interface Bounds<T> {
  /** Milliseconds from now. */
  timeoutMs: number
  /** What was asked, for the message. */
  what: string
  /** True for a write: the engine may still complete it. */
  write: boolean
  signal?: AbortSignal | StopSignal | undefined
  /** Milliseconds after the caller's abort that the work gets to end cleanly, at most until the deadline. Default: 750. */
  abortGraceMs?: number
  /** The answer for work that did not end in its time and goes on behind it. Default: rejects with the reason. */
  late?(reason: Failure): T
}

export interface Bounded<T> {
  /** Settles 750 ms after the deadline at the latest, whatever the work does. */
  done: Promise<T>
  /** Resolves when the work itself has ended, which may be later. */
  ended: Promise<void>
  /** Ends the work now, with this reason. */
  abort(reason: Failure): void
}

/** The engine's answers are not trusted to be what our code was written for. */
const unprocessable = (what: string, cause: unknown): Failure =>
  new Failure(
    'UPSTREAM_ERROR',
    `What the engine answered during ${what} could not be processed. Check that a Docker Engine answers there.`,
    { retriable: false, cause },
  )

/** What work that was told to stop gets to end cleanly before its caller is answered without it. */
const SETTLE_MS = 750

/** Runs the work with one signal for `signal` and `timeoutMs`; whichever comes first decides the reason. */
export function bounded<T>(bounds: Bounds<T>, work: (signal: StopSignal) => Promise<T>): Bounded<T> {
  const { timeoutMs, what, write, signal, abortGraceMs = SETTLE_MS, late } = bounds
  const stop = createStop()
  const timers: NodeJS.Timeout[] = []
  const details = write ? { in_progress: true } : undefined
  const timedOut = (after: string) =>
    new Failure('TIMEOUT', `The engine did not finish ${what} ${after}. Try again, or allow more time.`, { details })
  let answerLate = () => {}
  const settleWithin = (milliseconds: number) => timers.push(setTimeout(() => answerLate(), milliseconds))
  const abort = (reason: Failure) => {
    stop.abort(reason)
    settleWithin(abortGraceMs)
  }
  const onAbort = () => {
    const reason: unknown = signal?.reason
    const expired = isFailure(reason)
      ? reason.code === 'TIMEOUT'
      : reason instanceof Error && reason.name === 'TimeoutError'
    abort(
      expired
        ? timedOut('before the caller’s deadline')
        : new Failure('ABORTED', `The caller aborted ${what}.`, { details, cause: reason }),
    )
  }
  if (signal?.aborted) onAbort()
  else signal?.addEventListener('abort', onAbort, { once: true })
  const working = work(stop.signal)
  // Set when the request is on its way, which need not wait for a timer.
  timers.push(
    setTimeout(() => {
      stop.abort(timedOut(`within ${timeoutMs} ms`))
      settleWithin(SETTLE_MS)
    }, timeoutMs),
  )
  let ended = Promise.resolve()
  const done = new Promise<T>((resolve, reject) => {
    const end = () => {
      for (const timer of timers) clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    }
    answerLate = () => {
      end()
      const reason = stop.signal.reason as Failure
      try {
        if (late === undefined) reject(reason)
        else resolve(late(reason))
      } catch (error) {
        reject(error)
      }
    }
    ended = working.then(
      (value) => {
        end()
        resolve(value)
      },
      (error) => {
        end()
        reject(isFailure(error) ? error : unprocessable(what, error))
      },
    )
  })
  return { done, ended, abort }
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
