/** The HTTP application: a Request in, a Response out. It lets in, translates, and asks the gate; it decides nothing. */
import { Hono } from 'hono'
import { parseObject } from '../core/data.js'
import { FAILURES, Failure } from '../core/failure.js'
import type { Gate } from '../core/gate.js'
import { parseInput } from '../core/input.js'
import type { Logger } from '../core/provider.js'
import { createRedactor, type Redactor } from '../redaction/index.js'
import { failureAnswer, framed, jsonAnswer, toFailure } from './answer.js'
import { createCors } from './cors.js'
import { createHostCheck, createTokenCheck } from './guard.js'
import { readJson, readQuery } from './input.js'
import type { Route } from './route.js'
import { ROUTES } from './routes.js'

export interface HttpAppOptions {
  gate: Gate
  /** What a caller must bring as `Authorization: Bearer …`: visible ASCII characters. */
  adminToken: string
  /** Names beside loopback that the Host header may have, each with a port or for any port. */
  allowedHosts?: readonly string[]
  /** Origins whose pages may call, e.g. `https://console.example`. Default: none. */
  corsOrigins?: readonly string[]
  /** Handlers of further paths, behind the same checks of host and token, and of the origin of whoever is a web page. */
  mounts?: Readonly<Record<string, (request: Request) => Promise<Response>>>
  /** Receives the causes of failures of the server's own. */
  logger?: Logger
}

export interface HttpApp {
  /** Never rejects. */
  fetch(request: Request): Promise<Response>
}

/**
 * Creates the HTTP application of a gate, for `startServer` or for any host that speaks Request and Response.
 * Throws INVALID_INPUT for a token, host or origin that cannot be one. Routes: docs/http-api.md, `GET /v1/openapi.json`.
 *
 * @example
 * ```ts
 * import { createGate } from 'skillgate'
 * import { createHttpApp } from 'skillgate/http'
 * import { createMemoryStore } from 'skillgate/stores/memory'
 *
 * const gate = createGate({ skills: [], store: createMemoryStore() })
 * const app = createHttpApp({ gate, adminToken: 'correct-horse-battery' })
 * const request = new Request('http://localhost/v1/health', { headers: { host: 'localhost' } })
 * console.log((await app.fetch(request)).status) // 200
 * ```
 */
export function createHttpApp({
  gate,
  adminToken,
  allowedHosts = [],
  corsOrigins = [],
  mounts = {},
  logger,
}: HttpAppOptions): HttpApp {
  const checkHost = createHostCheck(allowedHosts)
  const checkToken = createTokenCheck(adminToken)
  const cors = createCors(corsOrigins)
  const own = createRedactor({ registered: [adminToken] })
  // What a caller sent may hold a secret of the host, who registered it with the gate and not here.
  const redactor: Pick<Redactor, 'text' | 'value'> = {
    text: (text) => own.text(gate.redactor.text(text)),
    value: (value) => own.value(gate.redactor.value(value)),
  }
  const router = new Hono()

  for (const route of ROUTES) {
    const path = route.path.replaceAll(/\{(\w+)\}/g, ':$1')
    router.on(route.method, path, ({ req }) => perform(route, req.raw, req.param()))
  }
  router.notFound(({ req }) => fail(req.raw, misdirected(req.path)))
  router.onError((error, { req }) => fail(req.raw, error))

  async function perform(route: Route, request: Request, pathParams: Record<string, string>): Promise<Response> {
    const params = parseInput(route.params, pathParams, 'path')
    const query = parseInput(route.query, readQuery(request.url), 'query')
    const {
      status = route.statuses[0],
      body,
      replayed,
    } = await route.handle(gate, {
      params,
      query,
      body: route.method === 'GET' ? {} : await readBody(route, request),
      idempotencyKey: route.keyed ? (request.headers.get('idempotency-key') ?? undefined) : undefined,
    })
    return jsonAnswer(status, body, replayed && { 'idempotency-replayed': 'true' })
  }

  function fail(request: Request, error: unknown): Response {
    const failure = toFailure(error)
    if (FAILURES[failure.code].status >= 500 && failure.cause !== undefined) {
      const { pathname } = new URL(request.url)
      logger?.error(`${request.method} ${pathname} failed: ${failure.code}`, { cause: failure.cause })
    }
    return failureAnswer(failure, redactor)
  }

  async function answer(request: Request): Promise<Response> {
    try {
      const { host, pathname } = new URL(request.url)
      // The URL too: a request line may name a host of its own, and that is the one which counts (RFC 9112, 3.2.2).
      checkHost(request.headers.get('host'))
      checkHost(host)
      const preflight = cors.preflight(request)
      if (preflight !== undefined) return preflight
      if (!isOpen(request.method, pathname)) checkToken(request.headers.get('authorization'))
      const mounted = Object.hasOwn(mounts, pathname) ? mounts[pathname] : undefined
      if (mounted === undefined) return await router.fetch(request)
      cors.checkOrigin(request)
      return framed(await mounted(request))
    } catch (error) {
      return fail(request, error)
    }
  }

  return { fetch: async (request) => cors.mark(request, await answer(request)) }
}

/** A route that takes no body tolerates an empty object. */
async function readBody({ body: schema }: Route, request: Request): Promise<unknown> {
  const json = await readJson(request)
  if (schema !== undefined) return parseInput(schema, json, 'body')
  if (json === undefined || Object.keys(parseObject(json, 'body')).length === 0) return {}
  throw new Failure('INVALID_INPUT', 'This route takes no body. Leave it out.', { details: { field: 'body' } })
}

const isOpen = (method: string, path: string): boolean =>
  ROUTES.some((route) => route.open && route.path === path && allowedBy(route).includes(method))

const allowedBy = ({ method }: Route): string[] => (method === 'GET' ? ['GET', 'HEAD'] : [method])

/** Why no route took the request: its path is none, or takes other methods. */
function misdirected(path: string): Failure {
  const there = ROUTES.filter((route) => isPathOf(route, path))
  if (there.length === 0)
    return new Failure('NOT_FOUND', 'There is no such route. GET /v1/openapi.json lists the routes.')
  const allow = there.flatMap(allowedBy)
  return new Failure('METHOD_NOT_ALLOWED', `This path takes ${allow.join(', ')}.`, { details: { allow } })
}

function isPathOf({ path: template }: Route, path: string): boolean {
  const parts = path.split('/')
  const wanted = template.split('/')
  return (
    parts.length === wanted.length &&
    wanted.every((part, index) => (part.startsWith('{') ? parts[index] !== '' : parts[index] === part))
  )
}
