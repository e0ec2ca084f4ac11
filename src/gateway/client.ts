/** The client of a gateway: L1 requests over HTTP, with a credential that no text shows. */
import { type Dispatcher, Pool } from 'undici'
import { race } from '../core/deadline.js'
import { Failure, isFailure } from '../core/failure.js'
import { type L1Request, parseL1Request } from '../core/l1-request.js'
import type { ProviderClient, RequestOptions } from '../core/provider.js'
import { PULL_TIMEOUT_MS, parseCollectRequest, parseRunSpec, type RunSpec } from '../core/run-spec.js'
import { type Stop, stopSignalOf } from '../core/stop.js'
import { readAnswer } from './answer.js'
import { connectionFailure, isConnectionError } from './connection.js'
import { type Credential, createCredential } from './credential.js'
import { type GatewayTls, parseGatewayUrl } from './gateway-url.js'
import { malformed, refusalOf, toldFailure } from './refusal.js'
import { JSON_TYPE, LINES_TYPE, MAX_TIMEOUT_MS, RUN_ID_HEADER, TIMEOUT_HEADER } from './wire.js'

export interface GatewayClientOptions {
  /** `https://host:port`, with a path where the gateway has one; `http://` for this machine only. */
  url: string
  /** Sent as a bearer token: a text, or a function that is asked for it at each request. */
  credential: Credential
  tls?: GatewayTls | undefined
  /** Milliseconds for a request that brings no `timeoutMs` of its own. Default 30 000, and for a run what it may take. */
  timeoutMs?: number
}

export interface GatewayClient extends ProviderClient, AsyncDisposable {
  /** Cuts what is under way, whose containers the gateway then ends, and closes every connection. */
  close(): Promise<void>
}

/** What the gateway gets beyond the request's own time to say that it was not enough. */
const GRACE_MS = 1_000
const ENDING_MS = 10_000

/**
 * A client for `skillgate gateway`, or for whatever else serves the L1 routes over HTTP: a provider for skills on a machine
 * that has no engine. Requests that read are sent once more when their connection fails, others never.
 *
 * `request` throws a Failure: what the gateway says (UNAUTHORIZED, DENIED, NOT_FOUND, CONFLICT, RATE_LIMITED, and the
 * codes of the provider behind it) with `details.status`, UPSTREAM_ERROR for what is no answer of a gateway, TIMEOUT and
 * ABORTED. Throws INVALID_INPUT at once for a URL or a credential that cannot be one.
 *
 * @example
 * ```ts
 * import { createGatewayClient } from 'skillgate/gateway'
 *
 * const client = createGatewayClient({ url: 'https://gateway.example:8091', credential: async () => 'from-your-vault' })
 * try {
 *   console.log(await client.request('GET', '/containers?all=false&limit=10'))
 * } finally {
 *   await client.close()
 * }
 * ```
 */
