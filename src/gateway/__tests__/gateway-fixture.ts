/** A gateway on the loopback for tests, with a client that holds a key of it, and a provider to put behind it. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { type Failure, isFailure } from '../../core/failure.js'
import type { ProviderClient } from '../../core/provider.js'
import { runSpec } from '../../docker/__tests__/run-fixture.js'
import { startServer } from '../../http/index.js'
import { GATEWAY_ROUTES } from '../config.js'
import {
  createGatewayApp,
  createGatewayClient,
  type GatewayAppOptions,
  type GatewayClient,
  type GatewayConfigInput,
  type GatewayRequest,
} from '../index.js'

export const KEY = 'key-of-the-suite-2f9b1c'

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

type Key = GatewayConfigInput['keys'][number]

/** A key that may do everything but what a test takes from it. */
export const openKey = (over: Partial<Key> = {}): Key => ({
  name: 'suite',
  sha256: sha256(KEY),
  routes: [...GATEWAY_ROUTES],
  requests_per_minute: 100_000,
  runs: { images: ['*'], network: 'open', mount_roots: ['/srv'] },
  ...over,
})

export interface RunningGateway {
  client: GatewayClient
  url: string
  /** What the gateway told of each request. */
  log: GatewayRequest[]
  close(): Promise<void>
}

export async function openGateway(
  provider: ProviderClient,
  key: Key = openKey(),
  options: Omit<Partial<GatewayAppOptions>, 'provider' | 'config'> = {},
): Promise<RunningGateway> {
  const log: GatewayRequest[] = []
  const app = createGatewayApp({ provider, config: { keys: [key] }, onRequest: (entry) => log.push(entry), ...options })
  const server = await startServer({ app, port: 0 })
  const client = createGatewayClient({ url: server.url, credential: async () => KEY, timeoutMs: 60_000 })
  const close = async () => {
    await client.close()
    await server.close()
  }
  return { client, url: server.url, log, close }
}

const IMAGE = `busybox@sha256:${'a'.repeat(64)}`
export const CONTAINERS = [
  { id: `1${'a'.repeat(63)}`, name: 'web-1', image: 'shop:1', status: 'running' },
  { id: `2${'b'.repeat(63)}`, name: 'db', image: 'postgres:15', status: 'running' },
]

/** A provider of two containers that notes what it was asked. */
export function fleet(): { provider: ProviderClient; asked: string[] } {
  const asked: string[] = []
  const provider: ProviderClient = {
    async request(method, path) {
      asked.push(`${method} ${path}`)
      const [route = '', search = ''] = path.split('?')
      if (route === '/containers') {
        return { containers: CONTAINERS.slice(0, Number(new URLSearchParams(search).get('limit'))) }
      }
      if (route === '/containers/run') return { run: { stdout: 'ran' } }
      const wanted = route.split('/')[2]
      const container = CONTAINERS.find(({ id, name }) => [id, name].includes(wanted ?? ''))
      if (container === undefined) throw Object.assign(new Error('No such container'), { status: 404 })
      return route.split('/').length === 3 ? { container } : { changed: true, logs: 'lines' }
    },
  }
  return { provider, asked }
}

export const spec = (over: Record<string, unknown> = {}) => runSpec(IMAGE, [], { timeout_ms: 1_000, pids: 16, ...over })

export const failureOf = (promise: Promise<unknown>): Promise<Failure> =>
  promise.then(
    () => assert.fail('it resolved'),
    (error) => {
      assert.ok(isFailure(error), String(error))
      return error
    },
  )
