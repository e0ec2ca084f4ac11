/** One call to the engine over undici: sent, bounded, timed, and every way it can fail turned into a Failure. */

import type { Duplex } from 'node:stream'
import { Pool } from 'undici'
import { isFailure } from '../core/failure.js'
import type { StopSignal } from '../core/stop.js'
import type { Endpoint } from './connect.js'
import { type EngineRoute, engineTarget, type PathValues } from './engine-routes.js'
import { exchange } from './exchange.js'
import { hijack } from './hijack.js'
import { connectionFailure, malformedAnswer, oversizedAnswer, upstreamFailure } from './upstream.js'

/** A finished call: which route, what came back, and how long it took. */
export interface EngineCall {
  method: string
  /** The route's template, without ids: `/containers/{id}/start`. */
  route: string
  /** Undefined when no answer came. */
  status: number | undefined
  /** Milliseconds until the whole answer was read; for attach, until the stream was ours. */
  duration_ms: number
}

export interface CallOptions extends PathValues {
  signal: StopSignal
  body?: unknown
  /** The most bytes of an answer that is read; default 8 MiB. */
  maxBytes?: number | undefined
  /** The negotiated API version; absent for the two calls that negotiate it. */
  version?: string | undefined
}

export interface Answer {
  status: number
  headers: Record<string, string | string[] | undefined>
  text: string
}

/** Calls with one connection each; a connection that breaks is reported, and nothing is ever sent twice. */
export interface Caller {
  /** Reads the whole answer. Resolves with the status that the route answers with when it was done; any other rejects. */
  text(route: EngineRoute, options: CallOptions): Promise<Answer>
  /** Hands the body on as it comes. */
  stream(route: EngineRoute, options: CallOptions, onChunk: (chunk: Buffer) => void): Promise<void>
  /** Takes the connection over (101) for a raw two-way stream, which the caller must destroy. */
  upgrade(route: EngineRoute, options: CallOptions): Promise<Duplex>
  /** Closes every connection, also those that were taken over. */
  close(): Promise<void>
}

export interface CallerOptions {
  endpoint: Endpoint
  /** The connection broke: what was learnt about the engine may no longer hold. */
  onLost: () => void
  onCall?: ((call: EngineCall) => void) | undefined
}

const MAX_BODY_BYTES = 8 * 1024 * 1024
/** Of a refusal's text; its message is shorter by far. */
const MAX_REFUSAL_BYTES = 64 * 1024
/** The statuses that say it was done; 304, that it was so already. Any other 2xx comes from something that is no engine. */
const DONE: Partial<Record<EngineRoute, readonly number[]>> = {
  containerCreate: [201],
  containerStart: [204, 304],
  containerStop: [204, 304],
  containerKill: [204],
  containerRemove: [204],
}

export function createCaller({ endpoint, onLost, onCall }: CallerOptions): Caller {
  // Deadlines are the caller's signals: undici's own would cut off a program that runs longer than five minutes.
  const pool = new Pool(endpoint.origin, {
    connect: endpoint.connector ?? endpoint.connect,
    headersTimeout: 0,
    bodyTimeout: 0,
  })
  const taken = new Set<Duplex>()
  pool.on('disconnect', (_origin, _targets, error) => {
    if (error?.code !== 'UND_ERR_INFO') onLost()
  })

  async function send<T>(
    route: EngineRoute,
    options: CallOptions,
    perform: (target: ReturnType<typeof engineTarget>, seen: (status: number) => void) => Promise<T>,
  ): Promise<T> {
    const target = engineTarget(route, options.version, options)
    const startedAt = performance.now()
    let status: number | undefined
    try {
      options.signal.throwIfAborted()
      return await perform(target, (seen) => {
        status = seen
      })
    } catch (error) {
      if (options.signal.aborted) throw options.signal.reason
      if (isFailure(error)) throw error
      onLost()
      throw connectionFailure(error, endpoint.address)
    } finally {
      const { method, template } = target
      onCall?.({ method, route: template, status, duration_ms: performance.now() - startedAt })
    }
  }

  /** The status and headers of an accepted answer, whose body went to `onChunk`; a refusal rejects with what it says. */
  async function receive(
    route: EngineRoute,
    { method, template, path }: ReturnType<typeof engineTarget>,
    { body, signal, maxBytes = MAX_BODY_BYTES }: CallOptions,
    seen: (status: number) => void,
    onChunk: (chunk: Buffer) => void,
  ): Promise<Omit<Answer, 'text'>> {
    let answer = { status: 0, headers: {} }
    let bytes = 0
    const refusal: Buffer[] = []
    await exchange(
      pool,
      { method, path, body, signal },
      {
        onStatus(status, headers) {
          seen(status)
          answer = { status, headers }
        },
        onChunk(chunk) {
          bytes += chunk.length
          const most = isDone(route, answer.status) ? maxBytes : MAX_BODY_BYTES
          if (bytes > most) throw oversizedAnswer(template, `${most} bytes`)
          if (isDone(route, answer.status)) onChunk(chunk)
          else if (bytes <= MAX_REFUSAL_BYTES) refusal.push(chunk)
        },
      },
    )
    if (isDone(route, answer.status)) return answer
    if (answer.status < 300) throw malformedAnswer(template, `its status is ${answer.status}`)
    throw upstreamFailure(answer.status, Buffer.concat(refusal).toString('utf8'), `${method} ${template}`)
  }

  return {
    text: (route, options) =>
      send(route, options, async (target, seen) => {
        const chunks: Buffer[] = []
        const answer = await receive(route, target, options, seen, (chunk) => chunks.push(chunk))
        return { ...answer, text: Buffer.concat(chunks).toString('utf8') }
      }),

    stream: (route, options, onChunk) =>
      send(route, options, async (target, seen) => {
        await receive(route, target, options, seen, onChunk)
      }),

    upgrade: (route, options) =>
      send(route, options, async ({ method, path, template }, seen) => {
        const { status, socket, ...refusal } = await hijack(pool, { method, path, template, signal: options.signal })
        seen(status)
        if (!socket) throw upstreamFailure(status, 'text' in refusal ? refusal.text : '', `${method} ${template}`)
        taken.add(socket)
        socket.once('close', () => taken.delete(socket))
        return socket
      }),

    async close() {
      for (const socket of taken) socket.destroy()
      await pool.destroy()
    },
  }
}

const isDone = (route: EngineRoute, status: number): boolean => (DONE[route] ?? [200]).includes(status)
