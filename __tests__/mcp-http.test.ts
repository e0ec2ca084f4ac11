/** `/mcp` of the HTTP application: who is let in, which session is spoken in, and what a bad request is answered. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, it, type TestContext } from 'node:test'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { z } from 'zod'
import { createHttpApp, startServer } from '../src/http/index.js'
import { action, createGate, defineSkill, type RunDocument } from '../src/index.js'
import { createMcpEndpoint } from '../src/mcp/index.js'
import { createMemoryStore } from '../src/stores/memory.js'

const TOKEN = 'correct-horse-battery'
const waiting = new EventTarget()
const probe = defineSkill({
  name: 'probe',
  version: '1.0.0',
  description: 'For tests.',
  layer: 'L1',
  system: 'Probe',
  actions: {
    wait: action({
      description: 'Wait to be stopped.',
      risk: 'read',
      input: z.strictObject({}),
      async run(_input, { signal }) {
        waiting.dispatchEvent(new Event('wait'))
        await once(signal, 'abort')
        throw signal.reason
      },
    }),
  },
})
const ALLOW = { overrides: [{ tool: 'probe.wait', allow: true }] }

async function serve(t: TestContext) {
  const gate = createGate({
    skills: [probe],
    store: createMemoryStore(),
    providerClient: { request: async () => ({}) },
  })
  const mcp = createMcpEndpoint({ gate })
  const corsOrigins = ['https://console.example']
  const app = createHttpApp({ gate, adminToken: TOKEN, corsOrigins, mounts: { '/mcp': mcp.fetch } })
  const server = await startServer({ app, port: 0, closeGraceMs: 100 })
  t.after(async () => {
    await Promise.all([server.close(), mcp.close()])
    await gate.close()
  })
  const url = `${server.url}/mcp`

  /** One POST, unless said otherwise; null leaves a header out. */
  async function send(body: unknown, headers: Record<string, string | null> = {}, method = 'POST') {
    const usual = {
      host: 'localhost',
      authorization: `Bearer ${TOKEN}`,
      accept: 'application/json, text/event-stream',
      'content-type': 'application/json',
    }
    const sent = Object.entries({ ...usual, ...headers }).filter(
      (entry): entry is [string, string] => entry[1] !== null,
    )
    const content = typeof body === 'string' ? body : JSON.stringify(body)
    const request = new Request('http://localhost/mcp', {
      method,
      headers: sent,
      ...(method === 'POST' && { body: content }),
    })
    const response = await app.fetch(request)
    return { status: response.status, headers: response.headers, text: await response.text() }
  }

  /** What a client of 2025 begins with; answers the headers that it sends from then on. */
  async function begin(headers: Record<string, string> = {}): Promise<Record<string, string>> {
    const { status, headers: answered, text } = await send(INITIALIZE, headers)
    assert.equal(status, 200, text)
    return {
      'mcp-session-id': answered.get('mcp-session-id') ?? '',
      'skillgate-session': answered.get('skillgate-session') ?? '',
    }
  }
  return { gate, server, url, send, begin }
}

const message = <P extends object>(method: string, params: P = {} as P) => ({ jsonrpc: '2.0', id: 1, method, params })
const INITIALIZE = message('initialize', {
  protocolVersion: '2025-11-25',
  capabilities: {},
  clientInfo: { name: 'test', version: '1' },
})
const MODERN = message('tools/list', {
  _meta: {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {},
  },
})
const MODERN_HEADERS = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/list' }

