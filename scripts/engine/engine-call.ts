/** One HTTP request to a container engine, on a unix socket or TCP. It knows nothing of the library it helps to test. */
import { request } from 'node:http'

export interface EngineAnswer {
  status: number
  headers: NodeJS.Dict<string | string[]>
  text: string
}

export interface EngineCallOptions {
  body?: Uint8Array
  headers?: Record<string, string>
  timeoutMs?: number
}

/** The answer to `method path` of the engine at `host` (`unix:///path`, `tcp://…` or `http://…`). */
export function callEngine(
  host: string,
  method: string,
  path: string,
  { body, headers = {}, timeoutMs = 60_000 }: EngineCallOptions = {},
): Promise<EngineAnswer> {
  const target = host.startsWith('unix://')
    ? { socketPath: host.slice('unix://'.length) }
    : (({ hostname, port }) => ({ hostname, port: port || '2375' }))(new URL(host.replace(/^tcp:/, 'http:')))
  return new Promise((resolve, reject) => {
    // No connection is kept: between two calls there may be seconds, after which an engine closes it.
    const outgoing = request(
      {
        ...target,
        agent: false,
        method,
        path,
        headers: { host: 'engine', ...headers },
        signal: AbortSignal.timeout(timeoutMs),
      },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: Buffer.concat(chunks).toString('utf8'),
          }),
        )
      },
    )
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

/** Like `callEngine`, but anything else than success, also an error inside a progress stream, is thrown. */
export async function askEngine(
  host: string,
  method: string,
  path: string,
  options: EngineCallOptions = {},
): Promise<string> {
  const { status, text } = await callEngine(host, method, path, options)
  const streamed = text.split('\n').find((line) => line.includes('"error":'))
  if (status < 200 || status > 299 || streamed) {
    throw new Error(`${method} ${path}: the engine answered ${status}: ${(streamed ?? text).slice(0, 500)}`)
  }
  return text
}

export type FoundEngine =
  | { found: true; host: string; version: string }
  | { found: false; host: string; reason: string }

/** Whether an engine answers at DOCKER_HOST, or else at the default socket. */
export async function findEngine(env: NodeJS.ProcessEnv = process.env): Promise<FoundEngine> {
  const host = env.DOCKER_HOST || 'unix:///var/run/docker.sock'
  if (!/^(unix|tcp|http):\/\//.test(host)) {
    return { found: false, host, reason: `DOCKER_HOST=${host}: only unix://, tcp:// and http:// are understood here` }
  }
  try {
    const version: { Version?: string } = JSON.parse(await askEngine(host, 'GET', '/version', { timeoutMs: 3_000 }))
    return { found: true, host, version: version.Version ?? 'unknown' }
  } catch (error) {
    return { found: false, host, reason: `no engine answers at ${host}: ${(error as Error).message}` }
  }
}
