/** Retries under a key: one execution, the first answer, whatever came between. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { createEmbeddedStore } from '../../stores/embedded.js'
import { createMemoryStore } from '../../stores/memory.js'
import { Failure } from '../failure.js'
import type { Store } from '../store.js'
import { createFixture, echoes, openSession, START } from './fixture.js'

const IMAGE = `busybox@sha256:${'a'.repeat(64)}`
const skill = { name: 'one', version: '1', image: IMAGE }

describe('a request under an Idempotency-Key', () => {
  it('is executed once, and its retry says so', async () => {
    const { gate, client } = createFixture()
    const session = await openSession(gate)
    const first = await session.post(echoes('a'), { idempotencyKey: 'k1' })
    await first.done()
    const retry = await session.post(echoes('a'), { idempotencyKey: 'k1' })
    assert.deepEqual([retry.id, retry.replayed, first.replayed], [first.id, true, undefined])
    assert.equal(client.asks.length, 1)
    assert.equal((await session.messages()).messages.length, 1)
  })

  it('is one run when 50 come at once', async () => {
    const { gate, client } = createFixture()
    const session = await openSession(gate)
    const runs = await Promise.all(
      Array.from({ length: 50 }, () => session.post(echoes('a'), { idempotencyKey: 'k1' })),
    )
    await runs[0]?.done()
    assert.equal(new Set(runs.map(({ id }) => id)).size, 1)
    assert.equal(runs.filter(({ replayed }) => replayed).length, 49)
    assert.equal(client.asks.length, 1)
  })

  it('is one session and one registration too, with the first answer', async () => {
    const { gate } = createFixture()
    const one = await gate.createSession({ label: 'x' }, { idempotencyKey: 'k' })
    const two = await gate.createSession({ label: 'x' }, { idempotencyKey: 'k' })
    assert.deepEqual([two.id, two.replayed], [one.id, true])
    const first = await gate.registerSkill(skill, { idempotencyKey: 'k' })
    const again = await gate.registerSkill(skill, { idempotencyKey: 'k' })
    assert.deepEqual(again, { ...first, replayed: true })
    assert.equal(again.created, true)
  })

  it('is kept for a registration that was there already, by every store that skillgate brings', async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'skillgate-key-'))
    t.after(() => rm(directory, { recursive: true }))
    for (const store of [createMemoryStore(), await createEmbeddedStore({ directory })]) {
      const { gate } = createFixture({ store })
      await gate.registerSkill(skill)
      const first = await gate.registerSkill(skill, { idempotencyKey: 'k' })
      const again = await gate.registerSkill(skill, { idempotencyKey: 'k' })
      assert.deepEqual([first.created, again], [false, { ...first, replayed: true }])
      await assert.rejects(gate.registerSkill({ ...skill, version: '2' }, { idempotencyKey: 'k' }), {
        code: 'IDEMPOTENCY_MISMATCH',
      })
      assert.equal((await gate.registeredSkills()).skills.length, 1)
      await gate.close()
    }
  })

  it('registers what was there already also when the key had another answer the day before', async () => {
    let time = START
    const { gate } = createFixture({ now: () => new Date(time) })
    await gate.registerSkill(skill, { idempotencyKey: 'k' })
    time += 24 * 60 * 60 * 1000
    const { created, replayed } = await gate.registerSkill(skill, { idempotencyKey: 'k' })
    assert.deepEqual([created, replayed], [false, undefined])
  })

  it('is refused for another request, and the first stays as it is', async () => {
    const { gate, client } = createFixture()
    const session = await openSession(gate)
    await (await session.post(echoes('a'), { idempotencyKey: 'k' })).done()
    await assert.rejects(session.post(echoes('b'), { idempotencyKey: 'k' }), { code: 'IDEMPOTENCY_MISMATCH' })
    assert.equal(client.asks.length, 1)
  })

  it('has nothing to do with the same key for another session or route', async () => {
    const { gate, client } = createFixture()
    const [one, two] = [await openSession(gate), await openSession(gate)]
    await gate.createSession({}, { idempotencyKey: 'k' })
    for (const session of [one, two]) await (await session.post(echoes('a'), { idempotencyKey: 'k' })).done()
    assert.equal(client.asks.length, 2)
  })

  it('is a new one after 24 hours', async () => {
    let time = START
    const { gate, client } = createFixture({ now: () => new Date(time) })
    const session = await openSession(gate)
    await (await session.post(echoes('a'), { idempotencyKey: 'k' })).done()
    time += 24 * 60 * 60 * 1000 - 1
    assert.equal((await session.post(echoes('a'), { idempotencyKey: 'k' })).replayed, true)
    time += 1
    await (await session.post(echoes('a'), { idempotencyKey: 'k' })).done()
    assert.equal(client.asks.length, 2)
  })

  for (const [what, key] of Object.entries({ empty: '', 'too long': 'x'.repeat(201), blank: 'a b', foreign: 'é' })) {
    it(`is refused when the key is ${what}`, async () => {
      const { gate } = createFixture()
      await assert.rejects(gate.createSession({}, { idempotencyKey: key }), {
        code: 'INVALID_INPUT',
        details: { field: 'idempotency_key' },
      })
    })
  }

  it('is safe when the log took it in and did not say so', async () => {
    const memory = createMemoryStore()
    let silent = false
    const store: Store = {
      ...memory,
      async append(events, options) {
        await memory.append(events, options)
        if (!silent) return
        silent = false
        throw new Failure('UNAVAILABLE', 'no answer', { details: { applied: 'unknown' } })
      },
    }
    const { gate, client } = createFixture({ store })
    const session = await openSession(gate)
    silent = true
    await assert.rejects(session.post(echoes('a'), { idempotencyKey: 'k' }), { details: { applied: 'unknown' } })
    const retry = await session.post(echoes('a'), { idempotencyKey: 'k' })
    assert.equal(retry.replayed, true)
    // The gate was not told of the run either: it finds it in the store by itself.
    while ((await retry.read()).status !== 'completed') await new Promise((resolve) => setTimeout(resolve, 10))
    assert.equal(client.asks.length, 1)
  })
})
