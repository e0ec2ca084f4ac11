/** A gateway on the loopback for tests, with a client that holds a key of it. */
import { createHash } from 'node:crypto'
import { L1_ROUTE_NAMES } from '../../core/l1-request.js'
import type { ProviderClient } from '../../core/provider.js'
import { startServer } from '../../http/index.js'
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
  routes: [...L1_ROUTE_NAMES],
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
