/** MCP over Streamable HTTP: which session a client speaks in, and its connections, of both revisions of the protocol. */
import { randomUUID } from 'node:crypto'
import {
  createMcpHandler,
  isInitializeRequest,
  isLegacyRequest,
  type McpHttpHandler,
  readRequestBody,
  type Server,
  WebStandardStreamableHTTPServerTransport,
} from '@modelcontextprotocol/server'
import { FAILURES, Failure, isFailure } from '../core/failure.js'
import type { Gate } from '../core/gate.js'
import type { Logger } from '../core/provider.js'
import type { Session } from '../core/sessions.js'
import { type Calls, createCalls } from './call.js'
import { createSessionServer } from './server.js'

export interface McpEndpointOptions {
  gate: Gate
  /** Receives the causes of failures, which a client must not see. */
  logger?: Logger
}

export interface McpEndpoint {
  /** Never rejects. Who may ask (token, Host, Origin) is for the application in front of it to say. */
  fetch(request: Request): Promise<Response>
  /** Ends every connection; the runs of their calls are cancelled. */
  close(): Promise<void>
}

/** A client that began with `initialize`. */
interface Client {
  server: Server
  transport: WebStandardStreamableHTTPServerTransport
  sessionId: string
}

/** A session that has been spoken in. */
interface Door {
  session: Session
  calls: Calls
  /** For clients of revision 2026-07-28, each request of which stands alone. */
  handler: McpHttpHandler
}

const SESSION_HEADER = 'skillgate-session'
const CLIENT_HEADER = 'mcp-session-id'
const MAX_BODY_BYTES = 1024 * 1024
/** Who was not heard of the longest goes first, and has to begin anew. */
const MAX_KEPT = 1_000
/** JSON-RPC's code for errors of the server's own; what went wrong is in `data`. */
const SERVER_ERROR = -32_000

const UNKNOWN = 'Something went wrong inside skillgate. Its log says more.'

/**
 * Creates the MCP endpoint of a gate, for `createHttpApp({ mounts: { '/mcp': endpoint.fetch } })` or any application that
 * checks token, Host and Origin in front of it. The header `Skillgate-Session` says which session a client speaks in;
 * `initialize` without it creates one and answers its id in the same header.
 *
 * @example
 * ```ts
 * import { createGate } from 'skillgate'
 * import { createHttpApp, startServer } from 'skillgate/http'
 * import { createMcpEndpoint } from 'skillgate/mcp'
 * import { createMemoryStore } from 'skillgate/stores/memory'
 *
 * const gate = createGate({ skills: [], store: createMemoryStore() })
 * const mcp = createMcpEndpoint({ gate })
 * const app = createHttpApp({ gate, adminToken: 'correct-horse-battery', mounts: { '/mcp': mcp.fetch } })
 * const server = await startServer({ app, port: 0 })
 * await Promise.all([server.close(), mcp.close()])
 * ```
 */
