/** Takes a connection over: a request with `Upgrade: tcp`, answered by 101 and then by raw bytes in both directions. */

import type { Duplex } from 'node:stream'
import type { Dispatcher } from 'undici'
import type { StopSignal } from '../core/stop.js'
import { exchange } from './exchange.js'

export interface HijackOptions {
  method: 'GET' | 'POST' | 'DELETE'
  path: string
  signal: StopSignal
}

/** Either the connection is ours, or the engine said why not; undici's own `upgrade` would lose that status and text. */
export type Hijacked = { status: 101; socket: Duplex } | { status: number; socket?: never; text: string }

const MAX_REFUSAL_BYTES = 64 * 1024

export async function hijack(dispatcher: Dispatcher, request: HijackOptions): Promise<Hijacked> {
  let taken: Duplex | undefined
  let refusal = 0
  let text = ''
  await exchange(
    dispatcher,
    { ...request, upgrade: 'tcp' },
    {
      onStatus(status) {
        refusal = status
      },
      onChunk(chunk) {
        if (text.length < MAX_REFUSAL_BYTES) text += chunk.toString('utf8')
      },
      onUpgrade(socket) {
        taken = socket
      },
    },
  )
  return taken === undefined ? { status: refusal, text } : { status: 101, socket: taken }
}
