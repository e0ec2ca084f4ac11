/** The routes: statuses, answers in the documented form, unknown ids, other methods, pages. */
import assert from 'node:assert/strict'
import { generateKeyPairSync, sign } from 'node:crypto'
import { describe, it } from 'node:test'
import { createMemoryStore } from '../../stores/memory.js'
import { ROUTES } from '../routes.js'
import {
  ALLOW_ALL,
  codeOf,
  createFixture,
  echo,
  fieldOf,
  IMAGE,
  messageOf,
  type Reply,
  runOf,
  sessionOf,
  TOKEN,
} from './fixture.js'

/** Fails unless the reply is exactly what the route's entry in the table says of it. */
function conforms(id: string, { status, json }: Reply): void {
  const route = ROUTES.find((entry) => entry.id === id)
  assert.ok(route, id)
  assert.ok(route.statuses.includes(status), `${id} answered ${status}: ${JSON.stringify(json)}`)
  const { error } = route.answer.safeParse(json)
  assert.equal(error, undefined, `${id}: ${error?.message} in ${JSON.stringify(json)}`)
}

describe('the routes', () => {
  it('all answer what the table says, on the way of one run through them', async () => {
    const fixture = createFixture()
    const { call, gate } = fixture
    const used = new Set<string>()
    const ask = async (id: string, path: string, body?: unknown): Promise<Record<string, unknown>> => {
      const { method = '' } = ROUTES.find((entry) => entry.id === id) ?? {}
      const reply = await call(method, path, body === undefined ? {} : { body })
      conforms(id, reply)
      assert.equal(reply.headers.get('content-type'), 'application/json')
      assert.equal(reply.headers.get('cache-control'), 'no-store')
      assert.equal(reply.headers.get('x-content-type-options'), 'nosniff')
      used.add(id)
      return reply.json as Record<string, unknown>
    }
    await ask('readHealth', '/v1/health')
    await ask('readOpenApi', '/v1/openapi.json')
    await ask('listTools', '/v1/tools')
    await ask('registerSkill', '/v1/skills', { name: 'hello', version: '1.0', image: IMAGE, manifest: { a: [1] } })
    await ask('listSkills', '/v1/skills')
    const { id } = await ask('createSession', '/v1/sessions', { label: 'x', metadata: { a: 'b' } })
    await ask('listSessions', '/v1/sessions')
    assert.equal((await ask('readSession', `/v1/sessions/${id}`)).label, 'x')
    await ask('replacePolicy', `/v1/sessions/${id}/policy`, ALLOW_ALL)
    assert.equal((await ask('readPolicy', `/v1/policy/effective?session_id=${id}`)).version, 1)
    const intent = { tool: 'probe.echo', params: { text: 'hi' } }
    assert.equal((await ask('simulatePolicy', '/v1/policy/simulate', { ...intent, session_id: id })).decision, 'allow')
    const { run_id } = await ask('postMessage', `/v1/sessions/${id}/messages`, { ...echo('hi'), metadata: { a: 'b' } })
    await ask('readRun', `/v1/runs/${run_id}`)
    await (await gate.run(String(run_id))).done()
    const run = await ask('readRun', `/v1/runs/${run_id}`)
    assert.equal(run.status, 'completed')
    await ask('listMessages', `/v1/sessions/${id}/messages`)
    assert.equal((await ask('replayRun', `/v1/runs/${run_id}/replay`)).valid, true)
    await ask('listEvents', `/v1/audit?session_id=${id}`)
    await ask('validateAudit', `/v1/audit/validate?session_id=${id}`)
    await ask('validateAudit', '/v1/audit/validate')
    const waiting = { role: 'user', content: '', intents: [{ tool: 'probe.wait' }] }
    const { run_id: second } = await ask('postMessage', `/v1/sessions/${id}/messages`, waiting)
    await ask('cancelRun', `/v1/runs/${second}/cancel`)
    assert.deepEqual([...used].sort(), ROUTES.map((entry) => entry.id).sort())
  })

  it('answer HEAD as GET without a body', async () => {
    const { call } = createFixture()
    const { status, json } = await call('HEAD', '/v1/tools')
    assert.deepEqual([status, json], [200, undefined])
  })
})

