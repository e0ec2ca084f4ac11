/** The broker executes what it judged to be allowed, exactly as it was judged, and only once. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createRedactor } from '../../redaction/index.js'
import { type Broker, type BrokerOptions, type Call, createBroker, type Intent } from '../broker.js'
import { canonical, type DataObject, parseObject, sha256 } from '../data.js'
import { EMPTY_POLICY, parsePolicy } from '../policy.js'
import { demo, recordingClient } from './fixture.js'

const ALLOW = { overrides: [{ tool: 'demo.*', allow: true }] }

function createFixture(options: Partial<BrokerOptions> = {}) {
  const client = recordingClient()
  const broker = createBroker({ skills: [demo], providerClient: client, redactor: createRedactor(), ...options })
  return { broker, client, policy: parsePolicy(ALLOW, 1, broker.tools) }
}

const intent = (tool: string, params: Record<string, unknown> = {}): Intent => ({
  tool,
  params: parseObject(params, 'params'),
})

function judged(broker: Broker, policy = parsePolicy(ALLOW, 1, broker.tools)): Call {
  const { call } = broker.judge(policy, intent('demo.echo', { text: 'hi' }))
  assert.ok(call !== undefined)
  return call
}

describe('broker', () => {
  it('executes a judged call with exactly the judged input [S4]', async () => {
    const { broker, client } = createFixture()
    const { metadata } = await broker.execute(judged(broker))
    assert.equal(metadata.success, true)
    assert.deepEqual(
      client.asks.map(({ method, path, body }) => [method, path, body]),
      [['POST', '/echo', { text: 'hi' }]],
    )
  })

  it('executes a call once, even when it is asked twice at the same time [S4]', async () => {
    const { broker, client } = createFixture()
    const call = judged(broker)
    const settled = await Promise.allSettled([broker.execute(call), broker.execute(call)])
    assert.deepEqual(
      settled.map(({ status }) => status),
      ['fulfilled', 'rejected'],
    )
    await assert.rejects(broker.execute(call), { code: 'DENIED' })
    assert.equal(client.asks.length, 1)
  })

  it('executes nothing that it did not judge itself [S4]', async () => {
    const { broker, client } = createFixture()
    const foreign = judged(createFixture().broker)
    const own = judged(broker)
    const forged = [
      { ...own },
      Object.create(own),
      { tool: 'demo.echo', input: {} },
      foreign,
      null,
      undefined,
      'call',
      7,
    ]
    for (const call of forged) await assert.rejects(broker.execute(call as Call), { code: 'DENIED' })
    assert.equal(client.asks.length, 0)
  })

  it('a judged call cannot be changed any more [S4]', async () => {
    const { broker, client } = createFixture()
    const params = { text: 'hi' }
    const { call, params: logged } = broker.judge(parsePolicy(ALLOW, 1, broker.tools), intent('demo.echo', params))
    assert.ok(call !== undefined)
    params.text = 'changed'
    for (const part of [call, call.input, logged]) assert.ok(Object.isFrozen(part))
    assert.throws(() => Object.assign(call.input, { text: 'changed' }), TypeError)
    assert.throws(() => Object.assign(call, { input: {} }), TypeError)
    await broker.execute(call)
    assert.deepEqual(client.asks[0]?.body, { text: 'hi' })
  })

  const DENIED: [what: string, tool: string, params: Record<string, unknown>, code: string, field?: string][] = [
    ['an unknown tool', 'demo.exec', {}, 'UNKNOWN_TOOL'],
    ['an inherited name', 'constructor', {}, 'UNKNOWN_TOOL'],
    ['a skill instead of a tool', 'demo', {}, 'UNKNOWN_TOOL'],
    ['a wildcard', 'demo.*', {}, 'UNKNOWN_TOOL'],
    ['a wrong param', 'demo.echo', { text: 7 }, 'INVALID_INPUT', 'text'],
    ['an unknown param', 'demo.echo', { texts: [] }, 'INVALID_INPUT', 'texts'],
    ['the action of another tool', 'demo.echo', { action: 'ping' }, 'INVALID_INPUT', 'action'],
    ['a skill that cannot judge', 'demo.broken', {}, 'INTERNAL'],
  ]
  for (const [what, tool, params, code, field] of DENIED) {
    it(`${what} is denied as ${code}, with the params and their hash`, () => {
      const { broker, client, policy } = createFixture()
      const { decision, call, params: kept, params_hash } = broker.judge(policy, intent(tool, params))
      assert.equal(call, undefined)
      assert.deepEqual([decision.decision, decision.code, decision.field], ['deny', code, field])
      assert.equal(decision.policy_version, 1)
      assert.deepEqual(kept, params)
      assert.equal(params_hash, sha256(canonical(params as DataObject)))
      assert.equal(client.asks.length, 0)
    })
  }

  it('takes the action repeated in the params for the same call', () => {
    const { broker, policy } = createFixture()
    const { decision, params } = broker.judge(policy, intent('demo.echo', { action: 'echo', text: 'hi' }))
    assert.equal(decision.decision, 'allow')
    assert.deepEqual(params, { text: 'hi' })
  })

  it('judges without a policy to deny, and gives no call [S1]', () => {
    const { broker } = createFixture()
    const { decision, call } = broker.judge(EMPTY_POLICY, intent('demo.echo'))
    assert.deepEqual([decision.decision, call], ['deny', undefined])
  })

  it("gives a skill its own client, else everybody's, else the gateway", async () => {
    const [own, shared, gateway] = [recordingClient(), recordingClient(), recordingClient()]
    const CASES: [Partial<BrokerOptions>, typeof own][] = [
      [{ providers: { demo: own }, providerClient: shared, gatewayClient: gateway }, own],
      [{ providers: { other: own }, providerClient: shared, gatewayClient: gateway }, shared],
      [{ providerClient: undefined, gatewayClient: gateway }, gateway],
    ]
    for (const [options, expected] of CASES) {
      const before = expected.asks.length
      const { broker } = createFixture(options)
      await broker.execute(judged(broker))
      assert.equal(expected.asks.length, before + 1)
    }
    assert.deepEqual(
      [own, shared, gateway].map(({ asks }) => asks.length),
      [1, 1, 1],
    )
  })

  it('refuses two skills that bring the same tool', () => {
    assert.throws(() => createFixture({ skills: [demo, demo] }), { code: 'INVALID_INPUT' })
  })
})
