/** The gateway: a Request in, one L1 request to the provider behind it, a Response out; and nothing else of the engine. */
import { ask } from '../core/client.js'
import { describe, Failure, isFailure } from '../core/failure.js'
import { type L1Request, parseL1Request } from '../core/l1-request.js'
import { containLogger, type Logger, type ProviderClient, type RequestOptions } from '../core/provider.js'
import { parseCollectRequest, parseRunSpec } from '../core/run-spec.js'
import { createRedactor } from '../redaction/index.js'
import { createAccess } from './access.js'
import { readBody, refuseBody } from './body.js'
import { type GatewayConfigInput, type GatewayKey, parseGatewayConfig } from './config.js'
import { liveAnswer } from './live.js'
import { type Ask, judgeRun, listCovered, resolveContainer } from './scope.js'
import { JSON_TYPE, LINES_TYPE, MAX_TIMEOUT_MS, RUN_ID_HEADER, statusOf, TIMEOUT_HEADER, toDocument } from './wire.js'

export interface GatewayAppOptions {
  /** What is behind the gateway; it stays the caller's to close. */
  provider: ProviderClient
  /** Who may do what: docs/gateway.md. */
  config: GatewayConfigInput
  /** Told of every request when it is over. */
  onRequest?: ((entry: GatewayRequest) => void) | undefined
  /** Receives the causes of failures of the gateway's own. */
  logger?: Logger | undefined
  /** Milliseconds of a clock that only goes forward. */
  nowMs?: () => number
}

/** A request that is over. What was not understood is left out. */
export interface GatewayRequest {
  /** The key's name. */
  key?: string
  route?: string
  container?: string
  run_id?: string
  status: number
  /** The failure's. */
  code?: string
  duration_ms: number
}

export interface GatewayApp {
  /** Never rejects. */
  fetch(request: Request): Promise<Response>
}

const HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', 'content-type': JSON_TYPE }

/**
 * Creates the gateway's application, for `startServer` of `skillgate/http` or any host that speaks Request and Response:
 * the L1 routes in front of a provider, for those who bring a key. Throws INVALID_INPUT for a bad configuration.
 *
 * @example
 * ```ts
 * import { createHash } from 'node:crypto'
 * import { createDockerProvider } from 'skillgate/docker'
 * import { createGatewayApp } from 'skillgate/gateway'
 * import { startServer } from 'skillgate/http'
 *
 * const sha256 = createHash('sha256').update('a-key-of-32-random-bytes').digest('hex')
 * const app = createGatewayApp({
 *   provider: createDockerProvider(),
 *   config: { keys: [{ name: 'agents', sha256, routes: ['GET /containers'], containers: ['web-*'] }] },
 * })
 * const server = await startServer({ app, port: 0 })
 * console.log(server.url)
 * await server.close()
 * ```
 */
