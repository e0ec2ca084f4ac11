/** The hash chain: how an event is sealed, and that every kind of tampering is found. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import { type CleanDraft, createVerifier, GENESIS_HASH, readEvent, type StoredEvent, seal } from '../event.js'
import { validateAll, validateChain } from '../replay.js'
import type { EventQuery, Store } from '../store.js'
import { counters } from './fixture.js'

const DRAFTS: CleanDraft[] = [
  { type: 'session.created', data: { session: { id: 's1' } } },
  { type: 'message.appended', run_id: 'r1', data: { message_id: 'm1', content: 'é\u2028', role: 'user' } },
  { type: 'run.queued', run_id: 'r1', data: { intents: 0 } },
  { type: 'run.started', run_id: 'r1', data: {} },
  { type: 'run.finished', run_id: 'r1', data: { status: 'completed' } },
]

const chainOf = (sessionId = 's1'): StoredEvent[] => seal(sessionId, undefined, DRAFTS, counters())

/** A store that answers these rows as they are: what an attacker with the storage in hand leaves behind. */
function rowsAsStore(rows: readonly StoredEvent[]): Store {
  const all = rows.map((row, index) => ({ ...row, position: index + 1 }))
  return {
    append: async () => {},
    head: async () => undefined,
    query: async ({ session_id, after = 0, limit }: EventQuery) =>
      all.filter((row) => row.session_id === session_id && row.position > after).slice(0, limit),
    chains: async ({ after = '', limit }) =>
      [...new Set(rows.map((row) => row.session_id))]
        .sort()
        .filter((id) => id > after)
        .slice(0, limit),
    openRuns: async () => [],
    openRun: async () => undefined,
    answer: async () => undefined,
  }
}

/** The row with its body changed, and its hash recomputed as somebody would who does not touch the rows after it. */
function rehashed(row: StoredEvent, edit: (body: string) => string): StoredEvent {
  const body = edit(row.body)
  return { ...row, body, hash: createHash('sha256').update(row.prev_hash).update(body, 'utf8').digest('hex') }
}

const replaced = <T>(list: readonly T[], index: number, ...items: T[]): T[] => list.toSpliced(index, 1, ...items)

describe('sealing', () => {
  it('ties each event to the one before by the documented hash', () => {
    let previous = '0'.repeat(64)
    for (const [index, { body, ...row }] of chainOf().entries()) {
      const event = JSON.parse(body)
      assert.equal(GENESIS_HASH, '0'.repeat(64))
      assert.equal(row.seq, index + 1)
      assert.equal(row.prev_hash, previous)
      assert.equal(
        row.hash,
        createHash('sha256')
          .update(previous + body, 'utf8')
          .digest('hex'),
      )
      assert.match(row.ts, /^2026-01-01T00:00:0\d\.000Z$/)
      const { run_id, ...columns } = { ...row, hash: undefined }
      for (const [name, value] of Object.entries(columns)) assert.deepEqual(event[name], value, name)
      assert.equal(event.run_id ?? null, run_id)
      assert.deepEqual(Object.keys(event), Object.keys(event).sort(), 'the body is canonical')
      assert.equal(event.v, 1)
      previous = row.hash
    }
  })

  it('goes on from a head as if it had never stopped', () => {
    const ids = counters()
    const first = seal('s1', undefined, DRAFTS.slice(0, 2), ids)
    const rest = seal('s1', first.at(-1), DRAFTS.slice(2), ids)
    assert.deepEqual([...first, ...rest], chainOf())
  })

  it('shows a reader exactly what was hashed', () => {
    for (const row of chainOf()) {
      const { hash, ...event } = readEvent(row)
      assert.deepEqual(event, JSON.parse(row.body))
      assert.equal(hash, row.hash)
    }
  })
})

