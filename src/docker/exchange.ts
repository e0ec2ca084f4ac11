/** One request and its answer over undici's own dispatch: without a stream object for each answer, which cost a fifth of a call. */

import type { Duplex } from 'node:stream'
import type { Dispatcher } from 'undici'
import { Failure } from '../core/failure.js'
import type { StopSignal } from '../core/stop.js'

export interface ExchangeRequest {
  method: 'GET' | 'POST' | 'DELETE'
  path: string
  body?: unknown
  /** Asks to take the connection over. */
  upgrade?: 'tcp'
  signal: StopSignal
}

export interface ExchangeHandler {
  onStatus(status: number, headers: Record<string, string | string[] | undefined>): void
  /** A throw ends the exchange with that error. */
  onChunk(chunk: Buffer): void
  /** The connection was taken over; from here on it is the handler's. */
  onUpgrade?(socket: Duplex): void
}

/** Answers with a status below 200, which may come before the one that counts. */
const MAX_PRELIMINARY = 100

const endlessly = (): Failure =>
  new Failure(
    'UPSTREAM_ERROR',
    'The engine announces its answer again and again and does not send it. Check that a Docker Engine answers there.',
    { retriable: false },
  )

/** Resolves when the whole answer was handed on, or the connection taken over; rejects with the signal's reason, or the error of the connection. */
export function exchange(dispatcher: Dispatcher, request: ExchangeRequest, handler: ExchangeHandler): Promise<void> {
  const { method, path, body, upgrade, signal } = request
  return new Promise((resolve, reject) => {
    let controller: Dispatcher.DispatchController | undefined
    let preliminary = 0
    const onAbort = () => {
      const reason = signal.reason ?? new Error('aborted')
      controller?.abort(reason)
      // While the connection is still being made there is nothing to abort yet.
      reject(reason)
    }
    const settled = () => signal.removeEventListener('abort', onAbort)
    signal.addEventListener('abort', onAbort, { once: true })
    const sent: Dispatcher.DispatchOptions = { method, path }
    if (upgrade !== undefined) sent.upgrade = upgrade
    if (body !== undefined) {
      sent.body = JSON.stringify(body)
      sent.headers = { 'content-type': 'application/json' }
    }
    dispatcher.dispatch(sent, {
      onRequestStart(started) {
        controller = started
        if (signal.aborted) onAbort()
      },
      onRequestUpgrade(_controller, _status, _headers, socket) {
        settled()
        // Nobody waits for it any more.
        if (signal.aborted || handler.onUpgrade === undefined) socket.destroy()
        else handler.onUpgrade(socket)
        resolve()
      },
      onResponseStart(current, status, headers) {
        if (status >= 200) return handler.onStatus(status, headers)
        preliminary++
        if (preliminary > MAX_PRELIMINARY) current.abort(endlessly())
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
    })
  })
}