describe('an unknown path or method', () => {
  for (const path of ['/', '/v1', '/v1/', '/v2/health', '/v1/Sessions', '/v1/sessions/', '//v1/sessions', '/v1/runs']) {
    it(`${path} is 404`, async () => {
      const reply = await createFixture().call('GET', path)
      assert.equal(reply.status, 404)
      assert.equal(codeOf(reply), 'NOT_FOUND')
      assert.match(messageOf(reply), /GET \/v1\/openapi\.json lists the routes/)
    })
  }

  const methods: [method: string, path: string, allow: string][] = [
    ['DELETE', '/v1/sessions', 'POST, GET, HEAD'],
    ['PATCH', '/v1/sessions/x', 'GET, HEAD'],
    ['POST', '/v1/sessions/x/policy', 'PUT'],
    ['GET', '/v1/policy/simulate', 'POST'],
    ['HEAD', '/v1/runs/x/cancel', 'POST'],
    ['OPTIONS', '/v1/sessions', 'POST, GET, HEAD'],
    ['POST', '/v1/health', 'GET, HEAD'],
    ['PROPFIND', '/v1/audit', 'GET, HEAD'],
  ]
  for (const [method, path, allow] of methods) {
    it(`${method} ${path} is 405 and says what is allowed`, async () => {
      const reply = await createFixture().call(method, path)
      assert.equal(reply.status, 405)
      assert.equal(reply.headers.get('allow'), allow)
      if (method === 'HEAD') return
      assert.equal(codeOf(reply), 'METHOD_NOT_ALLOWED')
      assert.ok(messageOf(reply).includes(allow), 'for those who see no headers')
    })
  }
})

describe('an unknown id', () => {
  const asks: [method: string, path: string, body?: unknown][] = [
    ['GET', '/v1/sessions/ID'],
    ['PUT', '/v1/sessions/ID/policy', {}],
    ['GET', '/v1/sessions/ID/messages'],
    ['POST', '/v1/sessions/ID/messages', { role: 'user', content: '' }],
    ['GET', '/v1/policy/effective?session_id=ID'],
    ['POST', '/v1/policy/simulate', { session_id: 'ID', tool: 'probe.echo' }],
    ['GET', '/v1/runs/ID'],
    ['POST', '/v1/runs/ID/cancel'],
    ['POST', '/v1/runs/ID/replay'],
    ['GET', '/v1/audit?session_id=ID'],
    ['GET', '/v1/audit/validate?session_id=ID'],
  ]
  for (const [method, path, body] of asks) {
    it(`is 404 for ${method} ${path}`, async () => {
      const { call } = createFixture()
      for (const id of ['ses_none', 'x'.repeat(3_000), '%2e%2e', '%00', '%ff', '__proto__', 'a%20b']) {
        const reply = await call(method, path.replace('ID', id), body === undefined ? {} : { body })
        assert.equal(reply.status, 404, id)
        assert.equal(codeOf(reply), 'NOT_FOUND')
      }
    })
  }

  it("is what the registry's chain is to everything but the audit", async () => {
    const { call, expect } = createFixture()
    await expect(201, 'POST', '/v1/skills', { name: 'x', version: '1', image: IMAGE })
    assert.equal((await call('GET', '/v1/sessions/registry')).status, 404)
    assert.equal((await call('GET', '/v1/policy/effective?session_id=registry')).status, 404)
    const { events } = await expect<{ events: unknown[] }>(200, 'GET', '/v1/audit?session_id=registry')
    assert.equal(events.length, 1)
  })
})

describe('registering a skill', () => {
  const skill = { name: 'hello', version: '1.0', image: IMAGE, manifest: {} }

  it('answers 201 at first, 200 for the same again, and 409 for another image', async () => {
    const { expect, call } = createFixture()
    const first = await expect(201, 'POST', '/v1/skills', skill)
    assert.deepEqual(await expect(200, 'POST', '/v1/skills', skill), first)
    const other = { ...skill, image: IMAGE.replaceAll('a', 'b') }
    assert.equal(codeOf(await call('POST', '/v1/skills', { body: other })), 'INVALID_INPUT')
    const image = `busybox@sha256:${'b'.repeat(64)}`
    const reply = await call('POST', '/v1/skills', { body: { ...skill, image } })
    assert.equal(reply.status, 409)
    assert.equal(codeOf(reply), 'CONFLICT')
  })

  it('refuses an image that is not pinned', async () => {
    const reply = await createFixture().call('POST', '/v1/skills', { body: { ...skill, image: 'busybox:latest' } })
    assert.equal(reply.status, 400)
    assert.equal(fieldOf(reply), 'image')
  })
})

