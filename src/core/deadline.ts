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
  // Work that has not begun needs no time to end.
  if (hostSignal?.aborted) throw aborted()
  const controller = new AbortController()
  const timers: NodeJS.Timeout[] = []
  let onAbort = () => {}
  const ended = new Promise<never>((_resolve, reject) => {
    const onTimeout = () => {
      const timeout = new Failure('TIMEOUT', `The request took longer than ${timeoutMs} ms.`, {
        details: { timeout_ms: timeoutMs },
      })
      reject(timeout)
      controller.abort(new DOMException(timeout.message, 'TimeoutError'))
    }
    timers.push(setTimeout(onTimeout, timeoutMs))
    onAbort = () => {
      const failure = aborted()
      controller.abort(new DOMException(failure.message, 'AbortError'))
      if (abortGraceMs === 0) reject(failure)
      else timers.push(setTimeout(() => reject(failure), abortGraceMs))
    }
    hostSignal?.addEventListener('abort', onAbort, { once: true })
  })
  ended.catch(() => {})
  try {
    const result = (async () => work(controller.signal))()
    // The work may fail after the race is decided; that is nobody's unhandled rejection.
    result.catch(() => {})
    return await Promise.race([result, ended])
  } finally {
    for (const timer of timers) clearTimeout(timer)
    hostSignal?.removeEventListener('abort', onAbort)
  }
}

const aborted = (): Failure => new Failure('ABORTED', 'The host cancelled the request.', { details: { aborted: true } })