describe('/mcp refuses', () => {
  const cases: [name: string, body: unknown, headers: Record<string, string | null>, status: number, says: RegExp][] = [
    ['whoever has no token', INITIALIZE, { authorization: null }, 401, /UNAUTHORIZED/],
    ['whoever has a wrong token', INITIALIZE, { authorization: 'Bearer guess' }, 401, /UNAUTHORIZED/],
    ['a name that resolves to this machine', INITIALIZE, { host: 'evil.example' }, 403, /FORBIDDEN_HOST/],
    ['a page of another origin', INITIALIZE, { origin: 'https://evil.example' }, 403, /FORBIDDEN_HOST/],
    ['a page of another port', INITIALIZE, { origin: 'http://localhost:3000' }, 403, /FORBIDDEN_HOST/],
    ['a page of no origin', INITIALIZE, { origin: 'null' }, 403, /FORBIDDEN_HOST/],
    ['a session that is none', INITIALIZE, { 'skillgate-session': 'ses_guess' }, 404, /NOT_FOUND/],
    ["the registry's chain as a session", INITIALIZE, { 'skillgate-session': 'registry' }, 404, /NOT_FOUND/],
    ['a guessed client', message('tools/list'), { 'mcp-session-id': crypto.randomUUID() }, 404, /NOT_FOUND/],
    ['whoever did not begin with initialize', message('tools/list'), {}, 400, /Begin with initialize/],
    ['a request of 2026 without a session', MODERN, MODERN_HEADERS, 400, /Skillgate-Session is missing/],
    [
      'a request of 2026 in a session that is none',
      MODERN,
      { ...MODERN_HEADERS, 'skillgate-session': 'ses_x' },
      404,
      /NOT_FOUND/,
    ],
    ['what is not JSON', '{"jsonrpc":', {}, 400, /not JSON/],
    ['what is no JSON-RPC', '{"id":1}', {}, 400, /INVALID_INPUT/],
    ['a body of more than 1 MiB', ' '.repeat(1024 * 1024 + 1), {}, 413, /PAYLOAD_TOO_LARGE/],
    [
      'an unknown revision',
      {
        ...MODERN,
        params: { _meta: { ...MODERN.params._meta, 'io.modelcontextprotocol/protocolVersion': '1999-01-01' } },
      },
      { 'mcp-protocol-version': '1999-01-01', 'skillgate-session': 'ses_x' },
      404,
      /NOT_FOUND/,
    ],
  ]
  for (const [name, body, headers, status, says] of cases) {
    it(name, async (t) => {
      const { send, gate } = await serve(t)
      const answer = await send(body, headers)
      assert.deepEqual([answer.status, says.test(answer.text)], [status, true], answer.text)
      assert.equal(answer.headers.get('x-content-type-options') ?? answer.headers.get('content-type'), 'nosniff')
      assert.deepEqual((await gate.sessions()).sessions, [])
    })
  }

  const begun: [name: string, body: unknown, headers: Record<string, string | null>, status: number][] = [
    ['a batch of 10 000', Array.from({ length: 10_000 }, (_, id) => ({ ...message('tools/list'), id })), {}, 400],
    ['another session than its own', message('tools/list'), { 'skillgate-session': 'ses_other' }, 400],
    ['another content type', message('tools/list'), { 'content-type': 'text/plain' }, 415],
    ['who takes no streams', message('tools/list'), { accept: 'application/json' }, 406],
    ['a second initialize', INITIALIZE, {}, 400],
  ]
  for (const [name, body, headers, status] of begun) {
    it(`${name}, of a client that has begun`, async (t) => {
      const { send, begin, gate } = await serve(t)
      const own = await begin()
      const answer = await send(body, { ...own, ...headers })
      assert.equal(answer.status, status, answer.text)
      assert.equal((await gate.audit({ type: 'run.queued' })).events.length, 0)
    })
  }

  it('other methods', async (t) => {
    const { send, begin } = await serve(t)
    assert.equal((await send(undefined, await begin(), 'PUT')).status, 405)
    assert.equal((await send(undefined, {}, 'GET')).status, 400)
  })
})

