/** The MCP server of a session over a transport in memory: what it offers, and what becomes of every kind of call. */
import assert from 'node:assert/strict'
import { once, setMaxListeners } from 'node:events'
import { describe, it, type TestContext } from 'node:test'
import { type CallToolResult, Client, InMemoryTransport } from '@modelcontextprotocol/client'
import { z } from 'zod'
import { createGate } from '../../core/gate.js'
import type { ProviderClient } from '../../core/provider.js'
import type { Session } from '../../core/sessions.js'
import { action, defineSkill } from '../../core/skill.js'
import type { Store } from '../../core/store.js'
import { createMemoryStore } from '../../stores/memory.js'
import { createMcpServer } from '../server.js'

const plain = z.strictObject({})
const asks =
  (path: string) =>
  async (_input: unknown, { request }: { request(method: string, path: string): Promise<unknown> }) => ({
    text: 'asked',
    data: { answer: await request('POST', path) },
  })
const probe = defineSkill({
  name: 'probe-kit',
  version: '1.0.0',
  description: 'For tests.',
  layer: 'L1',
  system: 'Probe',
  actions: {
    look_up: action({ description: 'Look.', risk: 'read', input: plain, run: asks('/look') }),
    change: action({ description: 'Change.', risk: 'write', input: plain, run: asks('/change') }),
    destroy: action({ description: 'Destroy.', risk: 'destroy', input: plain, run: asks('/destroy') }),
    wait: action({ description: 'Wait to be stopped.', risk: 'read', input: plain, run: asks('/wait') }),
  },
})

const ALL = { overrides: [{ tool: 'probe-kit.*', allow: true }] }

interface Fixture {
  client: Client
  session: Session
  gate: ReturnType<typeof createGate>
  /** Paths that the provider was asked for. */
  asked: string[]
  /** Resolves when a call waits. */
  waiting(): Promise<unknown>
  logged: unknown[]
  call(name: string, params?: Record<string, unknown>): Promise<CallToolResult>
}

async function connect(
  t: TestContext,
  { policy = ALL, store = createMemoryStore(), client = new Client({ name: 'test', version: '1' }) } = {} as {
    policy?: unknown
    store?: Store
    client?: Client
  },
): Promise<Fixture> {
  const asked: string[] = []
  const arrivals = new EventTarget()
  const providerClient: ProviderClient = {
    async request(_method, path, _body, { signal, onProgress } = {}) {
      asked.push(path)
      onProgress?.({ stage: 'pull', image: 'x', status: 'Waiting' })
      onProgress?.({ stage: 'pull', image: 'x', status: 'Downloading', bytes_done: 5, bytes_total: 10 })
      if (path === '/change')
        throw Object.assign(new Error('no, token=ghp_0123456789abcdefghijklmnopqrstuvwxyz'), { status: 500 })
      if (path !== '/wait') return {}
      arrivals.dispatchEvent(new Event('wait'))
      await once(signal as AbortSignal, 'abort')
      throw signal?.reason
    },
  }
  const logged: unknown[] = []
  const log = (message: string, fields?: unknown): void => void logged.push([message, fields])
  const logger = { warn: log, error: log }
  const gate = createGate({ skills: [probe], store, providerClient })
  const session = await gate.createSession()
  await session.setPolicy(policy)
  const [near, far] = InMemoryTransport.createLinkedPair()
  await createMcpServer({ session, logger }).connect(far)
  await client.connect(near)
  t.after(() => gate.close())
  return {
    client,
    session,
    gate,
    asked,
    logged,
    waiting: () => once(arrivals, 'wait'),
    call: (name, params = {}) => client.callTool({ name, arguments: params }),
  }
}

const structured = ({ structuredContent }: CallToolResult) => structuredContent as Record<string, unknown>

