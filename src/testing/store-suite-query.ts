/** The part of the store suite that asks: every condition, both orders, limits, and pages. */
import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'node:test'
import type { CleanDraft, EventType, StoredEvent } from '../core/event.js'
import type { EventQuery, Store } from '../core/store.js'
import { sealOnto } from './sealed-chain.js'

const RUN: readonly EventType[] = ['run.queued', 'run.started', 'policy.decided', 'run.finished']
const SESSIONS = ['s3', 's1', 's2']

/** Three chains that grow in turns: a creation, then two runs of four events each. */
function batches(): StoredEvent[][] {
  const last = new Map<string, StoredEvent | undefined>()
  const turns = [0, 1, 2].flatMap((turn) => SESSIONS.map((session) => ({ turn, session })))
  return turns.map(({ turn, session }) => {
    const run = `${session}-run${turn}`
    const drafts: CleanDraft[] =
      turn === 0 ? [{ type: 'session.created', data: {} }] : RUN.map((type) => ({ type, run_id: run, data: { turn } }))
    const events = sealOnto(session, last.get(session), drafts)
    last.set(session, events.at(-1))
    return events
  })
}

type Conditions = Omit<EventQuery, 'limit' | 'order'>

const matches = (event: StoredEvent & { position: number }, wanted: Conditions): boolean =>
  (wanted.session_id === undefined || event.session_id === wanted.session_id) &&
  (wanted.run_id === undefined || event.run_id === wanted.run_id) &&
  (wanted.types === undefined || wanted.types.includes(event.type)) &&
  (wanted.since === undefined || event.ts >= wanted.since) &&
  (wanted.until === undefined || event.ts < wanted.until) &&
  (wanted.after === undefined || event.position > wanted.after) &&
  (wanted.before === undefined || event.position < wanted.before)