describe('an Idempotency-Key', () => {
  for (const key of ['', ' ', 'a b', 'x'.repeat(201)]) {
    it(`is refused when it is ${JSON.stringify(key.slice(0, 10))}`, async () => {
      const reply = await createFixture().call('POST', '/v1/sessions', {
        body: {},
        headers: { 'idempotency-key': key },
      })
      assert.deepEqual([reply.status, codeOf(reply), fieldOf(reply)], [400, 'INVALID_INPUT', 'idempotency_key'])
    })
  }
})

describe('registering a signed skill', () => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const publicKeys = { release: publicKey.export({ type: 'spki', format: 'pem' }).toString() }
  const digest = IMAGE.replace(/^.*@/, '')
  const signature = sign(null, Buffer.from(digest), privateKey).toString('base64')
  const skill = { name: 'hello', version: '1.0', image: IMAGE, signature, public_key_id: 'release' }

  it('answers signed: true, and lists it so', async () => {
    const { expect } = createFixture({ publicKeys })
    const registered = await expect(201, 'POST', '/v1/skills', skill)
    assert.equal(registered.signed, true)
    assert.deepEqual(await expect(200, 'POST', '/v1/skills', skill), registered)
    assert.deepEqual((await expect(200, 'GET', '/v1/skills')).skills, [registered])
  })

  const refused: [what: string, change: object, status: number, code: string, field: string][] = [
    [
      'does not verify',
      { image: IMAGE.replaceAll('a'.repeat(64), 'b'.repeat(64)) },
      403,
      'SIGNATURE_INVALID',
      'signature',
    ],
    ['is by an unknown key', { public_key_id: '__proto__' }, 403, 'SIGNATURE_INVALID', 'public_key_id'],
    ['names no key', { public_key_id: null }, 400, 'INVALID_INPUT', 'public_key_id'],
    ['is not there, but its key is', { signature: null }, 400, 'INVALID_INPUT', 'signature'],
  ]
  for (const [what, change, status, code, field] of refused) {
    it(`refuses a signature that ${what}, and registers nothing`, async () => {
      const { call, expect } = createFixture({ publicKeys })
      const reply = await call('POST', '/v1/skills', { body: { ...skill, ...change } })
      assert.deepEqual([reply.status, codeOf(reply), fieldOf(reply)], [status, code, field])
      assert.deepEqual((await expect(200, 'GET', '/v1/skills')).skills, [])
    })
  }

  it('records a signature unverified while no key is configured: signed stays false', async () => {
    const { expect } = createFixture()
    const body = { ...skill, signature: 'placeholder' }
    assert.equal((await expect(201, 'POST', '/v1/skills', body)).signed, false)
  })
})

describe('runs over HTTP', () => {
  it('are denied by default, and what allows them is suggested', async () => {
    const fixture = createFixture()
    const id = await sessionOf(fixture, { overrides: [] })
    const run = await runOf(fixture, id, echo('hi'))
    assert.equal(run.status, 'denied')
    assert.equal(run.reason?.code, 'DENIED')
    const simulated = await fixture.expect(200, 'POST', '/v1/policy/simulate', {
      policy: { overrides: [] },
      tool: 'probe.echo',
      params: { text: 'hi' },
    })
    assert.deepEqual(simulated.suggested_fix, { tool: 'probe.echo', allow: true })
  })

  it('cannot be cancelled twice', async () => {
    const fixture = createFixture()
    const id = await sessionOf(fixture)
    const run = await runOf(fixture, id, echo('hi'))
    const reply = await fixture.call('POST', `/v1/runs/${run.id}/cancel`)
    assert.equal(reply.status, 409)
    assert.equal(codeOf(reply), 'CONFLICT')
    assert.match(messageOf(reply), /it is completed/)
  })

  const envelopes: [name: string, body: unknown, field: string][] = [
    ['intents that are no list', { role: 'user', content: '', intents: {} }, 'intents'],
    ['an intent without a tool', { role: 'user', content: '', intents: [{ params: {} }] }, 'intents[0].tool'],
    [
      'params that are a list',
      { role: 'user', content: '', intents: [{ tool: 'x', params: [] }] },
      'intents[0].params',
    ],
    ['17 intents', { role: 'user', content: '', intents: Array(17).fill({ tool: 'x' }) }, 'intents'],
    ['a role of its own', { role: 'root', content: '' }, 'role'],
    ['too much content', { role: 'user', content: 'é'.repeat(32 * 1024 + 1) }, 'content'],
  ]
  for (const [name, body, field] of envelopes) {
    it(`are not made for a message with ${name}`, async () => {
      const fixture = createFixture()
      const id = await sessionOf(fixture)
      const reply = await fixture.call('POST', `/v1/sessions/${id}/messages`, { body })
      assert.equal(reply.status, 400)
      assert.equal(fieldOf(reply), field)
      const { events } = await fixture.gate.audit({ session_id: id, type: 'run.queued' })
      assert.deepEqual(events, [])
    })
  }

  const denied: [name: string, intent: object, code: string][] = [
    ['an unknown tool', { tool: 'probe.none' }, 'UNKNOWN_TOOL'],
    ['params that the tool refuses', { tool: 'probe.echo', params: { text: 7 } }, 'INVALID_INPUT'],
  ]
  for (const [name, intent, code] of denied) {
    it(`are made and denied for ${name}`, async () => {
      const fixture = createFixture()
      const id = await sessionOf(fixture)
      const run = await runOf(fixture, id, { role: 'user', content: '', intents: [intent] })
      assert.equal(run.status, 'denied')
      assert.equal(run.reason?.code, code)
      if (code === 'UNKNOWN_TOOL') assert.match(run.reason?.message ?? '', /GET \/v1\/tools/)
    })
  }
})

