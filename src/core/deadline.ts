/** Races work against a deadline and the host's own abort: an answer comes on time even if the work ignores its signal. */
import { Failure } from './failure.js'

export interface Deadline {
  /** Milliseconds until the work is told to stop and TIMEOUT is reported. */
  timeoutMs: number
  /** Milliseconds that the work gets to end cleanly once the host aborted, before ABORTED is reported without it. */
  abortGraceMs?: number
  /** The host's abort. */
  signal?: AbortSignal | undefined
}

/** Rejects with TIMEOUT at the deadline, ABORTED on the host's abort; `signal` tells the work about either. */
export async function race<T>(
  work: (signal: AbortSignal) => Promise<T>,
  { timeoutMs, abortGraceMs = 0, signal: hostSignal }: Deadline,
): Promise<T> {
  const controller = new AbortController()
  const timers: NodeJS.Timeout[] = []
  let onAbort = () => {}
  const ended = new Promise<never>((_resolve, reject) => {
    const after = (ms: number, failure: Failure) => timers.push(setTimeout(() => reject(failure), ms))
    const timeout = new Failure('TIMEOUT', `The request took longer than ${timeoutMs} ms.`, {
      details: { timeout_ms: timeoutMs },
    })
    timers.push(
      setTimeout(() => {
        reject(timeout)
        controller.abort(new DOMException(timeout.message, 'TimeoutError'))
      }, timeoutMs),
    )
    onAbort = () => {
      const aborted = new Failure('ABORTED', 'The host cancelled the request.', { details: { aborted: true } })
      controller.abort(new DOMException(aborted.message, 'AbortError'))
      if (abortGraceMs === 0) reject(aborted)
      else after(abortGraceMs, aborted)
    }
    if (hostSignal?.aborted) onAbort()
    else hostSignal?.addEventListener('abort', onAbort, { once: true })
  })
  ended.catch(() => {})
  try {
    if (controller.signal.aborted && abortGraceMs === 0) return await ended
    const result = work(controller.signal)
    // The work may fail after the race is decided; that is nobody's unhandled rejection.
    result.catch(() => {})
    return await Promise.race([result, ended])
  } finally {
    for (const timer of timers) clearTimeout(timer)
    hostSignal?.removeEventListener('abort', onAbort)
  }
}
