/** One call to the engine over undici: sent, bounded, timed, and every way it can fail turned into a Failure. */

import type { Duplex } from 'node:stream'
import { Pool } from 'undici'
import { isFailure } from '../core/failure.js'
import type { StopSignal } from '../core/stop.js'
import type { Endpoint } from './connect.js'
import { type EngineRoute, engineTarget, type PathValues } from './engine-routes.js'
import { type ExchangeHandler, exchange, type Headers } from './exchange.js'
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
  headers: Headers
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

  /** The status and headers of an accepted answer, whose body went to `onChunk`; a refusal rejects with what it says. */
  async function receive(
    route: EngineRoute,
    options: CallOptions,
    onChunk: (chunk: Buffer) => void,
  ): Promise<Omit<Answer, 'text'>> {
    const { body, signal } = options
    const call = new Call(route, options, onChunk)
    const { method, template, path } = call.target
    try {
      signal.throwIfAborted()
      await exchange(pool, { method, path, body, signal }, call)
      const { status = 0, headers } = call
      if (call.accepted) return { status, headers }
      if (status < 300) throw malformedAnswer(template, `its status is ${status}`)
      throw upstreamFailure(status, call.refusal(), `${method} ${template}`)
    } catch (error) {
      throw failed(error, signal)
    } finally {
      ended(call)
    }
  }

  function failed(error: unknown, signal: StopSignal): unknown {
    if (signal.aborted) return signal.reason
    if (isFailure(error)) return error
    onLost()
    return connectionFailure(error, endpoint.address)
  }

  function ended({ target: { method, template }, startedAt, status }: Call): void {
    onCall?.({ method, route: template, status, duration_ms: performance.now() - startedAt })
  }

  return {
    async text(route, options) {
      const chunks: Buffer[] = []
      const { status, headers } = await receive(route, options, (chunk) => chunks.push(chunk))
      return { status, headers, text: joined(chunks).toString('utf8') }
    },

    async stream(route, options, onChunk) {
      await receive(route, options, onChunk)
    },

    async upgrade(route, options) {
      const { signal } = options
      const call = new Call(route, options)
      const { method, path, template } = call.target
      try {
        signal.throwIfAborted()
        const { status, socket, ...refusal } = await hijack(pool, { method, path, template, signal })
        call.status = status
        if (!socket) throw upstreamFailure(status, 'text' in refusal ? refusal.text : '', `${method} ${template}`)
        taken.add(socket)
        socket.once('close', () => taken.delete(socket))
        return socket
      } catch (error) {
        throw failed(error, signal)
      } finally {
        ended(call)
      }
    },

    async close() {
      for (const socket of taken) socket.destroy()
      await pool.destroy()
    },
  }
}

/** A call under way. */
class Call implements ExchangeHandler {
  readonly target: ReturnType<typeof engineTarget>
  readonly startedAt = performance.now()
  /** Undefined until there is an answer. */
  status: number | undefined
  headers: Headers = {}
  /** It was done; else its body is a refusal. */
  accepted = false
  readonly #route: EngineRoute
  readonly #maxBytes: number
  readonly #onChunk: (chunk: Buffer) => void
  readonly #refusal: Buffer[] = []
  #bytes = 0

  constructor(route: EngineRoute, options: CallOptions, onChunk = (_chunk: Buffer): void => {}) {
    this.target = engineTarget(route, options.version, options)
    this.#route = route
    this.#maxBytes = options.maxBytes ?? MAX_BODY_BYTES
    this.#onChunk = onChunk
  }

  onStatus(status: number, headers: Headers): void {
    this.status = status
    this.headers = headers
    this.accepted = isDone(this.#route, status)
  }

  onChunk(chunk: Buffer): void {
    this.#bytes += chunk.length
    const most = this.accepted ? this.#maxBytes : MAX_BODY_BYTES
    if (this.#bytes > most) throw oversizedAnswer(this.target.template, `${most} bytes`)
    if (this.accepted) this.#onChunk(chunk)
    else if (this.#bytes <= MAX_REFUSAL_BYTES) this.#refusal.push(chunk)
  }

  refusal(): string {
    return Buffer.concat(this.#refusal).toString('utf8')
  }
}

const joined = (chunks: Buffer[]): Buffer => (chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks))

const OK: readonly number[] = [200]
const isDone = (route: EngineRoute, status: number): boolean => (DONE[route] ?? OK).includes(status)
