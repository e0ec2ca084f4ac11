/** One request and its answer over undici's own dispatch: without a stream object for each answer, which cost a fifth of a call. */

import type { Dispatcher } from 'undici'
import type { StopSignal } from './deadline.js'

export interface ExchangeRequest {
  method: 'GET' | 'POST' | 'DELETE'
  path: string
  body: unknown
  signal: StopSignal
}

export interface ExchangeHandler {
  onStatus(status: number, headers: Record<string, string | string[] | undefined>): void
  /** A throw ends the exchange with that error. */
  onChunk(chunk: Buffer): void
}

/** Resolves when the whole answer was handed on; rejects with the signal's reason, or the error of the connection. */
export function exchange(dispatcher: Dispatcher, request: ExchangeRequest, handler: ExchangeHandler): Promise<void> {
  const { method, path, body, signal } = request
  return new Promise((resolve, reject) => {
    let controller: Dispatcher.DispatchController | undefined
    const onAbort = () => {
      const reason = signal.reason ?? new Error('aborted')
      controller?.abort(reason)
      // While the connection is still being made there is nothing to abort yet.
      reject(reason)
    }
    const settled = () => signal.removeEventListener('abort', onAbort)
    signal.addEventListener('abort', onAbort, { once: true })
    dispatcher.dispatch(
      {
        method,
        path,
        ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      },
      {
        onRequestStart(started) {
          controller = started
          if (signal.aborted) onAbort()
        },
        onResponseStart(_controller, status, headers) {
          if (status >= 200) handler.onStatus(status, headers)
        },
        onResponseData(current, chunk) {
          try {
            handler.onChunk(chunk)
          } catch (error) {
            current.abort(error as Error)
          }
        },
        onResponseEnd() {
          settled()
          resolve()
        },
        onResponseError(_controller, error) {
          settled()
          reject(error)
        },
      },
    )
  })
}