describe('/mcp lets in', () => {
  for (const origin of ['http://localhost', 'https://console.example']) {
    it(`a page of ${origin}`, async (t) => {
      const { send } = await serve(t)
      assert.equal((await send(INITIALIZE, { origin })).status, 200)
    })
  }

  it('the preflight of an allowed page, with the headers that MCP needs', async (t) => {
    const { send } = await serve(t)
    const asked = { origin: 'https://console.example', 'access-control-request-method': 'DELETE', authorization: null }
    const { status, headers } = await send(undefined, asked, 'OPTIONS')
    assert.equal(status, 204)
    assert.match(headers.get('access-control-allow-methods') ?? '', /DELETE/)
    assert.match(headers.get('access-control-allow-headers') ?? '', /mcp-session-id.*skillgate-session/)
  })
})

describe('a session of /mcp', () => {
  const connect = async (
    t: TestContext,
    url: string,
    headers: Record<string, string>,
    client: Client,
  ): Promise<void> => {
    const requestInit = { headers: { authorization: `Bearer ${TOKEN}`, ...headers } }
    t.after(() => client.close())
    await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }))
  }

  for (const mode of ['legacy', 'auto'] as const) {
    it(`is created by initialize, and a policy it gets later is announced (${mode} client)`, async (t) => {
      const { url, gate } = await serve(t)
      const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } })
      const announced = new Promise((resolve) => {
        client.setNotificationHandler('notifications/tools/list_changed', resolve)
      })
      await connect(t, url, {}, client)
      const { sessions } = await gate.sessions()
      assert.equal(sessions.length, 1)
      assert.deepEqual((await client.listTools()).tools, [])
      await (await gate.session(sessions[0]?.id ?? '')).setPolicy(ALLOW)
      await announced
      assert.deepEqual(
        (await client.listTools()).tools.map(({ name }) => name),
        ['probe_wait'],
      )
    })
  }

  it('is chosen by the header; revision 2026-07-28 hears of its policy alone', async (t) => {
    const { url, gate } = await serve(t)
    const [session, other] = [await gate.createSession(), await gate.createSession()]
    let announced = 0
    const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode: { pin: '2026-07-28' } } })
    const first = new Promise<void>((resolve) => {
      client.setNotificationHandler('notifications/tools/list_changed', () => {
        announced++
        resolve()
      })
    })
    await connect(t, url, { 'skillgate-session': session.id }, client)
    const subscription = await client.listen({ toolsListChanged: true })
    await other.setPolicy(ALLOW)
    await session.setPolicy(ALLOW)
    await first
    assert.equal(announced, 1)
    await subscription.close()
    assert.equal((await gate.sessions()).sessions.length, 2)
  })

  const endings: [name: string, end: (parts: { abort(): void; remove(): Promise<unknown> }) => unknown][] = [
    ['dies', ({ abort }) => abort()],
    ['ends its connection', ({ remove }) => remove()],
  ]
  for (const [name, end] of endings) {
    it(`cancels the run of a client that ${name} in the middle of it`, async (t) => {
      const { url, gate, begin, send } = await serve(t)
      const session = await gate.createSession()
      await session.setPolicy(ALLOW)
      const own = await begin({ 'skillgate-session': session.id })
      const dying = new AbortController()
      const headers = {
        authorization: `Bearer ${TOKEN}`,
        accept: 'application/json, text/event-stream',
        'content-type': 'application/json',
        ...own,
      }
      const begun = once(waiting, 'wait')
      const body = JSON.stringify(message('tools/call', { name: 'probe_wait', arguments: {} }))
      const call = fetch(url, { method: 'POST', headers, body, signal: dying.signal }).then((response) =>
        response.text(),
      )
      const settled = call.catch(() => undefined)
      await begun
      await end({ abort: () => dying.abort(), remove: () => send(undefined, own, 'DELETE') })
      await settled
      const { events } = await gate.audit({ type: 'run.queued' })
      const run: RunDocument = await (await gate.run(events[0]?.run_id ?? '')).done()
      assert.equal(run.status, 'cancelled')
    })
  }

  it('answers 404 to a client that has ended its connection', async (t) => {
    const { begin, send } = await serve(t)
    const own = await begin()
    assert.equal((await send(undefined, own, 'DELETE')).status, 200)
    assert.equal((await send(message('tools/list'), own)).status, 404)
  })
})
