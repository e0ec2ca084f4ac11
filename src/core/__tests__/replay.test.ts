/** Replay: the recorded run, verified, and nothing executed. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createMemoryStore } from '../../stores/memory.js'
import { seal } from '../event.js'
import type { Gate } from '../gate.js'
import type { PositionedEvent, Store } from '../store.js'
import { counters, createFixture, echoes, held, message, openSession, settle } from './fixture.js'

/** A store whose rows an attacker may change on their way out. */
function tamperable(): {
  store: Store
  tamper: (change: (row: PositionedEvent) => PositionedEvent | undefined) => void
} {
  const inner = createMemoryStore()
  let change: (row: PositionedEvent) => PositionedEvent | undefined = (row) => row
  const store: Store = {
    ...inner,
    async query(query) {
      const rows = (await inner.query({ ...query, limit: 1_000 })).map(change)
      return rows.filter((row) => row !== undefined).slice(0, query.limit)
    },
  }
  return {
    store,
    tamper(next) {
      change = next
    },
  }
}

async function threeRuns(gate: Gate) {
  const session = await openSession(gate)
  const runs = [await session.post(echoes('a')), await session.post(echoes('b', 'c')), await session.post(echoes('d'))]
  for (const run of runs) await run.done()
  return runs as [(typeof runs)[0], (typeof runs)[0], (typeof runs)[0]]
}

