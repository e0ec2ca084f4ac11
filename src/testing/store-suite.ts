/** The conformance suite of stores: what the log relies on, for any implementation. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { type CleanDraft, createVerifier, type StoredEvent } from '../core/event.js'
import { isFailure } from '../core/failure.js'
import type { Store } from '../core/store.js'
import { sealOnto } from './sealed-chain.js'
import { testStoreKeeping } from './store-suite-keep.js'
import { testStoreQueries } from './store-suite-query.js'

export interface StoreSuiteOptions {
  /** An empty store of its own for each test. It is closed afterwards, when it can be. */
  open(): Store | Promise<Store>
  /** For a store that outlives its process: closes it, and opens what it kept. */
  reopen?(store: Store): Promise<Store>
  /** A reason not to run: each test is then reported as skipped with it. */
  skip?: string | undefined
}

const notes = (count: number, text = 'note'): CleanDraft[] =>
  Array.from({ length: count }, (_, index) => ({ type: 'message.appended', data: { text: `${text} ${index}` } }))

/** What JSON texts can hold that storages are known to spoil. */
const TEXTS: Record<string, string> = {
  'every plane of Unicode': 'é ñ 漢字 \u{1f468}\u200d\u{1f469}\u200d\u{1f467} \u{10ffff} \ufeff \u2028 \u202e',
  'combining characters that must not be normalised': 'e\u0301 \u00e9 \u212b \u00c5',
  'NUL and the other control characters': Array.from({ length: 32 }, (_, code) => String.fromCharCode(code)).join(''),
  'quotes, backslashes and wildcards': `' " \` \\ \\u0000 % _ $1 ? :name @p1 -- /* */ ;`,
  'blanks at both ends': '  \t x \r\n ',
}

/**
 * Declares the suite's tests with node:test, under `name`. Passing it is what makes an object a store: order, all or
 * none, conflicts, every query, paging, and bodies that come back byte for byte.
 *
 * @example
 * ```ts
 * import { createMemoryStore } from 'skillgate/stores/memory'
 * import { testStore } from 'skillgate/testing'
 *
 * testStore('memory', { open: createMemoryStore })
 * ```
 */
