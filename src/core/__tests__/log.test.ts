/** The log under pressure: other writers, stores that fail, secrets, and readers that must not see the past. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createMemoryStore } from '../../stores/memory.js'
import { readEvent } from '../event.js'
import { Failure } from '../failure.js'
import type { Store } from '../store.js'
import { createFixture, echoes, held, message, openSession, settle } from './fixture.js'

/** A store whose every append first asks `before`, which may throw or let somebody else write. */
function interrupted(before: (appends: number, inner: Store) => unknown): Store {
  const inner = createMemoryStore()
  let appends = 0
  return {
    ...inner,
    async append(events) {
      await before(++appends, inner)
      return inner.append(events)
    },
  }
}

const allEvents = async (store: Store) => (await store.query({ limit: 1_000 })).map(readEvent)
const typesIn = async (store: Store): Promise<string[]> => (await allEvents(store)).map(({ type }) => type)

describe('what is logged before it happens [S8]', () => {
  it('decision and start are in the log when the client is asked', async () => {
    const store = createMemoryStore()
    let seen: string[] = []
    const { gate } = createFixture({
      store,
      reply: async () => {
        seen = await typesIn(store)
        return {}
      },
    })
    const session = await openSession(gate)
    await (await session.post(echoes('a'))).done()
    const before = ['session.created', 'policy.replaced', 'message.appended', 'run.queued', 'run.started']
    assert.deepEqual(seen, [...before, 'policy.decided', 'tool.started'])
    assert.deepEqual(await typesIn(store), [...seen, 'tool.finished', 'run.finished'])
    assert.deepEqual(await gate.validate(), { valid: true, invalid_index: -1, event_count: 9 })
  })

  it('nothing is executed when the start cannot be logged, and everybody is told UNAVAILABLE', async () => {
    // Appends: session, policy, message, and then the decision.
    const store = interrupted((appends) => {
      if (appends === 4) throw new Error('disk full at /secret/path')
    })
    const { gate, client } = createFixture({ store })
    const session = await openSession(gate)
    const run = await session.post(echoes('a'))
    await assert.rejects(run.done(), (error: Failure) => {
      assert.deepEqual([error.code, error.retriable], ['UNAVAILABLE', true])
      assert.ok(!error.message.includes('secret'), 'the cause is for the logger')
      return true
    })
    assert.equal(client.asks.length, 0)
    assert.equal((await (await session.post(echoes('b'))).done()).status, 'completed', 'the session lives on')
  })

  for (const [what, appends] of [
    ['the session', 1],
    ['the policy', 2],
    ['the message', 3],
  ] as const) {
    it(`${what} is not there when it could not be logged`, async () => {
      let failing = true
      const store = interrupted((count) => {
        if (failing && count === appends) throw new Error('disk full')
      })
      const { gate, client } = createFixture({ store })
      const work = async () => (await (await openSession(gate)).post(echoes('a'))).done()
      await assert.rejects(work(), { code: 'UNAVAILABLE' })
      assert.equal((await allEvents(store)).length, [0, 1, 2][appends - 1])
      assert.equal(client.asks.length, 0)
      failing = false
      assert.equal((await work()).status, 'completed')
    })
  }

  const DOWN = new Error('connection refused by 10.0.0.7')
  it('reads of a store that is down are UNAVAILABLE too', async () => {
    const down = async (): Promise<never> => {
      throw DOWN
    }
    const { gate } = createFixture({
      store: { append: down, head: down, query: down, chains: down, openRuns: down, openRun: down, answer: down },
    })
    const calls = [
      () => gate.createSession(),
      () => gate.session('ses_1'),
      () => gate.sessions(),
      () => gate.run('run_1'),
      () => gate.audit(),
      () => gate.validate(),
      () => gate.validate({ session_id: 'ses_1' }),
      () => gate.registeredSkills(),
      () => gate.registerSkill({ name: 'a', version: '1', image: `a@sha256:${'0'.repeat(64)}` }),
      () => gate.simulate({ session_id: 'ses_1', tool: 'demo.ping' }),
    ]
    for (const call of calls) {
      await assert.rejects(call(), (error: Failure) => {
        assert.deepEqual([error.code, error.cause, error.message.includes('10.0.0.7')], ['UNAVAILABLE', DOWN, false])
        return true
      })
    }
  })
})

