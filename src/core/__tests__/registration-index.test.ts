/** The registrations in memory: what it costs to look, other writers on the same store, and chains that are not what they were. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createMemoryStore } from '../../stores/memory.js'
import { REGISTRY } from '../event.js'
import { createRegistrationIndex } from '../registration-index.js'
import type { Store } from '../store.js'
import { createFixture } from './fixture.js'

const image = (digit: number): string => `a@sha256:${String(digit).repeat(64)}`
const skill = (version: number | string, digit = 1) => ({
  name: 'a',
  version: String(version),
  image: image(digit),
  signature: 'unverified',
  public_key_id: 'k',
})

/** A store that counts the events read from it. */
function counting(inner: Store = createMemoryStore()) {
  const counts = { read: 0, queries: 0 }
  const store: Store = {
    ...inner,
    async query(conditions) {
      const events = await inner.query(conditions)
      counts.queries += 1
      counts.read += events.length
      return events
    },
  }
  return { store, counts }
}

describe('the index of registrations', () => {
  it('reads each event of the chain once, and nothing while the head is the same', async () => {
    const inner = createMemoryStore()
    const { gate } = createFixture({ store: inner })
    for (let version = 0; version < 600; version++) await gate.registerSkill(skill(version))
    const { store, counts } = counting(inner)
    const index = createRegistrationIndex(store)
    assert.equal((await index.ofImage(image(1))).length, 600)
    assert.equal(counts.read, 600)
    counts.queries = 0
    for (let look = 0; look < 50; look++) assert.ok(await index.find('a', String(look)))
    assert.deepEqual(await index.ofImage(image(2)), [])
    assert.deepEqual(counts, { read: 600, queries: 0 })
    await gate.registerSkill(skill('next', 2))
    assert.equal((await index.ofImage(image(2))).length, 1)
    assert.equal(counts.read, 601)
  })

  it('shows at once what any writer on the store registered', async () => {
    const store = createMemoryStore()
    const gates = [1, 2, 3].map(() => createFixture({ store }).gate)
    const indexes = gates.map(() => createRegistrationIndex(store))
    for (let round = 0; round < 30; round++) {
      await gates[round % 3]?.registerSkill(skill(round, round % 3))
      for (const index of indexes) assert.equal((await index.find('a', String(round)))?.skill.image, image(round % 3))
    }
  })

  it('holds each registration once however many look and write at the same time', async () => {
    const inner = createMemoryStore()
    // Every answer comes a turn later, so that looks overlap.
    const later = async <T>(work: Promise<T>): Promise<T> => {
      await new Promise(setImmediate)
      return work
    }
    const store: Store = {
      ...inner,
      head: (id) => later(inner.head(id)),
      query: (conditions) => later(inner.query(conditions)),
    }
    const gates = [1, 2].map(() => createFixture({ store }).gate)
    const index = createRegistrationIndex(store)
    const looks: Promise<unknown>[] = []
    const writes = Array.from({ length: 12 }, async (_, version) => {
      await gates[version % 2]?.registerSkill(skill(version))
      for (let look = 0; look < 5; look++) {
        looks.push(
          index.find('a', String(version)).then((found) => assert.ok(found, `${version} is registered already`)),
        )
      }
    })
    await Promise.all(writes)
    await Promise.all(looks)
    const versions = (await index.ofImage(image(1))).map(({ skill: { version } }) => Number(version))
    assert.deepEqual(
      versions.toSorted((a, b) => a - b),
      Array.from({ length: 12 }, (_, version) => version),
    )
  })

  it('forgets what is in the chain no more, after the store was set back', async () => {
    const early = createMemoryStore()
    const late = createMemoryStore()
    for (const store of [early, late]) await createFixture({ store }).gate.registerSkill(skill(1))
    await createFixture({ store: late }).gate.registerSkill(skill(2, 2))
    const other = createMemoryStore()
    for (const version of [7, 8, 9]) await createFixture({ store: other }).gate.registerSkill(skill(version, 3))
    let now = late
    const index = createRegistrationIndex({
      ...late,
      head: (id) => now.head(id),
      query: (conditions) => now.query(conditions),
    })
    const seen = async () => [
      (await index.ofImage(image(1))).length,
      (await index.ofImage(image(2))).length,
      (await index.ofImage(image(3))).length,
    ]
    assert.deepEqual(await seen(), [1, 1, 0])
    now = early
    assert.deepEqual(await seen(), [1, 0, 0])
    now = other
    assert.deepEqual(await seen(), [0, 0, 3])
    now = createMemoryStore()
    assert.deepEqual(await seen(), [0, 0, 0])
    now = late
    assert.deepEqual(await seen(), [1, 1, 0])
  })

  it('passes over events that the store spoiled', async () => {
    const inner = createMemoryStore()
    const { gate } = createFixture({ store: inner })
    for (const version of [1, 2, 3]) await gate.registerSkill(skill(version))
    const bodies = ['no JSON', '{"type":"skill.registered","data":{"skill":7}}']
    const index = createRegistrationIndex({
      ...inner,
      query: async (conditions) =>
        (await inner.query(conditions)).map((event, at) => ({ ...event, body: bodies[at] ?? event.body })),
    })
    const found = await Promise.all(['1', '2', '3'].map((version) => index.find('a', version)))
    assert.deepEqual(
      found.map((registration) => registration?.skill.version),
      [undefined, undefined, '3'],
    )
  })

  it('lets nothing of a chain that cannot be read count', async () => {
    const inner = createMemoryStore()
    await createFixture({ store: inner }).gate.registerSkill(skill(1))
    let failing = true
    const index = createRegistrationIndex({
      ...inner,
      head: async (id) => {
        assert.equal(id, REGISTRY)
        if (failing) throw new Error('no connection')
        return inner.head(id)
      },
    })
    await assert.rejects(index.ofImage(image(1)), /no connection/)
    failing = false
    assert.equal((await index.ofImage(image(1))).length, 1)
  })
})