describe('tampering [S9]', () => {
  const chain = chainOf()
  const row = (index: number): StoredEvent => chain[index] as StoredEvent
  const changed = (index: number, fields: Partial<StoredEvent>) => replaced(chain, index, { ...row(index), ...fields })
  const edited = (index: number, edit: (body: string) => string) => changed(index, { body: edit(row(index).body) })

  const COLUMNS: [keyof StoredEvent, unknown][] = [
    ['session_id', 's2'],
    ['event_id', 'evt_9'],
    ['ts', '2026-01-01T00:00:09.000Z'],
    ['run_id', 'r9'],
    ['run_id', null],
    ['type', 'run.started'],
    ['prev_hash', 'f'.repeat(64)],
    ['hash', 'f'.repeat(64)],
    ['seq', 9],
    ['body', '{}'],
    ['body', 'null'],
    ['body', '[]'],
    ['body', ''],
    ['body', '{"data":'],
  ]
  for (const [index] of chain.entries()) {
    for (const [column, value] of COLUMNS) {
      if (row(index)[column] === value) continue
      // A row that moved to another chain is missing in its own, and too many in the other.
      const expected = column === 'session_id' ? index : index
      it(`${column} ${JSON.stringify(value).slice(0, 12)} in event ${index} is found there`, async () => {
        const rows = changed(index, { [column]: value })
        const found = await validateChain(rowsAsStore(rows), 's1')
        const last = column === 'session_id' && index === chain.length - 1
        assert.equal(found.valid, last, 'only a missing last event looks like a shorter chain')
        assert.equal(found.invalid_index, last ? -1 : expected)
        assert.equal((await validateAll(rowsAsStore(rows))).valid, false)
      })
    }
  }

  const ROWS: [what: string, rows: StoredEvent[], at: number][] = [
    ['one letter of a message', edited(1, (body) => body.replace('"user"', '"usor"')), 1],
    ['a blank in the JSON', edited(2, (body) => body.replace('{', '{ ')), 2],
    [
      'an edit with its hash recomputed',
      replaced(
        chain,
        1,
        rehashed(row(1), (body) => body.replace('user', 'usor')),
      ),
      2,
    ],
    ...['seq', 'prev_hash', 'session_id', 'run_id', 'type', 'ts', 'event_id'].map(
      (name): [string, StoredEvent[], number] => {
        const other = (body: string) => JSON.stringify({ ...JSON.parse(body), [name]: name === 'seq' ? 6 : 'other' })
        return [
          `another ${name} in the last body, with its hash recomputed`,
          replaced(chain, 4, rehashed(row(4), other)),
          4,
        ]
      },
    ),
    [
      'another seq of the last event, with body and hash recomputed',
      replaced(chain, 4, { ...rehashed(row(4), (body) => body.replace('"seq":5', '"seq":6')), seq: 6 }),
      4,
    ],
    ['the first event deleted', chain.slice(1), 0],
    ['an event in the middle deleted', chain.toSpliced(2, 1), 2],
    ['two events deleted', chain.toSpliced(1, 2), 1],
    ['an event inserted', chain.toSpliced(2, 0, { ...row(2), event_id: 'evt_9' }), 2],
    ['a forged event inserted with a right hash', chain.toSpliced(2, 0, forged(row(1))), 3],
    ['an event twice', chain.toSpliced(2, 0, row(2)), 3],
    ['the whole chain twice', [...chain, ...chain], 5],
    ['two neighbours swapped', [row(0), row(2), row(1), row(3), row(4)], 1],
    ['the chain reversed', chain.toReversed(), 0],
    [
      'an event of another chain put in',
      replaced(chain, 2, { ...(chainOf('s2')[2] as StoredEvent), session_id: 's1' }),
      2,
    ],
    ['a body of another event', changed(3, { body: row(2).body, hash: row(2).hash }), 3],
  ]
  for (const [what, rows, at] of ROWS) {
    it(`${what} is found at ${at}`, async () => {
      const one = await validateChain(rowsAsStore(rows), 's1')
      assert.deepEqual(one, { valid: false, invalid_index: at, event_count: rows.length, session_id: 's1' })
      const all = await validateAll(rowsAsStore([...chainOf('a'), ...rows, ...chainOf('z')]))
      assert.deepEqual(all, { ...one, event_count: rows.length + 10 })
    })
  }

  it('an intact chain is valid, and so is one whose tail is missing, as documented', async () => {
    for (const rows of [chain, chain.slice(0, 3), []]) {
      const expected = { valid: true, invalid_index: -1, event_count: rows.length }
      assert.deepEqual(await validateChain(rowsAsStore(rows), 's1'), expected)
      assert.deepEqual(await validateAll(rowsAsStore(rows)), expected)
    }
  })

  it('the first of two faulty chains is named, and all events are counted', async () => {
    const rows = ['a', 'b', 'c'].flatMap((id) => (id === 'a' ? chainOf(id) : chainOf(id).toSpliced(3, 1)))
    const found = await validateAll(rowsAsStore(rows))
    assert.deepEqual(found, { valid: false, invalid_index: 3, event_count: 13, session_id: 'b' })
  })

  it('a chain longer than a page is verified over its pages', async () => {
    const long = seal('s1', undefined, Array(1_201).fill(DRAFTS[0]), counters())
    assert.equal((await validateChain(rowsAsStore(long), 's1')).valid, true)
    const at = await validateChain(rowsAsStore(long.toSpliced(1_000, 1)), 's1')
    assert.deepEqual([at.invalid_index, at.event_count], [1_000, 1_200])
  })

  it('a verifier that begins in the middle knows only what follows', () => {
    const [isNext, tooEarly] = [createVerifier(row(1)), createVerifier(row(0))]
    assert.deepEqual(chain.slice(2).map(isNext), [true, true, true])
    assert.deepEqual(chain.slice(2).map(tooEarly), [false, true, true])
  })

  it('a body that the store spoiled is read from what is left, without data', () => {
    for (const body of ['', 'null', '7', '"x"', '[]', '{}', '{"data":null}', '{"data":']) {
      const { data, ...event } = readEvent({ ...row(1), body })
      const { body: _, ...columns } = row(1)
      assert.deepEqual(event, { v: 1, ...columns })
      assert.deepEqual(data, {})
    }
  })
})

/** An event that follows `previous` correctly, made by somebody who knows the format. */
function forged(previous: StoredEvent): StoredEvent {
  const [event] = seal('s1', previous, [{ type: 'policy.replaced', data: {} }], counters())
  return event as StoredEvent
}
