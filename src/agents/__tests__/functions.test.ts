/** Functions for any chat API: names that lead back, and answers a model can act on, whatever it calls. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { z } from 'zod'
import { createFixture, openSession } from '../../core/__tests__/fixture.js'
import { Failure } from '../../core/failure.js'
import { action, defineSkill } from '../../core/skill.js'
import { createMemoryStore } from '../../stores/memory.js'
import { toFunctions } from '../functions.js'
import { CANCELLED, openAgentSession, runsOf } from './fixture.js'

const skillNamed = (name: string, toolPrefix: string, actions: string[]) => {
  const input = z.strictObject({})
  const only = action({ description: 'Does nothing.', risk: 'read', input, run: async () => ({ text: '', data: {} }) })
  const named = Object.fromEntries(actions.map((each) => [each, only]))
  return defineSkill({ name, toolPrefix, version: '1', description: '', layer: 'L1', system: '', actions: named })
}

async function functionsOf(...skills: ReturnType<typeof skillNamed>[]) {
  const { gate } = createFixture({ skills })
  const session = await gate.createSession()
  const overrides = gate.tools().map(({ name }) => ({ tool: name, allow: true }))
  await session.setPolicy({ overrides })
  return toFunctions(session)
}

describe('the functions of a session', () => {
  it('are the tools that its policy could allow, under names that chat APIs accept', async () => {
    const { session } = await openAgentSession()
    const { definitions } = await toFunctions(session)
    assert.deepEqual(
      definitions.map(({ name, description }) => [name, description]),
      [
        ['demo_echo', 'Send a text.'],
        ['demo_ping', 'Ask whether it is there.'],
      ],
    )
    assert.deepEqual(definitions[0]?.parameters, (await session.tools())[0]?.input)
  })

  it('are copies, which an SDK may change', async () => {
    const { gate, session } = await openAgentSession()
    const before = structuredClone(gate.tools())
    const { definitions } = await toFunctions(session)
    for (const { parameters } of definitions) parameters.properties = 'changed'
    assert.deepEqual(gate.tools(), before)
  })

  it('keep what names may hold, and replace the rest', async () => {
    const { definitions } = await functionsOf(skillNamed('a', 'docker-api', ['list_containers', 'größe']))
    assert.deepEqual(
      definitions.map(({ name }) => name),
      ['docker-api_list_containers', 'docker-api_gr__e'],
    )
  })

  it('that would share a name are refused, with both tools named', async () => {
    await assert.rejects(functionsOf(skillNamed('a', 'docker', ['run_it']), skillNamed('b', 'docker_run', ['it'])), {
      code: 'INVALID_INPUT',
      message: /docker_run\.it and docker\.run_it would both be called docker_run_it\. Give the skill b another/,
    })
  })

  it('whose names are longer than 64 characters are refused', async () => {
    await functionsOf(skillNamed('a', 'x'.repeat(60), ['run']))
    await assert.rejects(functionsOf(skillNamed('a', 'x'.repeat(61), ['run'])), {
      code: 'INVALID_INPUT',
      message: /has 65 characters; models take 64/,
    })
  })
})

describe('a call', () => {
  const ANSWERS: [what: string, name: string, args: unknown, ok: boolean, text: RegExp][] = [
    ['an object', 'demo_echo', { text: 'hi' }, true, /^sent hi$/],
    ['the JSON of an object', 'demo_echo', '{"text":"hi"}', true, /^sent hi$/],
    ['nothing', 'demo_echo', '', true, /^sent $/],
    ['null', 'demo_echo', null, true, /^sent $/],
    ['an unknown field', 'demo_echo', { txt: 'hi' }, false, /"code":"INVALID_INPUT","reason":".*txt.*"run_id":"run_1"/],
    [
      'what is no JSON',
      'demo_echo',
      '{"text":',
      false,
      /^\{"code":"INVALID_INPUT","reason":"The arguments are not JSON/,
    ],
    [
      'what is no object',
      'demo_echo',
      '[1]',
      false,
      /^\{"code":"INVALID_INPUT","reason":".*params.*"retriable":false\}$/,
    ],
    ['a tool that is not offered', 'demo_wipe', {}, false, /"code":"UNKNOWN_TOOL".*"run_id":"run_1"/],
    ['the name of a denied tool', 'demo.wipe', {}, false, /"code":"DENIED".*"run_id":"run_1"/],
    ['no name', '', {}, false, /^\{"code":"INVALID_INPUT"/],
  ]
  for (const [what, name, args, ok, text] of ANSWERS) {
    it(`with ${what} is answered with ${ok ? "the tool's text" : 'the code and the reason'}`, async () => {
      const { session } = await openAgentSession()
      const answer = await (await toFunctions(session)).call(name, args)
      assert.equal(answer.ok, ok, answer.text)
      assert.match(answer.text, text)
      assert.equal(answer.runId === undefined, !ok && !answer.text.includes('run_id'))
    })
  }

  it('is judged under the policy of now, not of when its name was offered [S1]', async () => {
    const { session } = await openAgentSession()
    const { call } = await toFunctions(session)
    await session.setPolicy({ overrides: [] })
    const { ok, text } = await call('demo_echo', { text: 'hi' })
    assert.deepEqual([ok, JSON.parse(text).code], [false, 'DENIED'])
  })

  it('that a tool fails is answered with what it had to show, once', async () => {
    const partial = { text: 'line one\nline two' }
    const { gate } = createFixture({
      reply: () => {
        throw new Failure('TIMEOUT', 'Too slow.', { partial, details: { timeout_ms: 7 } })
      },
    })
    const { text } = await (await toFunctions(await openSession(gate))).call('demo_echo', { text: 'hi' })
    assert.equal(
      text,
      '{"code":"TIMEOUT","reason":"Too slow.","retriable":true,"run_id":"run_1","details":{"timeout_ms":7}}\n\nline one\nline two',
    )
  })

  it("is a run of the session with the model's id of it", async () => {
    const { gate, session } = await openAgentSession()
    await (await toFunctions(session)).call('demo_echo', { text: 'hi' }, { callId: 'call_7' })
    assert.deepEqual(await runsOf(gate), [
      { role: 'assistant', tool_call_id: 'call_7', tool: 'demo.echo', status: 'completed' },
    ])
  })

  it('is cancelled by its signal, and answered when it has ended', async () => {
    const { gate, session, asked } = await openAgentSession()
    const controller = new AbortController()
    const answer = (await toFunctions(session)).call('demo_ping', {}, { signal: controller.signal })
    await asked
    controller.abort()
    assert.match((await answer).text, CANCELLED)
    assert.deepEqual(await runsOf(gate), [{ role: 'assistant', tool: 'demo.ping', status: 'cancelled' }])
  })

  it('whose signal is aborted already makes no run', async () => {
    const { gate, session } = await openAgentSession()
    const { call } = await toFunctions(session)
    assert.match((await call('demo_ping', {}, { signal: AbortSignal.abort() })).text, /^\{"code":"ABORTED"/)
    assert.deepEqual(await runsOf(gate), [])
  })

  it('[S11] that is refused repeats no secret of the host', async () => {
    const { gate } = createFixture({ secrets: ['tulip-river-42'] })
    const { call } = await toFunctions(await openSession(gate))
    const { ok, text } = await call('demo_echo', JSON.stringify('my tulip-river-42 here'))
    assert.equal(ok, false)
    assert.match(text, /INVALID_INPUT.*my \S+ here/)
    assert.doesNotMatch(text, /tulip-river/)
  })

  it('is answered also when the log cannot be written', async () => {
    const store = createMemoryStore()
    const { gate } = createFixture({ store })
    const { call } = await toFunctions(await openSession(gate))
    store.append = () => Promise.reject(new Error('disk full'))
    const { ok, text, runId } = await call('demo_echo', {})
    const { code, retriable } = JSON.parse(text)
    assert.deepEqual([ok, code, retriable, runId], [false, 'UNAVAILABLE', true, undefined])
  })
})
