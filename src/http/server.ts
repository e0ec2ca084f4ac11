/** Puts an HTTP application behind node:http: bounded waiting for what callers send, and an orderly end. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { getRequestListener, RequestError } from '@hono/node-server'
import { FAILURES, Failure } from '../core/failure.js'
import type { Logger } from '../core/provider.js'
import { createRedactor } from '../redaction/index.js'
import { failureAnswer, failureBody, JSON_HEADERS, toFailure } from './answer.js'
import type { HttpApp } from './app.js'

export interface ServerOptions {
  app: HttpApp
  /** Default 127.0.0.1. */
  host?: string
  /** Default 8090; 0 takes a free one. */
  port?: number
  /** Serves HTTPS, with a certificate and its key in PEM; with `ca`, only to clients whose certificates it signed. */
  tls?: { cert: string | Buffer; key: string | Buffer; ca?: string | Buffer | undefined } | undefined
  /** Milliseconds within which a request must have arrived, headers and body; checked to a quarter of it. Default 20 000. */
  receiveTimeoutMs?: number
  /** Milliseconds that answers under way get when the server closes. Default 5 000. */
  closeGraceMs?: number
  /**
   * Lets the adapter replace the process's Request and Response, for good, by lighter ones: twice the requests per
   * second. For a process that is nothing but this server. Default false.
   */
  replaceGlobals?: boolean
  /** Receives what went wrong outside the application. */
  logger?: Logger
}

export interface RunningServer extends AsyncDisposable {
  url: string
  port: number
  /** Accepts no more, lets answers under way end, then cuts what is left. The gate stays open. */
  close(): Promise<void>
}

const redactor = createRedactor()

/**
 * Starts a server; resolves when it listens, and rejects with node's error (`EADDRINUSE` …) when it cannot.
 *
 * @example
 * ```ts
 * import { createGate } from 'skillgate'
 * import { createHttpApp, startServer } from 'skillgate/http'
 * import { createMemoryStore } from 'skillgate/stores/memory'
 *
 * const gate = createGate({ skills: [], store: createMemoryStore() })
 * const app = createHttpApp({ gate, adminToken: 'correct-horse-battery' })
 * const server = await startServer({ app, port: 0 })
 * console.log(server.url)
 * await server.close()
 * ```
 */
export async function startServer({
  app,
  host = '127.0.0.1',
  port = 8090,
  tls,
  receiveTimeoutMs = 20_000,
  closeGraceMs = 5_000,
  replaceGlobals = false,
  logger,
}: ServerOptions): Promise<RunningServer> {
  const answering = new WeakMap<Duplex, ServerResponse>()
  let closing: Promise<void> | undefined

  const listener = getRequestListener(app.fetch, {
    // What a request without a Host header is read under; the application still sees that it has none.
    hostname: 'localhost',
    overrideGlobalObjects: replaceGlobals,
    errorHandler(error) {
      if (error instanceof RequestError) return failureAnswer(malformed(), redactor)
      logger?.error('A request could not be answered.', { cause: error })
      return failureAnswer(toFailure(error), redactor)
    },
  })
  const bounds = {
    headersTimeout: receiveTimeoutMs,
    requestTimeout: receiveTimeoutMs,
    connectionsCheckingInterval: Math.ceil(receiveTimeoutMs / 4),
    requireHostHeader: false,
  }
  const server = tls
    ? createTlsServer({ ...bounds, ...tls, requestCert: tls.ca !== undefined, handshakeTimeout: receiveTimeoutMs })
    : createServer(bounds)
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    answering.set(request.socket, response)
    response.on('close', () => {
      answering.delete(request.socket)
      if (closing !== undefined) server.closeIdleConnections()
    })
    void listener(request, response)
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    // Half an answer must not be followed by another.
    if (!socket.writable || answering.get(socket)?.headersSent === true) socket.destroy()
    else socket.end(rawAnswer(refusal(error.code, receiveTimeoutMs)), () => socket.destroy())
  })

  server.listen(port, host)
  await once(server, 'listening')
  // Such as too many open files: one connection is lost, the server goes on.
  server.on('error', (error) => logger?.error('A connection could not be accepted.', { cause: error }))
  const bound = (server.address() as AddressInfo).port

  async function shutDown(): Promise<void> {
    const closed = once(server, 'close')
    server.close()
    const timer = setTimeout(() => server.closeAllConnections(), closeGraceMs)
    await closed
    clearTimeout(timer)
  }

  function close(): Promise<void> {
    closing ??= shutDown()
    return closing
  }

  return {
    url: `${tls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    port: bound,
    close,
    [Symbol.asyncDispose]: close,
  }
}

const malformed = (): Failure => new Failure('INVALID_INPUT', 'The request is not well-formed HTTP.')

/** What the HTTP parser refused, as a failure. Source: Node.js documentation, "Event: 'clientError'". */
function refusal(code: string | undefined, receiveTimeoutMs: number): Failure {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return new Failure('INVALID_INPUT', `The request did not arrive in full within ${receiveTimeoutMs} ms.`)
  }
  if (code === 'HPE_HEADER_OVERFLOW') return new Failure('PAYLOAD_TOO_LARGE', 'The headers are too large. Send less.')
  return malformed()
}

/** An answer for a connection on which no request was understood. */
function rawAnswer(failure: Failure): string {
  const { status } = FAILURES[failure.code]
  const body = JSON.stringify(failureBody(failure, redactor))
  const headers = { ...JSON_HEADERS, 'content-length': String(Buffer.byteLength(body)), connection: 'close' }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('\r\n')}\r\n\r\n${body}`
}