/** Declares the tests; `current` answers the store of the test that runs. */
export function testStoreQueries(current: () => Store): void {
  describe('queries', () => {
    let store: Store
    let all: (StoredEvent & { position: number })[]
    beforeEach(async () => {
      store = current()
      const appended = batches()
      for (const events of appended) await store.append(events)
      all = await store.query({ limit: 1_000 })
      assert.equal(all.length, appended.flat().length)
    })

    const CONDITIONS: Record<string, (at: (index: number) => number) => Conditions> = {
      'no condition': () => ({}),
      'a session': () => ({ session_id: 's2' }),
      'an unknown session': () => ({ session_id: 's9' }),
      'a run': () => ({ run_id: 's2-run1' }),
      'an unknown run': () => ({ run_id: 'r9' }),
      'a run of another session': () => ({ run_id: 's2-run1', session_id: 's1' }),
      'a type': () => ({ types: ['run.finished'] }),
      'two types of a session': () => ({ types: ['run.queued', 'session.created'], session_id: 's3' }),
      'no types at all': () => ({ types: [] }),
      'a time to begin with, which counts': () => ({ since: '2026-01-01T00:00:02.000Z' }),
      'a time to end before, which does not count': () => ({ until: '2026-01-01T00:00:02.000Z' }),
      'a span of time in a session': () => ({
        session_id: 's1',
        since: '2026-01-01T00:00:01.000Z',
        until: '2026-01-01T00:00:05.000Z',
      }),
      'a time to the millisecond': () => ({ since: '2026-01-01T00:00:01.001Z' }),
      'positions above one': (at) => ({ after: at(7) }),
      'positions below one': (at) => ({ before: at(7) }),
      'positions between two': (at) => ({ after: at(3), before: at(12) }),
      'nothing between two neighbours': (at) => ({ after: at(3), before: at(4) }),
      'positions of a session': (at) => ({ session_id: 's2', after: at(2), before: at(20) }),
      'positions of a run': (at) => ({ run_id: 's2-run1', after: at(8), before: at(20) }),
      'position 0': () => ({ after: 0 }),
      'everything at once': (at) => ({
        session_id: 's2',
        run_id: 's2-run2',
        types: ['run.queued', 'run.finished'],
        since: '2026-01-01T00:00:05.000Z',
        until: '2026-01-02T00:00:00.000Z',
        after: at(0),
        before: at(26),
      }),
    }
    for (const [what, conditions] of Object.entries(CONDITIONS)) {
      test(`${what}: what matches, in both orders, up to the limit`, async () => {
        const wanted = conditions((index) => all[index]?.position ?? Number.MAX_SAFE_INTEGER)
        const expected = all.filter((event) => matches(event, wanted))
        for (const limit of [1, 2, expected.length, expected.length + 1, 1_000].filter((size) => size > 0)) {
          assert.deepEqual(await store.query({ ...wanted, limit }), expected.slice(0, limit))
          assert.deepEqual(await store.query({ ...wanted, limit, order: 'asc' }), expected.slice(0, limit))
          const backwards = expected.toReversed().slice(0, limit)
          assert.deepEqual(await store.query({ ...wanted, limit, order: 'desc' }), backwards)
        }
      })
    }

    for (const size of [1, 2, 8, 9, 10, 1_000]) {
      test(`pages of ${size} put together are the whole, in both orders`, async () => {
        const own = all.filter(({ session_id }) => session_id === 's2')
        const paged = async (order: 'asc' | 'desc', edge: 'after' | 'before'): Promise<StoredEvent[]> => {
          const read: StoredEvent[] = []
          let at: number | undefined
          // A store that does not move on would be asked for ever.
          while (read.length <= own.length) {
            const from = at === undefined ? {} : { [edge]: at }
            const page = await store.query({ session_id: 's2', ...from, order, limit: size })
            if (page.length === 0) return read
            read.push(...page)
            at = page.at(-1)?.position
          }
          return read
        }
        assert.deepEqual(await paged('asc', 'after'), own)
        assert.deepEqual(await paged('desc', 'before'), own.toReversed())
      })
    }

    test('long chains that grow in turns come in pages, each event once, in both orders', async () => {
      const grown = new Map<string, StoredEvent[]>()
      for (let turn = 0; turn < 8; turn++) {
        for (const session of ['long1', 'long2']) {
          const own = grown.get(session) ?? []
          const drafts = Array.from({ length: 90 }, (): CleanDraft => ({ type: 'message.appended', data: { turn } }))
          const events = sealOnto(session, own.at(-1), drafts)
          await store.append(events)
          grown.set(session, [...own, ...events])
        }
      }
      for (const [session_id, own] of grown) {
        for (const types of [
          undefined,
          ['message.appended' as const],
          ['message.appended' as const, 'run.queued' as const],
        ]) {
          const asked = { session_id, ...(types && { types }), limit: 77 }
          const read: number[] = []
          // A store that knows no positions would answer pages for ever.
          for (let page = await store.query(asked); page.length > 0 && read.length <= own.length; ) {
            read.push(...page.map(({ seq }) => seq))
            page = await store.query({ ...asked, after: page.at(-1)?.position ?? 0 })
          }
          assert.deepEqual(
            read,
            own.map(({ seq }) => seq),
          )
          const last = await store.query({ ...asked, order: 'desc', before: Number.MAX_SAFE_INTEGER })
          assert.deepEqual(
            last.map(({ seq }) => seq),
            own
              .toReversed()
              .slice(0, 77)
              .map(({ seq }) => seq),
          )
        }
        assert.equal((await store.head(session_id))?.seq, own.length)
      }
    })

    test('a page that was begun before an append goes on behind where it stopped', async () => {
      const page = await store.query({ session_id: 's1', limit: 4 })
      const tail = all.filter(({ session_id }) => session_id === 's1').at(-1)
      const added = sealOnto('s1', tail, [{ type: 'run.finished', data: {} }])
      await store.append(added)
      const rest = await store.query({ session_id: 's1', after: page.at(-1)?.position ?? 0, limit: 100 })
      assert.deepEqual(
        [...page, ...rest].map(({ seq }) => seq),
        Array.from({ length: 10 }, (_, index) => index + 1),
      )
    })

    test('chains come in ascending order, in pages, each once', async () => {
      assert.deepEqual(await store.chains({ limit: 10 }), SESSIONS.toSorted())
      assert.deepEqual(await store.chains({ limit: 2 }), ['s1', 's2'])
      assert.deepEqual(await store.chains({ after: 's1', limit: 1 }), ['s2'])
      assert.deepEqual(await store.chains({ after: 's2', limit: 10 }), ['s3'])
      assert.deepEqual(await store.chains({ after: 's20', limit: 10 }), ['s3'])
      assert.deepEqual(await store.chains({ after: 's3', limit: 10 }), [])
    })
  })
}