describe('other writers', () => {
  it('a CONFLICT is tried again on the new state, until it fits', async () => {
    let conflicts = 0
    const store = interrupted((appends) => {
      if (appends % 3 !== 0) {
        conflicts += 1
        throw new Failure('CONFLICT', 'somebody was faster')
      }
    })
    const { gate, client } = createFixture({ store })
    const session = await openSession(gate)
    assert.equal((await (await session.post(echoes('a'))).done()).status, 'completed')
    assert.equal(conflicts, 10)
    assert.equal(client.asks.length, 1)
    assert.equal((await gate.validate()).valid, true)
  })

  it('a CONFLICT that never ends is answered, not tried for ever', async () => {
    let appends = 0
    const store = interrupted((count) => {
      appends = count
      throw new Failure('CONFLICT', 'somebody was faster')
    })
    await assert.rejects(createFixture({ store }).gate.createSession(), { code: 'CONFLICT' })
    assert.equal(appends, 20)
  })

  it('a policy that another process replaced just before the decision judges the call', async () => {
    const inner = createMemoryStore()
    const other = createFixture({ store: inner, newId: (kind) => `${kind}_other${Math.random()}` })
    const { gate, client } = createFixture({ store: inner })
    const session = await openSession(gate)
    const elsewhere = await other.gate.session(session.id)
    await elsewhere.setPolicy({ overrides: [{ tool: 'demo.echo', allow: false }] })
    const run = await (await session.post(echoes('a'))).done()
    assert.deepEqual([run.status, client.asks.length], ['denied', 0])
  })

  it('a policy replaced between the reads of a state is not judged past', async () => {
    const inner = createMemoryStore()
    const first = createFixture({ store: inner, newId: (kind) => `${kind}_first${Math.random()}` })
    const owner = await openSession(first.gate)
    let armed = true
    const store: Store = {
      ...inner,
      async query(query) {
        const found = await inner.query(query)
        if (armed && query.types?.includes('policy.replaced')) {
          armed = false
          await owner.setPolicy({ overrides: [{ tool: 'demo.echo', allow: false }] })
        }
        return found
      },
      async head(id) {
        await settle()
        return inner.head(id)
      },
    }
    const { gate, client } = createFixture({ store })
    const run = await (await (await gate.session(owner.id)).post(echoes('a'))).done()
    assert.deepEqual([run.status, client.asks.length], ['denied', 0])
  })

  it('a read that was slow does not bring back what was replaced meanwhile', async () => {
    const inner = createMemoryStore()
    const hold = held()
    let slow = true
    const store: Store = {
      ...inner,
      async query(query) {
        const found = await inner.query(query)
        if (slow && query.types?.includes('policy.replaced')) {
          slow = false
          await hold.promise
        }
        return found
      },
    }
    const first = createFixture({ store: inner })
    const { id } = await openSession(first.gate)
    const { gate } = createFixture({ store, newId: (kind) => `${kind}_second${Math.random()}` })
    const reading = gate.session(id)
    await settle()
    const writing = gate.session(id).then((session) => session.setPolicy({ overrides: [] }))
    await writing
    hold.release({})
    const session = await reading
    assert.equal((await session.policy()).version, 2)
  })

  it('50 messages posted at once are 50 runs in one gapless chain', async () => {
    const { gate, client } = createFixture()
    const session = await openSession(gate)
    const texts = Array.from({ length: 50 }, (_, index) => `m${index}`)
    const runs = await Promise.all(texts.map((text) => session.post(echoes(text))))
    for (const run of runs) assert.equal((await run.done()).status, 'completed')
    assert.deepEqual(
      client.asks.map(({ body }) => (body as { text: string }).text),
      texts,
    )
    assert.deepEqual(await gate.validate(), { valid: true, invalid_index: -1, event_count: 2 + 50 * 7 })
  })
})

describe('what the log holds', () => {
  const PAT = `ghp_${'a1B2'.repeat(9)}`
  it('no secret, of params, answers, labels or messages [S11]', async () => {
    const { gate, store } = createFixture({
      secrets: ['correct horse battery'],
      reply: () => ({ token: 'hunter2', seen: `${PAT} and correct horse battery` }),
    })
    const session = await gate.createSession({ label: `for ${PAT}`, metadata: { password: 'hunter2' } })
    await session.setPolicy({ overrides: [{ tool: 'demo.echo', allow: true }] })
    const run = await session.post({ ...echoes(`${PAT} correct horse battery`), content: `use ${PAT}` })
    const document = await run.done()
    await (await session.post(message({ tool: 'demo.echo', params: { text: 7, api_key: 'hunter2' } }))).done()
    const leaving = [
      JSON.stringify(await allEvents(store)),
      JSON.stringify(document),
      JSON.stringify(await session.messages()),
      JSON.stringify(await run.replay()),
      JSON.stringify(await session.read()),
    ]
    for (const text of leaving) {
      for (const secret of ['ghp_', 'hunter2', 'correct horse']) assert.ok(!text.includes(secret), text)
    }
    assert.ok(leaving[0]?.includes('[REDACTED:'))
  })

  it('no part of a secret that lies across the place where a long text is cut [S11]', async () => {
    const { gate, store } = createFixture({ secrets: ['correct horse battery staple'] })
    const session = await openSession(gate)
    // 256 KiB are kept of a string, half of them at each end.
    const head = 'x'.repeat(128 * 1024 - 10)
    const text = `${head}correct horse battery staple${'y'.repeat(300_000)}`
    await (await session.post(message({ tool: 'demo.unknown', params: { text } }))).done()
    const decided = (await allEvents(store)).find(({ type }) => type === 'policy.decided')
    const logged = JSON.stringify(decided)
    assert.ok(logged.includes('characters left out of the log'))
    assert.ok(logged.length < 300_000)
    assert.ok(!logged.includes('correct'), 'the first half of a secret is still a secret')
  })

  it('a logger that throws changes no result and stops no process', async () => {
    const throwing = () => {
      throw new Error('the logger is broken')
    }
    const store = interrupted((appends) => {
      if (appends === 4) throw new Error('disk full')
    })
    const { gate } = createFixture({ store, logger: { warn: throwing, error: throwing } })
    const session = await openSession(gate)
    await assert.rejects((await session.post(echoes('a'))).done(), { code: 'UNAVAILABLE' })
    assert.equal((await (await session.post(echoes('b'))).done()).status, 'completed')
  })
})
