/** Takes a connection over: a request with `Upgrade: tcp`, answered by 101 and then by raw bytes in both directions. */

import type { Duplex } from 'node:stream'
import type { Dispatcher } from 'undici'
import type { StopSignal } from './deadline.js'

export interface HijackOptions {
  method: 'GET' | 'POST' | 'DELETE'
  path: string
  signal: StopSignal
}

/** Either the connection is ours, or the engine said why not; undici's own `upgrade` would lose that status and text. */
export type Hijacked = { status: 101; socket: Duplex } | { status: number; socket?: never; text: string }

const MAX_REFUSAL_BYTES = 64 * 1024

export function hijack(dispatcher: Dispatcher, { method, path, signal }: HijackOptions): Promise<Hijacked> {
  return new Promise((resolve, reject) => {
    let controller: Dispatcher.DispatchController | undefined
    let refusal: number | undefined
    let text = ''
    const onAbort = () => {
      const reason = signal.reason ?? new Error('aborted')
      controller?.abort(reason)
      // While the connection is still being made there is nothing to abort yet.
      reject(reason)
    }
    const settled = () => signal.removeEventListener('abort', onAbort)
    signal.addEventListener('abort', onAbort, { once: true })
    dispatcher.dispatch(
      { method, path, upgrade: 'tcp' },
      {
        onRequestStart(started) {
          controller = started
          if (signal.aborted) onAbort()
        },
        onRequestUpgrade(_controller, _status, _headers, socket) {
          settled()
          resolve({ status: 101, socket })
        },
        onResponseStart(_controller, status) {
          if (status >= 200) refusal = status
        },
        onResponseData(_controller, chunk) {
          if (text.length < MAX_REFUSAL_BYTES) text += chunk.toString('utf8')
        },
        onResponseEnd() {
          settled()
          resolve({ status: refusal ?? 0, text })
        },
        onResponseError(_controller, error) {
          settled()
          reject(error)
        },
      },
    )
  })
}
