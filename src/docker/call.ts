/** One call to the engine over undici: sent, bounded, timed, and every way it can fail turned into a Failure. */

import type { Duplex } from 'node:stream'
import { Pool } from 'undici'
import { isFailure } from '../core/failure.js'
import type { StopSignal } from '../core/stop.js'
import type { Endpoint } from './connect.js'
import { type EngineRoute, engineTarget, type PathValues } from './engine-routes.js'
import { exchange } from './exchange.js'
import { hijack } from './hijack.js'
import { connectionFailure, malformedAnswer, upstreamFailure } from './upstream.js'

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
  /** The most bytes of an answer that is read; default 16 MiB. */
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
  /** Reads the whole answer. 2xx and 304 resolve; anything else rejects. */
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

const MAX_BODY_BYTES = 16 * 1024 * 1024

export function createCaller({ endpoint, onLost, onCall }: CallerOptions): Caller {
  // Deadlines are the caller's signals: undici's own would cut off a program that runs longer than five minutes.
  const pool = new Pool(endpoint.origin, { connect: endpoint.connect, headersTimeout: 0, bodyTimeout: 0 })
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
          const most = isAccepted(answer.status) ? maxBytes : MAX_BODY_BYTES
          if (bytes > most) {
            throw malformedAnswer(template, `it is larger than ${most} bytes; ask for less`)
          }
          if (isAccepted(answer.status)) onChunk(chunk)
          else refusal.push(chunk)
        },
      },
    )
    if (isAccepted(answer.status)) return answer
    throw upstreamFailure(answer.status, Buffer.concat(refusal).toString('utf8'), `${method} ${template}`)
  }

  return {
    text: (route, options) =>
      send(route, options, async (target, seen) => {
        const chunks: Buffer[] = []
        const answer = await receive(target, options, seen, (chunk) => chunks.push(chunk))
        return { ...answer, text: Buffer.concat(chunks).toString('utf8') }
      }),

    stream: (route, options, onChunk) =>
      send(route, options, async (target, seen) => {
        await receive(target, options, seen, onChunk)
      }),

    upgrade: (route, options) =>
      send(route, options, async ({ method, path, template }, seen) => {
        const { status, socket, ...refusal } = await hijack(pool, { method, path, signal: options.signal })
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

const isAccepted = (status: number): boolean => (status >= 200 && status < 300) || status === 304