describe('the tools offered [S34]', () => {
  const deny = (tool: string) => ({ tool, allow: false })
  const cases: [name: string, overrides: object[], names: string[]][] = [
    ['none under the empty policy', [], []],
    ['those that an override allows', [{ tool: 'probe-kit.change', allow: true }], ['probe-kit_change']],
    [
      'not those that a deny matches',
      [...ALL.overrides, deny('probe-kit.wait'), deny('probe-kit.change')],
      ['probe-kit_look_up', 'probe-kit_destroy'],
    ],
    ['none when a deny matches them all', [...ALL.overrides, deny('probe-kit.*')], []],
  ]
  for (const [name, overrides, names] of cases) {
    it(name, async (t) => {
      const { client } = await connect(t, { policy: { overrides } })
      const { tools } = await client.listTools()
      assert.deepEqual(
        tools.map((tool) => tool.name),
        names,
      )
    })
  }

  it('state all four hints from the risk, and schemas of both sides', async (t) => {
    const { client } = await connect(t)
    const { tools } = await client.listTools()
    const hints = (
      readOnlyHint: boolean,
      destructiveHint: boolean,
      idempotentHint: boolean,
      openWorldHint: boolean,
    ) => ({
      readOnlyHint,
      destructiveHint,
      idempotentHint,
      openWorldHint,
    })
    assert.deepEqual(Object.fromEntries(tools.map(({ name, annotations }) => [name, annotations])), {
      'probe-kit_look_up': hints(true, false, true, false),
      'probe-kit_wait': hints(true, false, true, false),
      'probe-kit_change': hints(false, false, false, true),
      'probe-kit_destroy': hints(false, true, false, true),
    })
    for (const { inputSchema, outputSchema } of tools) {
      assert.deepEqual(
        [inputSchema.type, inputSchema.additionalProperties, outputSchema?.type],
        ['object', false, 'object'],
      )
    }
  })

  it('are one page: a cursor is refused', async (t) => {
    const { client } = await connect(t)
    await assert.rejects(client.listTools({ cursor: '2' }), { code: -32602 })
  })

  it('are announced anew when the policy changed, once for each change, to who has listed them', async (t) => {
    let announced = 0
    const client = new Client({ name: 'test', version: '1' })
    const { session } = await connect(t, { client })
    client.setNotificationHandler('notifications/tools/list_changed', () => void announced++)
    await session.setPolicy({ overrides: [] })
    assert.deepEqual((await client.listTools()).tools, [])
    await session.setPolicy(ALL)
    await client.ping()
    assert.equal(announced, 1)
    assert.equal((await client.listTools()).tools.length, 4)
    await client.ping()
    assert.equal(announced, 1)
  })

  it('are announced with the next call when another process replaced the policy', async (t) => {
    const store = createMemoryStore()
    const client = new Client({ name: 'test', version: '1' })
    const { session, call } = await connect(t, { client, store })
    const announced = new Promise((resolve) =>
      client.setNotificationHandler('notifications/tools/list_changed', resolve),
    )
    await client.listTools()
    const other = createGate({ skills: [probe], store })
    await (await other.session(session.id)).setPolicy({ overrides: [] })
    assert.equal(structured(await call('probe-kit_look_up')).code, 'DENIED')
    await announced
  })
})