export function createGatewayClient({
  url,
  credential,
  tls,
  timeoutMs: defaultTimeoutMs = 30_000,
}: GatewayClientOptions): GatewayClient {
  const { address, origin, prefix } = parseGatewayUrl(url, tls)
  const { bearer, redactor } = createCredential(credential)
  // Deadlines are the caller's: undici's own would cut off a program that runs longer than five minutes.
  const pool = new Pool(origin, { connect: { ...tls }, headersTimeout: 0, bodyTimeout: 0 })
  let closed: Promise<void> | undefined

  async function send(call: Call, stop: Stop): Promise<unknown> {
    const headers = { ...call.headers, authorization: await bearer() }
    stop.signal.throwIfAborted()
    const { method, path, body } = call
    const response = await pool.request({ method, path, headers, body: body ?? null, signal: stop.abortSignal() })
    const { statusCode: status, headers: answered } = response
    const type = String(answered['content-type'] ?? '')
    const ending = await readAnswer({ status, type, body: response.body }, address, call.options)
    if ('answer' in ending) return ending.answer
    if (status !== 200) throw refusalOf(status, ending.error, address, redactor())
    throw toldFailure(ending.error, redactor()) ?? malformed(address, 'its error has no form that is known')
  }

  /** Sends, and once more when nothing can have been done. */
  async function perform(call: Call, stop: Stop): Promise<unknown> {
    try {
      return await send(call, stop)
    } catch (error) {
      stop.signal.throwIfAborted()
      if (call.method !== 'GET' || !isConnectionError(error)) throw error
      return send(call, stop)
    }
  }

  async function request(method: string, path: string, given?: unknown, options: RequestOptions = {}) {
    if (closed !== undefined) {
      throw new Failure('UNAVAILABLE', 'The gateway client is closed. Create another.', { retriable: false })
    }
    const l1 = parseL1Request(method, path)
    const { body, spec } = bodyOf(l1, given)
    const wantedMs = positive(options.timeoutMs) ?? (spec ? runTime(spec) : defaultTimeoutMs + stopTime(l1))
    const timeoutMs = Math.min(wantedMs, MAX_TIMEOUT_MS)
    const call: Call = {
      method: method as Call['method'],
      path: `${prefix}${path}`,
      headers: headersOf(options, timeoutMs, spec),
      body: body && JSON.stringify(body),
      options,
    }
    try {
      const signal = stopSignalOf(options) ?? options.signal
      return await race((stop) => perform(call, stop), { timeoutMs: timeoutMs + GRACE_MS, signal })
    } catch (error) {
      if (!isFailure(error)) throw connectionFailure(error, address, l1.route)
      const stopped = error.code === 'TIMEOUT' || error.code === 'ABORTED'
      if (method === 'GET' || !stopped || error.details?.in_progress !== undefined) throw error
      throw new Failure(error.code, error.message, { ...error, details: { ...error.details, in_progress: true } })
    }
  }

  function close(): Promise<void> {
    closed ??= pool.destroy(new Failure('ABORTED', 'The gateway client was closed.'))
    return closed
  }

  return { request, close, [Symbol.asyncDispose]: close }
}

interface Call {
  method: Extract<Dispatcher.HttpMethod, 'GET' | 'POST'>
  path: string
  headers: Record<string, string>
  body: string | undefined
  options: RequestOptions
}

/** What is sent, parsed so that nothing else is; and the spec in it. */
function bodyOf({ route }: L1Request, given: unknown): { body?: object; spec?: RunSpec } {
  if (route === 'POST /containers/run') {
    const spec = parseRunSpec(given)
    return { body: spec, spec }
  }
  if (route !== 'POST /containers/run/collect') return {}
  const body = parseCollectRequest(given)
  return { body, spec: body.spec }
}

function headersOf(
  { onOutput, onProgress, runId }: RequestOptions,
  timeoutMs: number,
  spec: RunSpec | undefined,
): Record<string, string> {
  const live = spec !== undefined && (onOutput !== undefined || onProgress !== undefined)
  return {
    accept: live ? `${LINES_TYPE}, ${JSON_TYPE}` : JSON_TYPE,
    [TIMEOUT_HEADER]: String(Math.ceil(timeoutMs)),
    ...(runId !== undefined && { [RUN_ID_HEADER]: runId }),
    ...(spec && { 'content-type': JSON_TYPE }),
  }
}

const stopTime = ({ route, query }: L1Request): number =>
  route === 'POST /containers/{id}/stop' ? query.timeout * 1_000 : 0

const runTime = ({ timeout_ms, pull, pull_timeout_ms = PULL_TIMEOUT_MS }: RunSpec): number =>
  timeout_ms + ENDING_MS + (pull === 'if-missing' ? pull_timeout_ms : 0)

const positive = (value: unknown): number | undefined =>
  typeof value === 'number' && value > 0 && Number.isFinite(value) ? value : undefined
