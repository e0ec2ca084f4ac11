/** The part of the store suite about what is kept beside events: open runs, and the answers of keyed requests. */
import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'node:test'
import type { StoredEvent } from '../core/event.js'
import { type FailureCode, isFailure } from '../core/failure.js'
import type { KeptAnswer, OpenRun, Store } from '../core/store.js'
import { sealOnto } from './sealed-chain.js'

const queued = (session: string, run_id: string, after?: StoredEvent): StoredEvent[] =>
  sealOnto(session, after, [
    { type: 'message.appended', data: {} },
    { type: 'run.queued', run_id, data: {} },
  ])

const run = (run_id: string, session_id = 's1'): OpenRun => ({
  run_id,
  session_id,
  payload: Uint8Array.from({ length: 256 }, (_, byte) => byte),
})

/** The events of `sealOnto` happen on this day, second after second. */
const answer = (key: string, expires_at = '2026-01-02T00:00:00.000Z', body = `{"of":"${key}"}`): KeptAnswer => ({
  key,
  request_hash: `hash of ${key}`,
  body,
  expires_at,
})

const has = (code: FailureCode) => (error: unknown) => isFailure(error) && error.code === code
const NOON = '2026-01-01T12:00:00.000Z'

/** Declares the tests; `current` answers the store of the test that runs. */
export function testStoreKeeping(current: () => Store): void {
  describe('open runs and answers', () => {
    let store: Store
    beforeEach(() => {
      store = current()
    })
    const openIds = async (page: { after?: number; limit: number } = { limit: 100 }): Promise<string[]> =>
      (await store.openRuns(page)).map(({ run_id }) => run_id)

    test('a run is open from the append that opens it until its run.finished', async () => {
      const events = queued('s1', 'r1')
      assert.equal(await store.openRun('r1'), undefined)
      await store.append(events, { opens: run('r1') })
      const found = await store.openRun('r1')
      assert.ok(found !== undefined, 'the run is open')
      assert.deepEqual({ ...found, payload: Uint8Array.from(found.payload) }, { ...found, ...run('r1') })
      assert.deepEqual(await openIds(), ['r1'])
      const started = sealOnto('s1', events[1], [{ type: 'run.started', run_id: 'r1', data: {} }])
      await store.append(started)
      assert.deepEqual(await openIds(), ['r1'])
      await store.append(sealOnto('s1', started[0], [{ type: 'run.finished', run_id: 'r1', data: {} }]))
      assert.deepEqual(await openIds(), [])
      assert.equal(await store.openRun('r1'), undefined)
    })

    test('open runs come in the order in which they were opened, in pages', async () => {
      const ids = ['r9', 'r2', 'r5', 'r1']
      for (const [index, id] of ids.entries()) {
        await store.append(queued(`s${index}`, id), { opens: run(id, `s${index}`) })
      }
      assert.deepEqual(await openIds(), ids)
      const first = await store.openRuns({ limit: 2 })
      assert.deepEqual(await openIds({ after: first[1]?.position ?? 0, limit: 1 }), ['r5'])
      assert.deepEqual(await openIds({ after: first[1]?.position ?? 0, limit: 5 }), ['r5', 'r1'])
      await store.append(sealOnto('s0', queued('s0', 'r9')[1], [{ type: 'run.finished', run_id: 'r9', data: {} }]))
      assert.deepEqual(await openIds(), ids.slice(1))
    })

    test('an append that is refused opens and finishes no run, and keeps no answer', async () => {
      const events = queued('s1', 'r1')
      await store.append(events, { opens: run('r1') })
      const stale = sealOnto('s1', events[0], [{ type: 'run.finished', run_id: 'r1', data: {} }])
      await assert.rejects(store.append(stale, { opens: run('r2'), answer: answer('k') }), has('CONFLICT'))
      assert.deepEqual(await openIds(), ['r1'])
      assert.equal(await store.answer('k', NOON), undefined)
    })

    test('an answer is kept without an event, and its key is taken', async () => {
      await store.append([], { answer: answer('k') })
      assert.equal((await store.answer('k', NOON))?.body, '{"of":"k"}')
      const again = store.append(queued('s1', 'r1'), { opens: run('r1'), answer: answer('k') })
      await assert.rejects(again, has('IDEMPOTENCY_MISMATCH'))
      assert.deepEqual(await openIds(), [])
    })

    test('an answer is found under exactly its key until it expires', async () => {
      const body = '{"text":"é 漢字 \u{1f600} \\u0000 \\ud800"}'
      await store.append(queued('s1', 'r1'), { answer: answer('POST /a s1 k', '2026-01-02T00:00:00.000Z', body) })
      assert.deepEqual(
        { ...(await store.answer('POST /a s1 k', NOON)), key: undefined },
        { ...answer('POST /a s1 k', '2026-01-02T00:00:00.000Z', body), key: undefined },
      )
      assert.notEqual(await store.answer('POST /a s1 k', '2026-01-01T23:59:59.999Z'), undefined)
      assert.equal(await store.answer('POST /a s1 k', '2026-01-02T00:00:00.000Z'), undefined)
      for (const key of ['POST /a s1 K', 'POST /a s1', '', 'POST /a s1 k ']) {
        assert.equal(await store.answer(key, NOON), undefined, JSON.stringify(key))
      }
    })

    test('a key that is taken refuses the append, and one that has expired is free again', async () => {
      const [first, second] = queued('s1', 'r1') as [StoredEvent, StoredEvent]
      await store.append([first], { answer: answer('k', '2026-01-01T00:00:02.000Z') })
      const third = sealOnto('s1', first, [{ type: 'message.appended', data: { other: true } }])
      await assert.rejects(
        store.append([{ ...second, ts: '2026-01-01T00:00:01.999Z' }], { answer: answer('k') }),
        has('IDEMPOTENCY_MISMATCH'),
      )
      assert.deepEqual(await store.head('s1'), { seq: 1, hash: first.hash })
      const later = third.map((event) => ({ ...event, ts: '2026-01-01T00:00:02.000Z' }))
      await store.append(later, { answer: answer('k', '2026-01-03T00:00:00.000Z', '{"again":true}') })
      assert.equal((await store.answer('k', NOON))?.body, '{"again":true}')
    })

    test('of 50 requests with one key at once one is kept', async () => {
      const attempts = Array.from({ length: 50 }, (_, index) =>
        store.append(queued(`s${index}`, `r${index}`), { opens: run(`r${index}`, `s${index}`), answer: answer('k') }),
      )
      const settled = await Promise.allSettled(attempts)
      const won = settled.flatMap(({ status }, index) => (status === 'fulfilled' ? [`r${index}`] : []))
      assert.equal(won.length, 1)
      assert.deepEqual(await openIds(), won)
      for (const result of settled) {
        if (result.status === 'rejected') assert.ok(has('IDEMPOTENCY_MISMATCH')(result.reason), String(result.reason))
      }
    })

    test('of appends in one tick the good ones are kept whatever becomes of the others', async () => {
      const before = queued('s1', 'r0')
      await store.append(before, { answer: answer('taken') })
      const [one, two] = [queued('s1', 'r1', before[1]), queued('s1', 'r2', before[1])]
      const next = sealOnto('s1', one[1], [{ type: 'run.finished', run_id: 'r1', data: {} }])
      const outcomes = await Promise.allSettled([
        store.append(one, { opens: run('r1') }),
        store.append(two, { opens: run('r2'), answer: answer('new') }),
        store.append(queued('s2', 'r3'), { opens: run('r3', 's2'), answer: answer('taken') }),
        store.append(queued('s3', 'r4'), { opens: run('r4', 's3'), answer: answer('new') }),
        store.append(next),
        store.append(queued('s2', 'r5'), { opens: run('r5', 's2') }),
        store.append([]),
      ])
      const CONFLICT = 'CONFLICT'
      assert.deepEqual(
        outcomes.map((outcome) => (outcome.status === 'fulfilled' ? 'kept' : outcome.reason.code)),
        ['kept', CONFLICT, 'IDEMPOTENCY_MISMATCH', 'kept', 'kept', 'kept', 'kept'],
      )
      const kept = await store.query({ limit: 100 })
      assert.deepEqual(
        kept.map(({ event_id }) => event_id),
        [...before, ...one, ...queued('s3', 'r4'), ...next, ...queued('s2', 'r5')].map(({ event_id }) => event_id),
      )
      assert.deepEqual(await openIds(), ['r4', 'r5'])
      assert.equal((await store.answer('new', NOON))?.body, '{"of":"new"}')
    })
  })
}