describe('a call', () => {
  it('is a run in the log like any other', async (t) => {
    const { call, gate, session } = await connect(t)
    const answer = await call('probe-kit_look_up')
    const { run_id, metadata } = structured(answer) as { run_id: string; metadata: { success: boolean } }
    assert.deepEqual([answer.isError, metadata.success], [undefined, true])
    const run = await (await gate.run(run_id)).read()
    assert.deepEqual([run.session_id, run.status, run.steps.length], [session.id, 'completed', 2])
    assert.equal((await session.messages()).messages[0]?.role, 'assistant')
  })

  const refused: [name: string, tool: string, params: Record<string, unknown>, code: string, isRun: boolean][] = [
    ['that the policy hides', 'probe-kit_destroy', {}, 'DENIED', true],
    ['of a tool that is none', 'probe-kit_fly', {}, 'UNKNOWN_TOOL', true],
    ['by the name of a policy', 'probe-kit.look_up', { x: 1 }, 'INVALID_INPUT', true],
    ['with params that its tool refuses', 'probe-kit_look_up', { bogus: 1 }, 'INVALID_INPUT', true],
    ['that fails', 'probe-kit_change', {}, 'UPSTREAM_ERROR', true],
    ['by no name', '', {}, 'INVALID_INPUT', false],
    ['by a name of 10 000 characters', 'x'.repeat(10_000), {}, 'INVALID_INPUT', false],
    [
      'with params for a constructor',
      'probe-kit_look_up',
      JSON.parse('{"constructor":{"a":1}}'),
      'INVALID_INPUT',
      false,
    ],
    [
      'with params of 40 levels',
      'probe-kit_look_up',
      JSON.parse(`${'{"a":'.repeat(40)}1${'}'.repeat(40)}`),
      'INVALID_INPUT',
      false,
    ],
  ]
  const policy = { overrides: [...ALL.overrides, { tool: 'probe-kit.destroy', allow: false }] }
  for (const [name, tool, params, code, isRun] of refused) {
    it(`${name} is answered ${code}${isRun ? ', and stands in the log' : ' and becomes no run'}`, async (t) => {
      const { call, gate } = await connect(t, { policy })
      const answer = await call(tool, params)
      const { reason, retriable, run_id } = structured(answer)
      assert.deepEqual(
        [answer.isError, structured(answer).code, typeof reason, typeof retriable],
        [true, code, 'string', 'boolean'],
      )
      assert.equal(run_id !== undefined, isRun)
      if (isRun) assert.equal((await (await gate.run(String(run_id))).read()).reason?.code, code)
      assert.doesNotMatch(JSON.stringify(answer), /ghp_0123/)
    })
  }

  it('on a store that fails is UNAVAILABLE, retriable, and tells nothing of the cause', async (t) => {
    const store = createMemoryStore()
    const { call } = await connect(t, { store })
    store.append = async () => {
      throw new Error('password=hunter2')
    }
    const answer = await call('probe-kit_look_up')
    assert.deepEqual([structured(answer).code, structured(answer).retriable], ['UNAVAILABLE', true])
    assert.doesNotMatch(JSON.stringify(answer), /hunter2/)
  })

  it('that is cancelled cancels its run', async (t) => {
    const { client, session, gate, waiting } = await connect(t)
    const cancel = new AbortController()
    const begun = waiting()
    const call = client.callTool({ name: 'probe-kit_wait', arguments: {} }, { signal: cancel.signal })
    await begun
    cancel.abort()
    await assert.rejects(call)
    await ended(gate, session)
  })

  it('whose client goes away cancels its run, also when another call has the same id', async (t) => {
    const { gate, session, waiting } = await connect(t)
    const [near, far] = InMemoryTransport.createLinkedPair()
    await createMcpServer({ session }).connect(far)
    await near.start()
    const begun = waiting()
    const message = {
      jsonrpc: '2.0' as const,
      id: 7,
      method: 'tools/call',
      params: { name: 'probe-kit_wait', arguments: {} },
    }
    await near.send(message)
    await near.send(message)
    await begun
    await near.close()
    await ended(gate, session, 2)
  })

  it('tells how far it is, and only to who asked', async (t) => {
    const { client } = await connect(t)
    const seen: unknown[] = []
    client.fallbackNotificationHandler = async (notification) => void seen.push(notification)
    const told: unknown[] = []
    const look = { name: 'probe-kit_look_up', arguments: {} }
    await client.callTool(look)
    await client.callTool(look, { onprogress: (progress) => void told.push(progress) })
    assert.deepEqual(seen, [])
    assert.deepEqual(told, [
      { progress: 1, message: 'pull x: Waiting' },
      { progress: 2, message: 'pull x: Downloading (5 of 10 bytes)' },
    ])
  })

  it('beyond 64 at once is refused, and the others go on', async (t) => {
    const { client, gate, session, call, asked, waiting } = await connect(t)
    const cancel = new AbortController()
    setMaxListeners(0, cancel.signal)
    const begun = waiting()
    const many = Array.from({ length: 10_000 }, () =>
      client.callTool({ name: 'probe-kit_wait', arguments: {} }, { signal: cancel.signal }).catch(() => undefined),
    )
    await begun
    const answer = await call('probe-kit_look_up')
    assert.deepEqual(
      [structured(answer).code, structured(answer).retriable, answer.isError],
      ['RATE_LIMITED', true, true],
    )
    cancel.abort()
    const answers = await Promise.all(many)
    const limited = answers.filter((each) => each !== undefined && structured(each).code === 'RATE_LIMITED')
    assert.equal(limited.length, 10_000 - 64)
    await ended(gate, session, 64)
    assert.deepEqual(asked, ['/wait'])
    assert.equal(structured(await call('probe-kit_look_up')).code, undefined)
  })
})

/** Waits until so many runs of the session were cancelled; nothing else may have become of one. */
async function ended(gate: ReturnType<typeof createGate>, session: Session, count = 1): Promise<void> {
  const { events } = await gate.audit({ session_id: session.id, type: 'run.queued' })
  assert.equal(events.length, count)
  for (const { run_id } of events) {
    const run = await gate.run(String(run_id))
    assert.equal((await run.done()).status, 'cancelled')
  }
}
