/** What a door costs: the same run through each way in, over the in-process call, with an engine that answers at once. */
import { Client, InMemoryTransport, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { createGate, type Session } from 'skillgate'
import { createHttpApp, startServer } from 'skillgate/http'
import { createMcpEndpoint, createMcpServer } from 'skillgate/mcp'
import { dockerApi } from 'skillgate/skills/docker-api'
import { createMemoryStore } from 'skillgate/stores/memory'
import { type Contender, measure, ms, printTable } from './measure.js'

/** One way in; `close` is called when all have been measured. */
export interface Door extends Contender {
  close(): Promise<unknown>
}

const TOOL = 'docker-api.get_container'
const PARAMS = { containerId: 'web-1' }
const TOKEN = 'token-of-the-bench'
const container = {
  id: 'c0ffee',
  name: 'web-1',
  image: 'shop:1.4',
  status: 'running',
  state: 'Up',
  created: '2026-01-01',
}

/** Answers a session with a gate of its own, so that no door's log grows by another's runs. */
async function openGate(): Promise<{ gate: ReturnType<typeof createGate>; session: Session }> {
  const providerClient = { request: async () => ({ container }) }
  const gate = createGate({ skills: [dockerApi], store: createMemoryStore(), providerClient })
  const session = await gate.createSession()
  await session.setPolicy({ overrides: [{ tool: TOOL, allow: true }] })
  return { gate, session }
}

async function inProcess(): Promise<Door> {
  const { gate, session } = await openGate()
  const intents = [{ tool: TOOL, params: PARAMS }]
  const run = async () => (await session.post({ role: 'assistant', content: '', intents })).done()
  return { name: 'in process: session.post', run, close: () => gate.close() }
}

const callOf = (client: Client) => async () => {
  const { isError } = await client.callTool({ name: TOOL.replace('.', '_'), arguments: PARAMS })
  if (isError) throw new Error('the call failed')
}

async function mcpInMemory(): Promise<Door> {
  const { gate, session } = await openGate()
  const client = new Client({ name: 'bench', version: '1' })
  const [near, far] = InMemoryTransport.createLinkedPair()
  await createMcpServer({ session }).connect(far)
  await client.connect(near)
  return { name: 'MCP, transport in memory', run: callOf(client), close: () => gate.close() }
}

async function mcpOverHttp(): Promise<Door> {
  const { gate, session } = await openGate()
  const mcp = createMcpEndpoint({ gate })
  const app = createHttpApp({ gate, adminToken: TOKEN, mounts: { '/mcp': mcp.fetch } })
  const server = await startServer({ app, port: 0, closeGraceMs: 100 })
  const headers = { authorization: `Bearer ${TOKEN}`, 'skillgate-session': session.id }
  const client = new Client({ name: 'bench', version: '1' })
  await client.connect(new StreamableHTTPClientTransport(new URL(`${server.url}/mcp`), { requestInit: { headers } }))
  const close = async () => {
    await client.close()
    await Promise.all([server.close(), mcp.close()])
    await gate.close()
  }
  return { name: 'MCP, Streamable HTTP on loopback', run: callOf(client), close }
}

export async function benchDoors(): Promise<void> {
  const doors = [await inProcess(), await mcpInMemory(), await mcpOverHttp()]
  const measured = await measure(doors, { rounds: 500, warmupMs: 1_000 })
  const base = measured[0]?.p50 ?? Number.NaN
  printTable(
    'One allowed call through each door',
    ['door', 'p50', 'p95', 'over the in-process call (p50)'],
    measured.map(({ name, p50, p95 }, index) => [name, ms(p50), ms(p95), index === 0 ? '-' : `+${ms(p50 - base)}`]),
  )
  for (const { close } of doors) await close()
}
