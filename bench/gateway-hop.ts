/** What a gateway on the loopback adds to a request, beside the same request to its provider within the process. */
import { createHash } from 'node:crypto'
import { createDockerProvider } from 'skillgate/docker'
import { createGatewayApp, createGatewayClient } from 'skillgate/gateway'
import { startServer } from 'skillgate/http'
import { createFakeEngine } from 'skillgate/testing'
import { measure, ms, printTable } from './measure.js'

const KEY = 'key-of-the-benchmark'

/** Prints the table; the engine is the fake, so that what differs is the hop. */
export async function benchGatewayHop(rounds = 1_000): Promise<void> {
  const engine = await createFakeEngine()
  const provider = createDockerProvider({ host: engine.host })
  const sha256 = createHash('sha256').update(KEY).digest('hex')
  const routes = ['GET /containers', 'GET /images'] as const
  const config = { keys: [{ name: 'bench', sha256, routes: [...routes], requests_per_minute: 1_000_000 }] }
  const server = await startServer({ app: createGatewayApp({ provider, config }), port: 0, replaceGlobals: true })
  const client = createGatewayClient({ url: server.url, credential: KEY })
  try {
    const contenders = [
      { name: 'the provider in the process', run: () => provider.request('GET', '/images?limit=25') },
      { name: 'the same behind a gateway', run: () => client.request('GET', '/images?limit=25') },
    ]
    const measured = await measure(contenders, { rounds, warmupMs: 2_000 })
    const base = measured[0]?.p50 ?? Number.NaN
    printTable(
      `A gateway hop on the loopback, p50 of ${rounds} rounds in random order, client and gateway in one process`,
      ['GET /images', 'p50', 'p95', 'the hop'],
      measured.map(({ name, p50, p95 }) => [name, ms(p50), ms(p95), p50 === base ? '' : ms(p50 - base)]),
    )
  } finally {
    await client.close()
    await server.close()
    await provider.close()
    await engine.close()
  }
}
