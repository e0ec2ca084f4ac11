/** CORS: which origins' pages may call, when the host configured any. Source: the Fetch Standard, "CORS protocol". */
import { describe, Failure } from '../core/failure.js'
import { BASE_HEADERS } from './answer.js'

/** What MCP clients send beside. Source: MCP specification, "Streamable HTTP". */
const MCP_HEADERS = [
  'last-event-id',
  'mcp-method',
  'mcp-name',
  'mcp-protocol-version',
  'mcp-session-id',
  'skillgate-session',
]

export interface Cors {
  /** The answer to a preflight of an allowed origin; undefined for every other request. */
  preflight(request: Request): Response | undefined
  /** The answer with what lets the page of an allowed origin read it. */
  mark(request: Request, response: Response): Response
  /** Throws FORBIDDEN_HOST for a page that is neither of an allowed origin nor of the host that the request names. */
  checkOrigin(request: Request): void
}

/** Throws INVALID_INPUT for an entry that is not exactly an origin. */
export function createCors(origins: readonly string[]): Cors {
  const allowed = new Set(origins.map(parseOrigin))
  const originOf = (request: Request): string | undefined => {
    const origin = request.headers.get('origin')
    return origin !== null && allowed.has(origin) ? origin : undefined
  }
  return {
    preflight(request) {
      if (request.method !== 'OPTIONS' || !request.headers.has('access-control-request-method')) return undefined
      if (originOf(request) === undefined) return undefined
      const headers = {
        ...BASE_HEADERS,
        'access-control-allow-methods': 'GET, HEAD, POST, PUT, DELETE',
        'access-control-allow-headers': ['authorization', 'content-type', 'idempotency-key', ...MCP_HEADERS].join(', '),
        'access-control-max-age': '600',
      }
      return new Response(null, { status: 204, headers })
    },
    mark(request, response) {
      if (allowed.size === 0) return response
      response.headers.append('vary', 'origin')
      const origin = originOf(request)
      if (origin === undefined) return response
      response.headers.set('access-control-allow-origin', origin)
      response.headers.set('access-control-expose-headers', 'idempotency-replayed, mcp-session-id, skillgate-session')
      return response
    },
    checkOrigin(request) {
      const origin = request.headers.get('origin')
      if (origin === null || allowed.has(origin)) return
      if (URL.canParse(origin) && new URL(origin).host === request.headers.get('host')?.toLowerCase()) return
      throw new Failure(
        'FORBIDDEN_HOST',
        `Pages of origin ${describe(origin)} may not call here. Add it to CORS_ORIGINS if they should.`,
      )
    },
  }
}

function parseOrigin(text: string): string {
  if (/^https?:\/\//.test(text) && URL.canParse(text) && new URL(text).origin === text) return text
  throw new Failure(
    'INVALID_INPUT',
    `CORS origin ${describe(text)} is not an origin. Send scheme, host and port as a browser does, e.g. https://console.example.`,
    { details: { field: 'corsOrigins' } },
  )
}