export function createGatewayApp({
  provider,
  config,
  onRequest,
  logger,
  nowMs = () => performance.now(),
}: GatewayAppOptions): GatewayApp {
  const access = createAccess(parseGatewayConfig(config), nowMs)
  const redactor = createRedactor()
  const log = containLogger(logger)

  /** What the request means, judged as far as it can be without the provider. */
  async function admit(request: Request, seen: Partial<GatewayRequest>): Promise<Admitted> {
    const key = access.admit(request.headers.get('authorization'))
    seen.key = key.name
    access.count(key)
    const { pathname, search } = new URL(request.url)
    const l1 = parseL1Request(request.method, `${pathname}${search}`)
    seen.route = l1.route
    if (l1.id !== '') seen.container = l1.id
    if (!key.routes.includes(l1.route)) {
      throw new Failure('DENIED', `This key does not cover ${l1.route}.`, { details: { route: l1.route } })
    }
    const { runId, ...rest } = optionsOf(request.headers)
    if (runId !== undefined) seen.run_id = runId
    const options = { ...rest, ...(runId !== undefined && { runId: ownRunId(key, runId) }) }
    if (!takesBody(l1)) refuseBody(request)
    return { key, l1, path: `${pathname}${search}`, options }
  }

  async function perform({ key, l1, path, options }: Admitted): Promise<unknown> {
    const narrow: Ask = (method, target) => ask(provider, 'Engine', method, target, undefined, options)
    const [method = ''] = l1.route.split(' ')
    if (key.containers === undefined) return narrow(method, path)
    if (l1.route === 'GET /containers') return listCovered(key, l1.query, narrow)
    if (l1.id === '') return narrow(method, path)
    const container = await resolveContainer(key, l1.id, narrow)
    if (l1.route === 'GET /containers/{id}') return { container }
    return narrow(method, path.replace(`/containers/${l1.id}/`, `/containers/${container.id}/`))
  }

  async function answer(request: Request, seen: Partial<GatewayRequest>, over: Over): Promise<Response> {
    const admitted = await admit(request, seen)
    const options = { ...admitted.options, signal: request.signal }
    const { key, l1, path } = admitted
    if (!takesBody(l1)) return json(200, await perform({ ...admitted, options }), over)
    const body = readRun(l1, key, await readBody(request))
    const run = (live: RequestOptions) => ask(provider, 'Engine', 'POST', path, body, { ...admitted.options, ...live })
    if (!request.headers.get('accept')?.includes(LINES_TYPE)) return json(200, await run(options), over)
    return liveAnswer({ run, signal: request.signal, redactor, failed: asFailure, over, headers: HEADERS })
  }

  function asFailure(error: unknown): Failure {
    const failure = isFailure(error)
      ? error
      : new Failure('INTERNAL', 'Something went wrong inside the gateway. Its log says more.', { cause: error })
    if (failure.cause !== undefined && statusOf(failure) >= 500) log.error(failure.message, { cause: failure.cause })
    return failure
  }

  function refuse(error: unknown, over: Over): Response {
    const failure = asFailure(error)
    const status = statusOf(failure)
    over(status, failure.code)
    const retryAfterMs = failure.code === 'RATE_LIMITED' ? Number(failure.details?.retry_after_ms) : undefined
    return new Response(JSON.stringify({ error: toDocument(failure, redactor) }), {
      status,
      headers: {
        ...HEADERS,
        ...(failure.code === 'UNAUTHORIZED' && { 'www-authenticate': 'Bearer' }),
        ...(retryAfterMs && { 'retry-after': String(Math.ceil(retryAfterMs / 1_000)) }),
      },
    })
  }

  return {
    async fetch(request) {
      const startedAt = nowMs()
      const seen: Partial<GatewayRequest> = {}
      const over: Over = (status, code) => {
        const duration_ms = Math.round(nowMs() - startedAt)
        try {
          onRequest?.({ ...seen, status, ...(code && { code }), duration_ms })
        } catch {}
      }
      try {
        return await answer(request, seen, over)
      } catch (error) {
        return refuse(error, over)
      }
    },
  }
}

interface Admitted {
  key: GatewayKey
  l1: L1Request
  path: string
  options: RequestOptions
}

const takesBody = ({ route }: L1Request): boolean => route.startsWith('POST /containers/run')

/** One key's calls are no other's to collect, whatever they are named. */
const ownRunId = ({ name }: GatewayKey, runId: string): string => `${name}/${runId}`

/** The body of a run, or of what collects one, as the provider gets it. Throws DENIED for what the key does not cover. */
function readRun({ route }: L1Request, key: GatewayKey, given: unknown): unknown {
  if (route === 'POST /containers/run') {
    const spec = parseRunSpec(given)
    judgeRun(key.runs, spec)
    return spec
  }
  const { run_id, spec } = parseCollectRequest(given)
  judgeRun(key.runs, spec)
  return { run_id: ownRunId(key, run_id), spec }
}

/** The request is over, with this status and the failure's code. */
export type Over = (status: number, code?: string) => void

function json(status: number, body: unknown, over: Over): Response {
  const text = JSON.stringify(body)
  over(status)
  return new Response(text, { status, headers: HEADERS })
}

/** Throws INVALID_INPUT for a header that says nonsense. */
function optionsOf(headers: Headers): RequestOptions {
  const timeout = headers.get(TIMEOUT_HEADER)
  const runId = headers.get(RUN_ID_HEADER)
  if (timeout !== null && !(/^[1-9]\d{0,6}$/.test(timeout) && Number(timeout) <= MAX_TIMEOUT_MS)) {
    throw badHeader(TIMEOUT_HEADER, timeout, `must be an integer from 1 to ${MAX_TIMEOUT_MS}`)
  }
  if (runId !== null && !/^[\x21-\x7e]{1,130}$/.test(runId)) {
    throw badHeader(RUN_ID_HEADER, runId, 'must be 1 to 130 visible ASCII characters')
  }
  return { ...(timeout !== null && { timeoutMs: Number(timeout) }), ...(runId !== null && { runId }) }
}

const badHeader = (name: string, value: string, rule: string): Failure =>
  new Failure('INVALID_INPUT', `${name} ${describe(value)} ${rule}.`, { details: { field: name } })
