/** What `execute` and a whole run through the gate cost when the client answers at once. */

import { createGate } from 'skillgate'
import { dockerApi } from 'skillgate/skills/docker-api'
import { createMemoryStore } from 'skillgate/stores/memory'
import { printTable } from './measure.js'

const container = {
  id: 'c0ffee',
  name: 'web-1',
  image: 'shop:1.4',
  status: 'running',
  state: 'Up 2 hours',
  created: '2026-01-01T00:00:00Z',
}

async function microseconds(calls: number, run: () => Promise<unknown>): Promise<number> {
  for (let call = 0; call < calls / 4; call++) await run()
  const started = performance.now()
  for (let call = 0; call < calls; call++) await run()
  return ((performance.now() - started) / calls) * 1_000
}

export async function benchOverhead(): Promise<void> {
  const list = { containers: Array.from({ length: 25 }, (_, index) => ({ ...container, name: `web-${index}` })) }
  const one = { container }
  const client = (answer: unknown) => ({ request: async () => answer })
  const gate = createGate({ skills: [dockerApi], store: createMemoryStore(), providerClient: client(one) })
  const session = await gate.createSession()
  await session.setPolicy({ overrides: [{ tool: 'docker-api.get_container', allow: true }] })
  const post = (tool: string) => async () =>
    (await session.post({ role: 'user', content: '', intents: [{ tool, params: { containerId: 'web-1' } }] })).done()

  const rows: [string, number][] = [
    ['the client alone', await microseconds(100_000, client(one).request)],
    [
      'execute get_container',
      await microseconds(20_000, () =>
        dockerApi.execute({ action: 'get_container', containerId: 'web-1' }, { providerClient: client(one) }),
      ),
    ],
    [
      'execute list_containers, 25 rows',
      await microseconds(5_000, () =>
        dockerApi.execute({ action: 'list_containers' }, { providerClient: client(list) }),
      ),
    ],
    [
      'a refused input',
      await microseconds(20_000, () =>
        dockerApi.execute({ action: 'get_container', containerId: '../etc' }, { providerClient: client(one) }),
      ),
    ],
    ['gate: message, denied run', await microseconds(5_000, post('docker-api.list_images'))],
    ['gate: message, allowed run', await microseconds(5_000, post('docker-api.get_container'))],
  ]
  printTable(
    'Overhead with an instant client',
    ['call', 'µs per call'],
    rows.map(([name, value]) => [name, value.toFixed(1)]),
  )
  await gate.close()
}