describe('replay [S10]', () => {
  it('answers the recorded timeline and outputs, and executes nothing', async () => {
    const { gate, client, store } = createFixture()
    const [, run] = await threeRuns(gate)
    const [asked, logged] = [client.asks.length, (await store.query({ limit: 1_000 })).length]
    const replay = await run.replay()
    assert.deepEqual([replay.run_id, replay.mode, replay.valid], [run.id, 'safe', true])
    assert.deepEqual(
      replay.events.map(({ type }) => type),
      [
        ...['message.appended', 'run.queued', 'run.started'],
        ...['policy.decided', 'tool.started', 'tool.finished', 'policy.decided', 'tool.started', 'tool.finished'],
        'run.finished',
      ],
    )
    const finished = replay.events.filter(({ type }) => type === 'tool.finished')
    const texts = finished.map(({ data }) => (data.result as { result: string }).result)
    assert.deepEqual(texts, ['sent b', 'sent c'])
    assert.deepEqual(await run.replay(), replay, 'replaying twice is the same')
    assert.equal(client.asks.length, asked)
    assert.equal((await store.query({ limit: 1_000 })).length, logged)
  })

  it('is valid for a run that shares its segment with events of other runs', async () => {
    const hold = held()
    const { gate } = createFixture({ reply: () => hold.promise })
    const session = await openSession(gate)
    const [first, second] = [await session.post(echoes('a')), await session.post(echoes('b'))]
    await settle()
    await session.setPolicy({ overrides: [{ tool: 'demo.*', allow: true, constraints: {} }] }).catch(() => {})
    hold.release({})
    for (const run of [first, second]) {
      await run.done()
      assert.equal((await run.replay()).valid, true)
    }
  })

  it('is of a running run what there is until now', async () => {
    const { gate } = createFixture({ reply: () => new Promise(() => {}) })
    const run = await (await openSession(gate)).post(echoes('a'))
    await settle()
    const { valid, events } = await run.replay()
    assert.deepEqual([valid, events.at(-1)?.type], [true, 'tool.started'])
    await gate.close()
  })

  const body = (from: string, to: string) => (row: PositionedEvent) => ({ ...row, body: row.body.replaceAll(from, to) })
  const drop = (type: string) => (row: PositionedEvent) => (row.type === type ? undefined : row)
  const TAMPERING: [what: string, change: (row: PositionedEvent) => PositionedEvent | undefined][] = [
    ['an output', body('sent b', 'sent x')],
    ['a decision', body('"status":"allow"', '"status":"deny"')],
    ['a body that is no JSON any more', (row) => (row.type === 'tool.finished' ? { ...row, body: '{' } : row)],
    ['a missing decision', drop('policy.decided')],
    ['a missing beginning', drop('message.appended')],
    ['a missing end', drop('run.finished')],
    ['an event moved to another run', (row) => (row.type === 'tool.started' ? { ...row, run_id: 'run_9' } : row)],
    ['a swapped hash', (row) => (row.type === 'run.started' ? { ...row, hash: 'f'.repeat(64) } : row)],
  ]
  for (const [what, change] of TAMPERING) {
    it(`finds ${what}, without throwing`, async () => {
      const { store, tamper } = tamperable()
      const { gate } = createFixture({ store })
      const [, run] = await threeRuns(gate)
      assert.equal((await run.replay()).valid, true)
      tamper((row) => (row.run_id === run.id ? change(row) : row))
      const again = await gate.run(run.id).then(
        (found) => found.replay(),
        () => run.replay(),
      )
      assert.equal(again.valid, false)
      assert.equal((await gate.validate()).valid, false)
    })
  }

  it('finds an event of another run that is missing in the segment', async () => {
    const { store, tamper } = tamperable()
    const { gate } = createFixture({ store })
    const session = await openSession(gate)
    const [first, second] = await Promise.all([session.post(echoes('a')), session.post(echoes('b'))])
    for (const run of [first, second]) await run.done()
    tamper((row) => (row.run_id === second.id && row.type === 'run.queued' ? undefined : row))
    assert.equal((await first.replay()).valid, false)
  })

  it('finds an event that claims to be of the run, but stands in another chain', async () => {
    const inner = createMemoryStore()
    const { gate } = createFixture({ store: inner })
    const [, run] = await threeRuns(gate)
    const stray = seal('elsewhere', undefined, [{ type: 'tool.finished', run_id: run.id, data: {} }], counters())
    await inner.append(stray)
    assert.equal((await gate.validate()).valid, true, 'both chains are intact')
    assert.equal((await run.replay()).valid, false)
  })

  it('simulation executes nothing and logs nothing [S10]', async () => {
    const { gate, client, store } = createFixture()
    const { id } = await openSession(gate)
    const logged = (await store.query({ limit: 1_000 })).length
    const ROWS: [Parameters<Gate['simulate']>[0], string, string][] = [
      [{ session_id: id, tool: 'demo.echo', params: { text: 'a' } }, 'allow', 'ALLOWED'],
      [{ session_id: id, tool: 'demo.wipe' }, 'deny', 'DENIED'],
      [{ session_id: id, tool: 'no.such' }, 'deny', 'UNKNOWN_TOOL'],
      [{ session_id: id, tool: 'demo.echo', params: { text: 7 } }, 'deny', 'INVALID_INPUT'],
      [{ tool: 'demo.ping' }, 'deny', 'DENIED'],
      [{ policy: { overrides: [{ tool: 'demo.ping', allow: true }] }, tool: 'demo.ping' }, 'allow', 'ALLOWED'],
    ]
    for (const [input, decision, code] of ROWS) {
      const decided = await gate.simulate(input)
      assert.deepEqual([decided.decision, decided.code], [decision, code])
    }
    const REFUSED: unknown[] = [
      ...[null, 7, [], {}, { tool: 7 }, { tool: 'demo.ping', params: 'x' }, { tool: 'demo.ping', unknown: 1 }],
      ...[
        { tool: 'demo.ping', session_id: id, policy: {} },
        { tool: 'demo.ping', policy: { overrides: 7 } },
      ],
    ]
    for (const input of REFUSED) await assert.rejects(gate.simulate(input as never), { code: 'INVALID_INPUT' })
    await assert.rejects(gate.simulate({ session_id: 'ses_none', tool: 'demo.ping' }), { code: 'NOT_FOUND' })
    assert.equal(client.asks.length, 0)
    assert.equal((await store.query({ limit: 1_000 })).length, logged)
  })

  it('simulation lets no secret of the params out [S11]', async () => {
    const { gate } = createFixture({ secrets: ['correct horse battery'] })
    const policy = { overrides: [{ tool: 'demo.echo', allow: true, constraints: { texts: [] } }] }
    const said = await gate.simulate({ policy, tool: 'demo.echo', params: { text: 'correct horse battery' } })
    assert.equal(said.decision, 'deny')
    assert.ok(!JSON.stringify(said).includes('horse'), JSON.stringify(said))
  })

  it('what simulation says is what a run then does', async () => {
    const { gate } = createFixture()
    const session = await openSession(gate)
    for (const intent of [
      { tool: 'demo.echo', params: { text: 'a' } },
      { tool: 'demo.wipe', params: {} },
      { tool: 'x', params: {} },
    ]) {
      const said = await gate.simulate({ session_id: session.id, ...intent })
      const [step] = (await (await session.post(message(intent))).done()).steps
      assert.deepEqual(step?.details, said)
    }
  })
})