export function testStore(name: string, { open, reopen, skip }: StoreSuiteOptions): void {
  describe(`store: ${name}`, { skip: skip ?? false }, () => {
    let store: Store
    beforeEach(async () => {
      store = await open()
    })
    afterEach(() => store?.close?.())

    const read = async (sessionId: string): Promise<StoredEvent[]> => {
      const found = await store.query({ session_id: sessionId, limit: 10_000 })
      return found.map(({ position: _, ...event }) => event)
    }

    test('events come back as they were appended, in order, and the head is the last of them', async () => {
      const events = sealOnto('s1', undefined, notes(5))
      await store.append(events.slice(0, 2))
      await store.append(events.slice(2))
      assert.deepEqual(await read('s1'), events)
      assert.deepEqual(await store.head('s1'), { seq: 5, hash: events[4]?.hash })
    })

    test('a chain without events has no head and no events', async () => {
      await store.append(sealOnto('s1', undefined, notes(1)))
      assert.equal(await store.head('s2'), undefined)
      assert.deepEqual(await read('s2'), [])
    })

    test('positions grow in append order over all chains', async () => {
      const [one, two] = [sealOnto('s1', undefined, notes(2)), sealOnto('s2', undefined, notes(2))]
      const appended = [one.slice(0, 1), two.slice(0, 1), two.slice(1), one.slice(1)]
      for (const events of appended) await store.append(events)
      const found = await store.query({ limit: 10 })
      assert.deepEqual(
        found.map(({ event_id }) => event_id),
        appended.flat().map(({ event_id }) => event_id),
      )
      for (const [index, { position }] of found.entries()) {
        assert.ok(
          Number.isSafeInteger(position) && position > (found[index - 1]?.position ?? 0),
          `position ${position} stands behind ${found[index - 1]?.position}`,
        )
      }
    })

    test('appending nothing changes nothing', async () => {
      await store.append([])
      assert.deepEqual(await store.query({ limit: 10 }), [])
    })

    const chain = sealOnto('s1', undefined, notes(4))
    const [first, second, third, fourth] = chain as [StoredEvent, StoredEvent, StoredEvent, StoredEvent]
    const CONFLICTS: Record<string, StoredEvent[]> = {
      'an event that is there already': [second],
      'the first event again': [first],
      'a gap': [fourth],
      'a gap inside the batch': [third, { ...fourth, seq: 5 }],
      'another predecessor': [{ ...third, prev_hash: first.hash }],
      'another predecessor inside the batch': [third, { ...fourth, prev_hash: second.hash }],
      'the same event twice': [third, third],
      'the wrong order': [fourth, third],
      'a new chain that does not begin at 1': [...sealOnto('s2', first, notes(1))],
      'a good chain beside a bad one': [...sealOnto('s2', undefined, notes(2)), first],
      'a good event before a bad chain': [third, ...sealOnto('s2', first, notes(1))],
    }
    for (const [what, events] of Object.entries(CONFLICTS)) {
      test(`${what} is a CONFLICT, and none of the batch is kept`, async () => {
        await store.append([first, second])
        await assert.rejects(store.append(events), (error) => isFailure(error) && error.code === 'CONFLICT')
        assert.deepEqual(await read('s1'), [first, second])
        assert.deepEqual(await store.head('s1'), { seq: 2, hash: second.hash })
        assert.equal(await store.head('s2'), undefined)
        assert.deepEqual(await store.chains({ limit: 10 }), ['s1'])
        await store.append([third, fourth])
        assert.deepEqual(await read('s1'), chain)
      })
    }

    test('of 50 writers who append to the same end one wins, and the others get CONFLICT', async () => {
      await store.append([first])
      const attempts = Array.from({ length: 50 }, (_, writer) =>
        store.append(sealOnto('s1', first, notes(2, `w${writer}`))),
      )
      const settled = await Promise.allSettled(attempts)
      const won = settled.flatMap(({ status }, writer) => (status === 'fulfilled' ? [writer] : []))
      for (const result of settled) {
        if (result.status === 'rejected') assert.equal(isFailure(result.reason) && result.reason.code, 'CONFLICT')
      }
      assert.equal(won.length, 1)
      assert.deepEqual(await read('s1'), [first, ...sealOnto('s1', first, notes(2, `w${won[0]}`))])
    })

    test('50 writers who try again after a CONFLICT leave one gapless chain with an event of each', async () => {
      const write = async (writer: number): Promise<void> => {
        for (let attempt = 0; attempt < 1_000; attempt++) {
          const last = (await store.query({ session_id: 's1', order: 'desc', limit: 1 }))[0]
          try {
            return await store.append(sealOnto('s1', last, notes(1, `writer ${writer} note`)))
          } catch (error) {
            if (!isFailure(error) || error.code !== 'CONFLICT') throw error
          }
        }
        assert.fail('1 000 attempts were not enough to append one event')
      }
      await Promise.all(Array.from({ length: 50 }, (_, writer) => write(writer)))
      const events = await read('s1')
      const isNext = createVerifier(undefined)
      assert.equal(events.length, 50)
      assert.ok(events.every(isNext), 'the chain is valid')
      assert.equal(new Set(events.map(({ body }) => JSON.parse(body).data.text)).size, 50)
    })

    test('a reader beside a writer sees all of a batch or none of it', async () => {
      const batches = [0, 1, 2, 3].map((index) => sealOnto(`s${index}`, undefined, notes(20)))
      const appends = batches.map((events) => store.append(events))
      const reads = batches.flatMap((_, index) => [read(`s${index}`), read(`s${index}`)])
      for (const events of await Promise.all(reads)) assert.equal(events.length % 20, 0)
      await Promise.all(appends)
    })

    for (const [what, text] of Object.entries(TEXTS)) {
      test(`${what} come back byte for byte`, async () => {
        const drafts: CleanDraft[] = [{ type: 'message.appended', data: { text, [text]: [text] } }]
        await assertUnspoiled(sealOnto('s1', undefined, drafts))
      })
    }

    test('members stay in their canonical order, and numbers as they were written', async () => {
      const data = {
        '-': 0,
        '10': 5e-324,
        '9': 1e21,
        a: 1e-7,
        b: -1.5,
        c: 2 ** 53,
        d: [{ '2': true, '1': null, '': false }],
      }
      await assertUnspoiled(sealOnto('s1', undefined, [{ type: 'tool.finished', data }]))
    })

    test('escaped lone surrogates, which a body may hold as text, come back byte for byte', async () => {
      const [event] = sealOnto('s1', undefined, notes(1)) as [StoredEvent]
      const body = event.body.replace('note 0', '\\ud800 \\udfff \\u0000')
      await store.append([{ ...event, body }])
      assert.equal((await read('s1'))[0]?.body, body)
    })

    test('values of a megabyte come back byte for byte', async () => {
      const long = ['x'.repeat(1024 ** 2), '漢'.repeat(350_000), '\\'.repeat(512 * 1024)]
      const drafts = long.map((text): CleanDraft => ({ type: 'tool.finished', run_id: 'r1', data: { text } }))
      await assertUnspoiled(sealOnto('s1', undefined, drafts))
    })

    async function assertUnspoiled(events: StoredEvent[]): Promise<void> {
      await store.append(events)
      const found = await read('s1')
      const isNext = createVerifier(undefined)
      // Compared one by one: a difference in a megabyte is not to be printed whole.
      for (const [index, event] of events.entries()) {
        assert.ok(found[index]?.body === event.body, `body ${index} came back changed`)
        assert.ok(found[index] !== undefined && isNext(found[index]), `event ${index} no longer verifies`)
      }
      assert.equal(found.length, events.length)
    }

    const IDS = [
      'registry',
      "'; DROP TABLE events; --",
      '__proto__',
      'constructor',
      'é漢\u{1f600}',
      'a%',
      'a_',
      'A',
      'a',
      ' a',
    ]
    test('chains are told apart by exactly their ids', async () => {
      for (const [index, id] of IDS.entries()) await store.append(sealOnto(id, undefined, notes(index + 1)))
      for (const [index, id] of IDS.entries()) {
        assert.equal((await store.head(id))?.seq, index + 1, JSON.stringify(id))
        assert.equal((await read(id)).length, index + 1, JSON.stringify(id))
      }
    })

    test('what a caller does to its events afterwards does not reach the store', async () => {
      const [event] = sealOnto('s1', undefined, notes(1)) as [StoredEvent]
      const batch = [{ ...event }]
      await store.append(batch)
      if (batch[0] !== undefined) batch[0].body = '{}'
      const [found] = await store.query({ limit: 1 })
      try {
        if (found !== undefined) found.body = '{}'
      } catch {
        // A store may as well answer frozen events.
      }
      assert.deepEqual(await read('s1'), [event])
    })

    testStoreQueries(() => store)
    testStoreKeeping(() => store)

    if (reopen !== undefined) {
      test('what was appended before a store is closed is there when it is opened again, and goes on', async () => {
        const events = sealOnto('s1', undefined, notes(3))
        const opens = { run_id: 'r1', session_id: 's1', payload: Uint8Array.of(0, 255) }
        const answer = { key: 'k', request_hash: 'h', body: '{}', expires_at: '2026-01-02T00:00:00.000Z' }
        await store.append(events.slice(0, 2), { opens, answer })
        const before = await store.query({ limit: 10 })
        store = await reopen(store)
        assert.deepEqual(await store.query({ limit: 10 }), before)
        assert.deepEqual(await store.head('s1'), { seq: 2, hash: events[1]?.hash })
        assert.deepEqual(Uint8Array.from((await store.openRun('r1'))?.payload ?? []), opens.payload)
        assert.equal((await store.answer('k', '2026-01-01T00:00:00.000Z'))?.body, '{}')
        await store.append(events.slice(2))
        assert.deepEqual(await read('s1'), events)
        assert.deepEqual(store.repairs?.() ?? [], [])
      })
    }
  })
}
