/** Sessions and messages: what is kept, what is refused with its field named, and that refusals make no run. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { MessageInput, SessionInput } from '../session.js'
import { createFixture, message, openSession } from './fixture.js'

const pairs = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, 'v']))

describe('sessions', () => {
  it('keep their label and metadata, begin without a policy, and are listed newest first', async () => {
    const { gate } = createFixture()
    const first = await gate.createSession()
    const second = await gate.createSession({ label: 'x'.repeat(200), metadata: pairs(32) })
    const document = await second.read()
    assert.deepEqual(document, {
      id: 'ses_2',
      created_at: document.created_at,
      label: 'x'.repeat(200),
      status: 'active',
      metadata: pairs(32),
    })
    assert.match(document.created_at, /^2026-01-01T00:00:\d\d\.000Z$/)
    assert.deepEqual(await first.policy(), { default: 'deny', overrides: [], version: 0 })
    assert.deepEqual((await gate.sessions()).sessions, [document, await first.read()])
    assert.deepEqual(await (await gate.session('ses_2')).read(), document)
  })

  const REFUSED: [input: unknown, field: string][] = [
    ...[7, 'x', []].map((input): [unknown, string] => [input, 'session']),
    [{ label: 7 }, 'label'],
    [{ label: 'x'.repeat(201) }, 'label'],
    [{ metadata: pairs(33) }, 'metadata'],
    [{ metadata: { a: 7 } }, 'metadata.a'],
    [{ metadata: { a: 'x'.repeat(1025) } }, 'metadata.a'],
    [{ metadata: [] }, 'metadata'],
    [{ id: 'ses_9' }, 'id'],
    [JSON.parse('{"metadata": {"__proto__": "x"}}'), 'session.metadata'],
  ]
  for (const [input, field] of REFUSED) {
    it(`${JSON.stringify(input).slice(0, 50)} is refused for its ${field}`, async () => {
      const { gate, store } = createFixture()
      await assert.rejects(gate.createSession(input as SessionInput), { code: 'INVALID_INPUT', details: { field } })
      assert.deepEqual(await store.query({ limit: 1 }), [])
    })
  }

  it('replaced policies count their versions, and the last one is in force after a restart', async () => {
    const { gate, store } = createFixture()
    const session = await gate.createSession()
    for (const version of [1, 2, 3]) assert.equal((await session.setPolicy({ overrides: [] })).version, version)
    const override = { tool: 'demo.echo', allow: true, constraints: { texts: ['a'] } }
    const set = await session.setPolicy({ overrides: [override] })
    assert.deepEqual(set, { default: 'deny', overrides: [override], version: 4 })
    const restarted = createFixture({ store })
    assert.deepEqual(await (await restarted.gate.session(session.id)).policy(), set)
  })

  it('the tools offered are those that the policy in force could allow', async () => {
    const { gate } = createFixture()
    const session = await gate.createSession()
    const names = async () => (await session.tools()).map(({ name }) => name)
    assert.deepEqual(await names(), [])
    await session.setPolicy({
      overrides: [
        { tool: 'demo.*', allow: true },
        { tool: 'demo.wipe', allow: false },
      ],
    })
    assert.deepEqual(await names(), ['demo.echo', 'demo.ping', 'demo.broken'])
    const [echo] = await session.tools()
    assert.deepEqual(echo, gate.tools()[0])
  })

  it('a stored policy whose tools are gone denies everything until it is replaced [S1]', async () => {
    const { gate, store } = createFixture()
    const { id } = await openSession(gate)
    const warnings: string[] = []
    const logger = { warn: (text: string) => warnings.push(text), error: () => {} }
    const bare = createFixture({ store, skills: [], logger, newId: (kind) => `${kind}_${Math.random()}` })
    const session = await bare.gate.session(id)
    assert.deepEqual(await session.policy(), { default: 'deny', overrides: [], version: 1 })
    assert.equal(warnings.length, 1)
    assert.equal((await session.setPolicy({ overrides: [] })).version, 2)
  })
})

describe('messages', () => {
  it('come back as they were sent, oldest first, with their runs', async () => {
    const { gate } = createFixture()
    const session = await openSession(gate)
    const texts = ['', 'é\u{1f600}', 'x'.repeat(64 * 1024)]
    for (const content of texts) await session.post({ role: 'user', content, metadata: { a: 'b' } })
    await (await session.post(message({ tool: 'demo.ping' }))).done()
    const { messages } = await session.messages()
    assert.deepEqual(
      messages.map(({ content }) => content),
      [...texts, 'go'],
    )
    assert.deepEqual(
      messages.map(({ run_id }) => run_id),
      ['run_1', 'run_2', 'run_3', 'run_4'],
    )
    assert.deepEqual(messages[0], {
      id: 'msg_1',
      role: 'user',
      content: '',
      timestamp: messages[0]?.timestamp,
      metadata: { a: 'b' },
      run_id: 'run_1',
    })
    assert.equal('metadata' in (messages[3] ?? {}), false)
  })

  const intent = { tool: 'demo.ping', params: {} }
  const of = (fields: Record<string, unknown>) => ({ role: 'user', content: 'x', ...fields })
  const MALFORMED: [input: unknown, field: string][] = [
    ...[undefined, null, 7, 'hello', []].map((input): [unknown, string] => [input, 'message']),
    [{ content: 'x' }, 'role'],
    ...['admin', '', 7, ['user']].map((role): [unknown, string] => [of({ role }), 'role']),
    [{ role: 'user' }, 'content'],
    ...[7, null, {}, 'x'.repeat(64 * 1024 + 1), 'é'.repeat(32 * 1024 + 1)].map((content): [unknown, string] => [
      of({ content }),
      'content',
    ]),
    ...[7, 'demo.ping', intent, { 0: intent, length: 1 }].map((intents): [unknown, string] => [
      of({ intents }),
      'intents',
    ]),
    [of({ intents: Array(17).fill(intent) }), 'intents'],
    ...[null, 7, 'demo.ping', []].map((one): [unknown, string] => [of({ intents: [intent, one] }), 'intents[1]']),
    [of({ intents: [{ params: {} }] }), 'intents[0].tool'],
    ...['', 7, null, ['demo.ping'], 'x'.repeat(201)].map((tool): [unknown, string] => [
      of({ intents: [{ tool }] }),
      'intents[0].tool',
    ]),
    ...[7, 'x', [], null].map((params): [unknown, string] => [
      of({ intents: [{ tool: 'demo.ping', params }] }),
      'intents[0].params',
    ]),
    [of({ intents: [{ ...intent, approve: true }] }), 'intents[0].approve'],
    [of({ run_id: 'run_9' }), 'run_id'],
    [of({ metadata: { a: 7 } }), 'metadata.a'],
    [of({ intents: [{ tool: 'demo.ping', params: JSON.parse('{"__proto__": 1}') }] }), 'message.intents[0].params'],
    [of({ intents: [{ tool: 'demo.ping', params: { big: 1n } }] }), 'message.intents[0].params.big'],
  ]
  for (const [input, field] of MALFORMED) {
    it(`${(JSON.stringify(input, (_, value) => (typeof value === 'bigint' ? 'bigint' : value)) ?? 'nothing').slice(0, 70)} is refused for its ${field} and makes no run`, async () => {
      const { gate, store, client } = createFixture()
      const session = await openSession(gate)
      const logged = (await store.query({ limit: 100 })).length
      await assert.rejects(session.post(input as MessageInput), { code: 'INVALID_INPUT', details: { field } })
      assert.equal((await store.query({ limit: 100 })).length, logged)
      assert.equal(client.asks.length, 0)
    })
  }
})
