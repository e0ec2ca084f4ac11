/** Races work against a deadline and the host's own abort: an answer comes on time even if the work ignores its signal. */
import { Failure } from './failure.js'
import { createStop, type Stop, type StopSignal } from './stop.js'

export interface Deadline {
  /** Milliseconds until the work is told to stop and TIMEOUT is reported. */
  timeoutMs: number
  /** Milliseconds that the work gets to end cleanly once the host aborted, before ABORTED is reported without it. */
  abortGraceMs?: number
  /** The host's abort. */
  signal?: AbortSignal | StopSignal | undefined
}

/** Rejects with TIMEOUT at the deadline, ABORTED on the host's abort; `stop` tells the work about either. */
export function race<T>(
  work: (stop: Stop) => Promise<T>,
  { timeoutMs, abortGraceMs = 0, signal: hostSignal }: Deadline,
): Promise<T> {
  // Work that has not begun needs no time to end.
  if (hostSignal?.aborted) return Promise.reject(aborted())
  return new Promise((resolve, reject) => {
    let postponedMs = 0
    const stop = createStop((milliseconds) => {
      postponedMs += milliseconds
    })
    // Begun before the timers are set: what it asks of another process is on its way meanwhile.
    const working = begin(work, stop)
    const onDeadline = () => {
      if (postponedMs > 0) {
        deadline = setTimeout(onDeadline, postponedMs)
        postponedMs = 0
        return
      }
      const timeout = new Failure('TIMEOUT', `The request took longer than ${timeoutMs} ms.`, {
        details: { timeout_ms: timeoutMs },
      })
      fail(timeout)
      stop.abort(timeout)
    }
    let deadline = setTimeout(onDeadline, timeoutMs)
    let grace: NodeJS.Timeout | undefined
    const onAbort = () => {
      const failure = aborted()
      stop.abort(failure)
      if (abortGraceMs === 0) fail(failure)
      else grace ??= setTimeout(fail, abortGraceMs, failure)
    }
    const end = () => {
      clearTimeout(deadline)
      clearTimeout(grace)
      try {
        hostSignal?.removeEventListener('abort', onAbort)
      } catch {
        // The host's signal is whatever the host handed over.
      }
    }
    const fail = (error: unknown) => {
      end()
      reject(error)
    }
    try {
      // The work itself may have led the host to abort.
      if (hostSignal?.aborted) onAbort()
      else hostSignal?.addEventListener('abort', onAbort, { once: true })
    } catch (error) {
      fail(error)
    }
    // Both ways are handled: work that fails after the race is decided is nobody's unhandled rejection.
    working.then((value) => {
      end()
      resolve(value)
    }, fail)
  })
}

/** A throw counts as a rejection. */
function begin<T>(work: (stop: Stop) => Promise<T>, stop: Stop): Promise<T> {
  try {
    return Promise.resolve(work(stop))
  } catch (error) {
    return Promise.reject(error)
  }
}

const aborted = (): Failure => new Failure('ABORTED', 'The host cancelled the request.', { details: { aborted: true } })
