/** The names that hosts import from the docker-api skill keep their meaning, and what leaves it holds no secrets. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as skill from 'skillgate/skills/docker-api'
import { recordingClient, silentClient, upstream } from './recording-client.js'

const { execute, validate } = skill
const exported = { ...skill }
const PAT = `ghp_${'a1B2'.repeat(9)}`

describe('named exports', () => {
  const NUMBERS = {
    DEFAULT_TIMEOUT_MS: 15_000,
    MAX_TIMEOUT_MS: 30_000,
    DEFAULT_LIMIT: 25,
    MIN_LIMIT: 1,
    MAX_LIMIT: 100,
    DEFAULT_STOP_TIMEOUT: 10,
    MIN_STOP_TIMEOUT: 0,
    MAX_STOP_TIMEOUT: 300,
    DEFAULT_TAIL: 100,
    MIN_TAIL: 1,
    MAX_TAIL: 1000,
    MAX_CONTAINER_ID_LENGTH: 128,
  }
  for (const [name, value] of Object.entries(NUMBERS)) {
    it(`${name} is ${value}`, () => assert.equal(exported[name], value))
  }

  it('are complete', () => {
    const functions = [
      ...['execute', 'validate', 'getClient', 'providerNotConfiguredError', 'resolveTimeout', 'requestWithTimeout'],
      ...['redactSensitive', 'sanitizeContainerId', 'validateLimit', 'validateStopTimeout', 'validateTail'],
    ]
    for (const name of functions) assert.equal(typeof exported[name], 'function', name)
    const expected = [...functions, ...Object.keys(NUMBERS), 'meta', 'VALID_ACTIONS', 'dockerApi']
    assert.deepEqual(Object.keys(skill).sort(), expected.sort())
  })
})

describe('the helpers that check one value', () => {
  const LIMITS = [
    ['validateLimit', { absent: 25, least: 1, most: 100, below: [0, -1], above: [] }],
    ['validateTail', { absent: 100, least: 1, most: 1000, below: [0, -1], above: [1001, 1e9] }],
    ['validateStopTimeout', { absent: 10, least: 0, most: 300, below: [-1], above: [301, 1e9] }],
  ]
  for (const [name, { absent, least, most, below, above }] of LIMITS) {
    it(`${name} answers { valid, value }`, () => {
      const check = exported[name]
      for (const value of [undefined, null]) assert.deepEqual(check(value), { valid: true, value: absent })
      for (const value of [least, most, 7]) {
        assert.deepEqual(check(value), { valid: true, value })
        assert.deepEqual(check(String(value)), { valid: true, value })
      }
    })
    it(`${name} answers { valid: false, error } for anything else`, () => {
      const { proxy, revoke } = Proxy.revocable({}, {})
      revoke()
      const wrong = ['', ' 1', '0x1', '1e1', 1.5, Number.NaN, Infinity, true, [7], {}, 5n, Symbol('x'), proxy]
      for (const value of [...wrong, ...below, ...above]) {
        const { valid, error, ...rest } = exported[name](value)
        assert.equal(valid, false)
        assert.match(error, /^(limit|tail|timeout) is not valid/)
        assert.deepEqual(rest, {})
      }
    })
  }

  it('validateLimit lowers what is above the most to the most', () => {
    for (const value of [101, '101', 1e9]) assert.deepEqual(skill.validateLimit(value), { valid: true, value: 100 })
  })

  it('sanitizeContainerId says when the id is missing', () => {
    for (const value of [undefined, null])
      assert.match(skill.sanitizeContainerId(value).error, /containerId is missing/)
  })
})

describe('getClient, resolveTimeout and requestWithTimeout', () => {
  const client = recordingClient('answer')

  it('getClient says which client it is', () => {
    assert.deepEqual(skill.getClient({ providerClient: client }), { client, type: 'provider' })
    assert.deepEqual(skill.getClient({ gatewayClient: client }), { client, type: 'gateway' })
    for (const context of [
      undefined,
      null,
      {},
      { providerClient: {} },
      { providerClient: {}, gatewayClient: client },
    ]) {
      assert.equal(skill.getClient(context), null)
    }
  })

  const TIMEOUTS = [
    [undefined, 15_000],
    [null, 15_000],
    [{}, 15_000],
    ...[0, -1, Number.NaN, '5000', null, true, [5]].map((timeoutMs) => [{ config: { timeoutMs } }, 15_000]),
    [{ config: { timeoutMs: 5_000 } }, 5_000],
    [{ config: { timeoutMs: 30_000 } }, 30_000],
    [{ config: { timeoutMs: 30_001 } }, 30_000],
    [{ config: { timeoutMs: Infinity } }, 30_000],
  ]
  for (const [context, expected] of TIMEOUTS) {
    it(`a config of ${JSON.stringify(context?.config)} means ${expected} ms`, () => {
      assert.equal(skill.resolveTimeout(context), expected)
    })
  }

  it('requestWithTimeout passes the request on and races the deadline', async () => {
    assert.equal(await skill.requestWithTimeout(client, 'GET', '/x', { a: 1 }, 1_000), 'answer')
    const { method, path, body, options } = client.requests.at(-1)
    assert.deepEqual([method, path, body, options.timeoutMs], ['GET', '/x', { a: 1 }, 1_000])
    assert.equal(options.signal.aborted, false)
    const late = skill.requestWithTimeout(silentClient(), 'GET', '/x', undefined, 20)
    await assert.rejects(late, { code: 'TIMEOUT', retriable: true })
  })

  it('providerNotConfiguredError is the documented result', () => {
    const { result, metadata } = skill.providerNotConfiguredError()
    assert.match(result, /^Error: Provider client required.*Docker/)
    assert.equal(metadata.success, false)
    assert.equal(metadata.error.code, 'PROVIDER_NOT_CONFIGURED')
    assert.equal(metadata.error.retriable, false)
  })

  it('the client is told the deadline, and its signal fires when it passes', async () => {
    const silent = silentClient()
    await execute({ action: 'list_images' }, { providerClient: silent, config: { timeoutMs: 30 } })
    const [{ options }] = silent.requests
    assert.ok(options.timeoutMs > 0 && options.timeoutMs <= 30)
    assert.equal(options.signal.aborted, true)
    assert.equal(options.signal.reason.name, 'TimeoutError')
  })

  it("the host's abort ends the call as TIMEOUT with details.aborted, before or during the request", async () => {
    const controller = new AbortController()
    const silent = silentClient()
    const call = execute({ action: 'list_images' }, { providerClient: silent, signal: controller.signal })
    controller.abort()
    for (const { metadata } of [
      await call,
      await execute({ action: 'list_images' }, { providerClient: silent, signal: controller.signal }),
    ]) {
      assert.equal(metadata.error.code, 'TIMEOUT')
      assert.equal(metadata.error.details.aborted, true)
    }
    assert.equal(silent.requests.length, 1, 'a call that was aborted before it began asks nothing')
  })
})

describe('redaction of what leaves [S11]', () => {
  it('redactSensitive replaces secrets in texts and returns anything else as it is', () => {
    assert.equal(skill.redactSensitive(`token ${PAT} end`), 'token [REDACTED] end')
    assert.equal(skill.redactSensitive('nothing to see'), 'nothing to see')
    for (const value of [7, null, undefined, { a: 1 }]) assert.equal(skill.redactSensitive(value), value)
  })

  const LEAKS = [
    [{ action: 'get_logs', containerId: 'x' }, { logs: `start\nDB_PASSWORD=hunter22 ${PAT}\nend` }],
    [{ action: 'get_container', containerId: 'x' }, { container: { name: 'x', Env: ['DB_PASSWORD=hunter22', PAT] } }],
    [{ action: 'list_containers' }, { containers: [{ name: PAT, labels: { password: 'hunter22' } }] }],
    [{ action: 'list_images' }, upstream(`denied: ${PAT} password=hunter22`, { status: 403 })],
    [
      { action: 'start_container', containerId: 'x' },
      { changed: true, password: 'hunter22', seen: PAT },
    ],
  ]
  for (const [params, answer] of LEAKS) {
    it(`${params.action} leaks nothing that the provider answered`, async () => {
      const leaving = JSON.stringify(await execute(params, { providerClient: recordingClient(answer) }))
      assert.ok(!leaving.includes(PAT))
      assert.ok(!leaving.includes('hunter22'))
      assert.ok(leaving.includes('[REDACTED]'))
    })
  }

  for (const length of [1_900, 1_970, 3_900, 3_960, 3_978, 7_980]) {
    it(`a secret behind ${length} characters of an error message is not cut into an unrecognisable part`, async () => {
      const message = `${'x '.repeat(length / 2)}${PAT} ${'y '.repeat(2_000)}`
      const providerClient = recordingClient(upstream(message, { status: 500 }))
      const { result } = await execute({ action: 'list_images' }, { providerClient })
      assert.ok(!result.includes('ghp'))
      assert.ok(result.length < 5_000)
    })
  }
})

describe('answers that are not what the protocol says', () => {
  const PRIMITIVES = [undefined, null, 42, true]
  const ROWS = [
    ['list_containers', [...PRIMITIVES, {}, { containers: null }, { containers: 'none' }, 'x']],
    ['list_images', [...PRIMITIVES, {}, { images: {} }, 'x']],
    ['get_logs', [...PRIMITIVES, {}, { logs: null }]],
    ['get_container', [...PRIMITIVES, [], 'x']],
    ['container_stats', [...PRIMITIVES, [], 'x']],
  ]
  for (const [action, answers] of ROWS) {
    for (const answer of answers) {
      it(`${action} does not claim anything from ${JSON.stringify(answer)}`, async () => {
        const params = { action, ...(!action.startsWith('list') && { containerId: 'x' }) }
        const { metadata } = await execute(params, { providerClient: recordingClient(answer) })
        assert.equal(metadata.success, false)
        assert.equal(metadata.error.code, 'UPSTREAM_ERROR')
        assert.equal(metadata.error.retriable, false)
      })
    }
  }
})

describe('validate and execute never throw', () => {
  const trap = () => {
    throw trapped
  }
  const trapped = new Proxy({}, { get: trap, getPrototypeOf: trap, ownKeys: trap, has: trap })
  const HOSTILE = [null, 0, '', 'list_images', [], [1], 5n, Symbol('x'), () => {}, new Date(), new Map(), trapped]
  HOSTILE.push({ action: trapped }, { action: 'get_container', containerId: trapped })
  HOSTILE.push(Object.defineProperty({}, 'action', { get: trap, enumerable: true }))
  for (const [index, params] of HOSTILE.entries()) {
    it(`whatever params they are given (${index})`, async () => {
      assert.equal(validate(params).valid, false)
      assert.equal((await execute(params)).metadata.success, false)
    })
  }
  for (const [index, thrown] of [undefined, null, 0, 'text', trapped, new Proxy(new Error('x'), {})].entries()) {
    it(`whatever the client rejects with (${index})`, async () => {
      const providerClient = { request: () => Promise.reject(thrown) }
      const { metadata } = await execute({ action: 'list_images' }, { providerClient })
      assert.equal(metadata.error.code, 'UPSTREAM_ERROR')
    })
  }
  it('whatever context they are given', async () => {
    const throwing = { error: trap, warn: trap }
    const rejecting = { request: () => Promise.reject(upstream('no', { status: 404 })) }
    for (const context of [trapped, 7, 'x', { providerClient: trapped }, { signal: {}, providerClient: rejecting }]) {
      assert.equal((await execute({ action: 'list_images' }, context)).metadata.success, false)
    }
    const { metadata } = await execute({ action: 'list_images' }, { providerClient: rejecting, logger: throwing })
    assert.equal(metadata.error.details.status, 404, "a logger that throws must not replace the client's own error")
  })
})