describe('a policy', () => {
  it('[S3] that is refused leaves the one before in force, and the field is named', async () => {
    const fixture = createFixture()
    const id = await sessionOf(fixture)
    const refused: [overrides: unknown, field: string][] = [
      [[{ tool: 'nothing.here', allow: true }], 'overrides[0].tool'],
      [[{ tool: '*', allow: true }], 'overrides[0].tool'],
      [[{ tool: 'probe.echo', allow: 'yes' }], 'overrides[0].allow'],
      [[{ tool: 'probe.echo', allow: true, constraints: { word: [] } }], 'overrides[0].constraints.word'],
      [{}, 'overrides'],
    ]
    for (const [overrides, field] of refused) {
      const reply = await fixture.call('PUT', `/v1/sessions/${id}/policy`, { body: { overrides } })
      assert.equal(reply.status, 400)
      assert.equal(fieldOf(reply), field)
    }
    const policy = await fixture.expect(200, 'GET', `/v1/policy/effective?session_id=${id}`)
    assert.deepEqual(policy, { default: 'deny', ...ALLOW_ALL, version: 1 })
  })
})

describe('a failure of the server', () => {
  it('is INTERNAL with a constant message; its cause goes to the logger only', async () => {
    const { call, gate, logged } = createFixture()
    gate.tools = () => {
      throw new Error(`secret in ${TOKEN}`)
    }
    const reply = await call('GET', '/v1/tools')
    assert.equal(reply.status, 500)
    assert.equal(codeOf(reply), 'INTERNAL')
    assert.doesNotMatch(JSON.stringify(reply.json), /secret/)
    assert.equal(logged.length, 1)
    assert.match(String(logged[0]?.fields?.cause), /secret/)
  })

  it('of the log is UNAVAILABLE, and nothing of its text leaves', async () => {
    const store = createMemoryStore()
    store.append = () => Promise.reject(new Error('password=hunter2 at db.internal'))
    const { call, logged } = createFixture({ store })
    const reply = await call('POST', '/v1/sessions', { body: {} })
    assert.equal(reply.status, 503)
    assert.equal(codeOf(reply), 'UNAVAILABLE')
    assert.doesNotMatch(JSON.stringify(reply.json), /hunter2|internal/)
    assert.equal(logged.length, 1)
  })

  it('is UNAVAILABLE after the gate was closed', async () => {
    const { call, gate } = createFixture()
    await gate.close()
    assert.equal((await call('POST', '/v1/sessions', { body: {} })).status, 503)
    assert.equal((await call('GET', '/v1/health')).status, 200)
  })

  it('[S11] repeats no secret that the caller sent', async () => {
    const { call } = createFixture()
    const reply = await call('POST', '/v1/sessions', { body: { label: 7, note: `password=hunter2 ${TOKEN}` } })
    assert.equal(reply.status, 400)
    assert.doesNotMatch(JSON.stringify(reply.json), new RegExp(`hunter2|${TOKEN}`))
  })
})
