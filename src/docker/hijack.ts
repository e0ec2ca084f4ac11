/** Takes a connection over: a request with `Upgrade: tcp`, answered by 101 and then by raw bytes in both directions. */

import type { Duplex } from 'node:stream'
import type { Dispatcher } from 'undici'
import type { StopSignal } from '../core/stop.js'
import { exchange } from './exchange.js'
import { oversizedAnswer } from './upstream.js'

export interface HijackOptions {
  method: 'GET' | 'POST' | 'DELETE'
  path: string
  /** The path without ids, for messages. */
  template: string
  signal: StopSignal
}

/** Either the connection is ours, or the engine said why not; undici's own `upgrade` would lose that status and text. */
export type Hijacked = { status: 101; socket: Duplex } | { status: number; socket?: never; text: string }

const MAX_REFUSAL_BYTES = 64 * 1024

export async function hijack(dispatcher: Dispatcher, { template, ...request }: HijackOptions): Promise<Hijacked> {
  let taken: Duplex | undefined
  let refusal = 0
  let text = ''
  let bytes = 0
  await exchange(
    dispatcher,
    { ...request, upgrade: 'tcp' },
    {
      onStatus(status) {
        refusal = status
      },
      onChunk(chunk) {
        bytes += chunk.length
        // An engine that streams without having been asked to would be read for as long as the program may run.
        if (bytes > MAX_REFUSAL_BYTES) throw oversizedAnswer(template, `${MAX_REFUSAL_BYTES} bytes`)
        text += chunk.toString('utf8')
      },
      onUpgrade(socket) {
        taken = socket
      },
    },
  )
  return taken === undefined ? { status: refusal, text } : { status: 101, socket: taken }
}
