/** Talks to the client that the host injected: which one, how long, and what its rejections mean. */
import { race } from './deadline.js'
import { Failure, isFailure } from './failure.js'
import type { ProviderClient, RequestOptions } from './provider.js'
import { type Stop, withSignal } from './stop.js'
import type { Listeners, SkillContext } from './tool.js'

const DEFAULT_TIMEOUTS = { defaultMs: 15_000, maxMs: 30_000 }

/** The client to use: the provider when there is one, else the gateway; null when that one cannot `request`. */
export function getClient(
  context: SkillContext | null | undefined,
): { client: ProviderClient; type: 'provider' | 'gateway' } | null {
  const type = context?.providerClient == null ? 'gateway' : 'provider'
  const client = type === 'provider' ? context?.providerClient : context?.gatewayClient
  return typeof client?.request === 'function' ? { client, type } : null
}

/** The failure of a skill that was given no client. */
export function providerNotConfigured(skill: string, system: string): Failure {
  return new Failure(
    'PROVIDER_NOT_CONFIGURED',
    `Provider client required: ${skill} reaches ${system} only through a client that the host injects. Set context.providerClient (or context.gatewayClient) to an object with request(method, path, body, options).`,
  )
}

/** Milliseconds for a call: the host's `config.timeoutMs`, lowered to the maximum; anything but a positive number means the default. */
export function resolveTimeout(
  context?: Pick<SkillContext, 'config'> | null,
  { defaultMs, maxMs } = DEFAULT_TIMEOUTS,
): number {
  const wanted: unknown = context?.config?.timeoutMs
  return typeof wanted === 'number' && wanted > 0 ? Math.min(wanted, maxMs) : defaultMs
}

/** One request with a raced deadline of its own: TIMEOUT after `timeoutMs` even if the client ignores its signal. */
export function requestWithTimeout(
  client: ProviderClient,
  method: string,
  path: string,
  body: unknown,
  timeoutMs: number,
  system = 'Provider',
): Promise<unknown> {
  return race((stop) => ask(client, system, method, path, body, requestOptions(stop, timeoutMs)), { timeoutMs })
}

/** What accompanies a request; the AbortSignal is made when the client first reads it. */
export function requestOptions(
  stop: Stop,
  timeoutMs: number,
  { onOutput, onProgress, runId, recorded }: Listeners & Pick<SkillContext, 'runId' | 'recorded'> = {},
): RequestOptions {
  const options = withSignal({ timeoutMs }, stop)
  if (onOutput !== undefined) Object.assign(options, { onOutput })
  if (onProgress !== undefined) Object.assign(options, { onProgress })
  if (recorded !== undefined) Object.assign(options, { recorded })
  return runId === undefined ? options : Object.assign(options, { runId })
}

/** One request; a rejection becomes the Failure it stands for. */
export async function ask(
  client: ProviderClient,
  system: string,
  method: string,
  path: string,
  body: unknown,
  options: RequestOptions,
): Promise<unknown> {
  try {
    return await client.request(method, path, body, options)
  } catch (error) {
    throw fromProviderError(error, system)
  }
}

/** The failure that a provider's rejection stands for; its message is part of the answer, redacted later. */
function fromProviderError(error: unknown, system: string): Failure {
  if (isFailure(error)) return error
  const {
    name,
    message,
    status: ownStatus,
    statusCode,
  } = (typeof error === 'object' && error !== null ? error : { message: error }) as Record<string, unknown>
  if (name === 'AbortError' || name === 'TimeoutError') {
    return new Failure('TIMEOUT', `The request to ${system} was ended before it was answered.`, { cause: error })
  }
  const status = [ownStatus, statusCode].find(
    (value) => Number.isInteger(value) && Number(value) >= 100 && Number(value) <= 599,
  ) as number | undefined
  const said = typeof message === 'string' && message !== '' ? message : 'the provider failed without saying why'
  return new Failure('UPSTREAM_ERROR', `${system} API error: ${said}`, {
    retriable: isRetriableStatus(status),
    details: status === undefined ? undefined : { status },
    cause: error,
  })
}

/** Whether asking again can help, by the upstream's HTTP status; without one the connection failed, and it can. */
const isRetriableStatus = (status: number | undefined): boolean =>
  status === undefined || status === 408 || status === 429 || status >= 500