export function createMcpEndpoint({ gate, logger }: McpEndpointOptions): McpEndpoint {
  const clients = createKept<Client>(({ server }) => server.close())
  const doors = createKept<Door>(({ handler }) => handler.close())

  async function doorOf(sessionId: string): Promise<Door> {
    const known = doors.get(sessionId)
    if (known !== undefined) return known
    const session = await gate.session(sessionId)
    return doors.get(sessionId) ?? doors.set(sessionId, createDoor(session, logger))
  }

  /** A client of a revision up to 2025-11-25: it begins with `initialize` and is known by its id from then on. */
  async function serveClient(request: Request, parsedBody: unknown): Promise<Response> {
    const clientId = request.headers.get(CLIENT_HEADER)
    const wanted = request.headers.get(SESSION_HEADER)
    if (clientId !== null) {
      const client = clients.get(clientId)
      if (client === undefined) throw new Failure('NOT_FOUND', 'There is no such MCP session. Begin with initialize.')
      if (wanted !== null && wanted !== client.sessionId) {
        throw new Failure('INVALID_INPUT', 'This client speaks in another session. Begin with initialize to change it.')
      }
      return client.transport.handleRequest(request, { parsedBody })
    }
    if (!isInitializeRequest(parsedBody)) {
      throw new Failure(
        'INVALID_INPUT',
        'The header Mcp-Session-Id is missing. Begin with initialize, which answers it.',
      )
    }
    const door = wanted === null ? undefined : await doorOf(wanted)
    let opening: Promise<Client> | undefined
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      // Only now: a request that the transport refuses must leave no session behind.
      async onsessioninitialized(id) {
        opening = open(id)
        await opening
      },
    })
    async function open(id: string): Promise<Client> {
      const { session, calls } = door ?? (await doorOf((await gate.createSession({ label: 'mcp' })).id))
      const server = createSessionServer({ session, calls, logger })
      transport.onclose = () => clients.delete(id)
      await server.connect(transport)
      return clients.set(id, { server, transport, sessionId: session.id })
    }
    const response = await transport.handleRequest(request, { parsedBody })
    // What went wrong in opening, the transport takes for a message that cannot be read.
    const client = await opening
    if (client !== undefined) response.headers.set(SESSION_HEADER, client.sessionId)
    return response
  }

  async function serveRequest(request: Request, parsedBody: unknown): Promise<Response> {
    const wanted = request.headers.get(SESSION_HEADER)
    if (wanted !== null) return (await doorOf(wanted)).handler.fetch(request, { parsedBody })
    throw new Failure(
      'INVALID_INPUT',
      'The header Skillgate-Session is missing. Send the id of a session, or begin with initialize, which makes one.',
    )
  }

  async function answer(request: Request): Promise<Response> {
    const body = request.method === 'POST' ? await readBody(request) : undefined
    const serve = (await isLegacyRequest(request, body)) ? serveClient : serveRequest
    return serve(request, body)
  }

  return {
    async fetch(request) {
      try {
        return await answer(request)
      } catch (error) {
        if (!isFailure(error)) logger?.error('An MCP request could not be answered.', { error })
        return errorAnswer(isFailure(error) ? error : new Failure('INTERNAL', UNKNOWN), gate.redactor)
      }
    },
    async close() {
      await Promise.all([clients.clear(), doors.clear()])
    },
  }
}

function createDoor(session: Session, logger: Logger | undefined): Door {
  const calls = createCalls({ session, logger })
  const handler = createMcpHandler(() => createSessionServer({ session, calls, logger }), {
    legacy: 'reject',
    bus: { publish() {}, subscribe: (listener) => session.onPolicy(() => listener({ kind: 'tools_list_changed' })) },
    onerror: (error) => logger?.warn('An MCP request was refused.', { error }),
  })
  return { session, calls, handler }
}

interface Kept<T> {
  get(id: string): T | undefined
  set(id: string, item: T): T
  delete(id: string): void
  clear(): Promise<void>
}

/** A bounded number of items by id, which are closed when they go. */
function createKept<T>(close: (item: T) => Promise<void>): Kept<T> {
  const items = new Map<string, T>()
  const set = (id: string, item: T): T => {
    items.delete(id)
    items.set(id, item)
    const [oldest] = items
    if (items.size > MAX_KEPT && oldest !== undefined) {
      items.delete(oldest[0])
      close(oldest[1]).catch(() => {})
    }
    return item
  }
  return {
    get(id) {
      const item = items.get(id)
      return item === undefined ? undefined : set(id, item)
    },
    set,
    delete: (id) => void items.delete(id),
    async clear() {
      const open = [...items.values()]
      items.clear()
      await Promise.all(open.map(close))
    },
  }
}

async function readBody(request: Request): Promise<unknown> {
  const body = await readRequestBody(request, MAX_BODY_BYTES).catch((cause) => {
    throw new Failure('ABORTED', 'The body broke off before its end.', { cause })
  })
  if (body.tooLarge) {
    throw new Failure('PAYLOAD_TOO_LARGE', `The body is larger than ${MAX_BODY_BYTES} bytes. Send less.`)
  }
  try {
    return JSON.parse(body.text)
  } catch (cause) {
    throw new Failure('INVALID_INPUT', 'The body is not JSON. Send one JSON-RPC message.', { cause })
  }
}

function errorAnswer({ code, retriable, message }: Failure, redactor: Gate['redactor']): Response {
  const error = { code: SERVER_ERROR, message: redactor.text(message), data: { code, retriable } }
  return Response.json({ jsonrpc: '2.0', id: null, error }, { status: FAILURES[code].status })
}
