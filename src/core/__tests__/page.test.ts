/** Pages, cursors and filters of everything that is listed. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { AuditQuery } from '../audit.js'
import { EVENT_TYPES } from '../event.js'
import type { Gate } from '../gate.js'
import type { PageRequest } from '../page.js'
import { createFixture, echoes, openSession } from './fixture.js'

async function filled() {
  const { gate } = createFixture()
  const sessions = []
  for (let index = 0; index < 5; index++) sessions.push(await gate.createSession({ label: `session ${index}` }))
  const [first] = sessions
  assert.ok(first !== undefined)
  for (let index = 0; index < 5; index++) await first.post({ role: 'user', content: `message ${index}` })
  for (let index = 0; index < 5; index++) {
    const image = `tool@sha256:${String(index).repeat(64)}`
    await gate.registerSkill({ name: `skill${index}`, version: '1', image })
  }
  const last = await first.post({ role: 'user', content: 'message 5' })
  await last.done()
  return { gate, first }
}

type List = (page: PageRequest) => Promise<{ labels: string[]; next_cursor: string | null }>

/** Every list of the gate, as labels, with the labels that are expected in their order. */
function listsOf({ gate, first }: Awaited<ReturnType<typeof filled>>): Record<string, { list: List; all: string[] }> {
  const numbered = (name: string, count: number) => Array.from({ length: count }, (_, index) => `${name}${index}`)
  return {
    sessions: {
      async list(page) {
        const { sessions, next_cursor } = await gate.sessions(page)
        return { labels: sessions.map(({ label }) => label), next_cursor }
      },
      all: numbered('session ', 5).toReversed(),
    },
    messages: {
      async list(page) {
        const { messages, next_cursor } = await first.messages(page)
        return { labels: messages.map(({ content }) => content), next_cursor }
      },
      all: numbered('message ', 6),
    },
    skills: {
      async list(page) {
        const { skills, next_cursor } = await gate.registeredSkills(page)
        return { labels: skills.map(({ name }) => name), next_cursor }
      },
      all: numbered('skill', 5),
    },
    events: {
      async list(page) {
        const { events, next_cursor } = await gate.audit({ type: 'message.appended', ...page })
        return { labels: events.map(({ data }) => String(data.content)), next_cursor }
      },
      all: numbered('message ', 6),
    },
  }
}

describe('pages', () => {
  for (const name of ['sessions', 'messages', 'skills', 'events']) {
    for (const limit of [1, 2, 4, 5, 6, 1_000, undefined]) {
      it(`${name} in pages of ${limit ?? 'the default'} are all of them once, in order`, async () => {
        const { list, all } = listsOf(await filled())[name] as { list: List; all: string[] }
        const seen: string[] = []
        let cursor: string | null | undefined
        let pages = 0
        while (cursor !== null) {
          const page = await list({ ...(limit !== undefined && { limit }), ...(cursor !== undefined && { cursor }) })
          if (limit !== undefined) assert.ok(page.labels.length <= limit)
          seen.push(...page.labels)
          cursor = page.next_cursor
          pages += 1
        }
        assert.deepEqual(seen, all)
        assert.equal(
          pages,
          limit === undefined ? 1 : Math.ceil(all.length / limit),
          'the last page knows it is the last',
        )
      })
    }

    for (const limit of [0, -1, 1.5, 1_001, Number.NaN, Number.POSITIVE_INFINITY, '5', {}]) {
      it(`${name} refuse a limit of ${JSON.stringify(limit)} (${typeof limit})`, async () => {
        const { list } = listsOf(await filled())[name] as { list: List }
        const refused = { code: 'INVALID_INPUT', details: { field: 'limit' } }
        await assert.rejects(list({ limit: limit as number }), refused)
      })
    }

    const forged = (text: string) => Buffer.from(text).toString('base64url')
    const CURSORS = [
      '',
      '0',
      'x',
      'cDE=',
      `${forged('p1')} `,
      ` ${forged('p1')}`,
      forged('p-1'),
      forged('p1.5'),
      forged('p01'),
    ]
    const NONSENSE = [
      forged('p'),
      forged('q1'),
      forged('p1 '),
      forged('p1\n'),
      forged('p1e5'),
      forged(`p${'9'.repeat(16)}`),
      'é',
      7,
    ]
    for (const cursor of [...CURSORS, ...NONSENSE, 'x'.repeat(100_000)]) {
      it(`${name} refuse the cursor ${JSON.stringify(cursor).slice(0, 30)}`, async () => {
        const { list } = listsOf(await filled())[name] as { list: List }
        const refused = { code: 'INVALID_INPUT', details: { field: 'cursor' } }
        await assert.rejects(list({ cursor: cursor as string }), refused)
      })
    }
  }
})

describe('audit queries', () => {
  const ids = async (gate: Gate, query: AuditQuery): Promise<string[]> =>
    (await gate.audit(query)).events.map(({ event_id }) => event_id)

  it('answer exactly the events that match, oldest first', async () => {
    const { gate } = createFixture()
    const [one, two] = [await openSession(gate), await openSession(gate)]
    const run = await one.post(echoes('a'))
    await run.done()
    await (await two.post(echoes('b'))).done()
    const { events } = await gate.audit()
    const middle = events[5]
    assert.ok(middle !== undefined && events.length === 18)
    const ROWS: [AuditQuery, (event: (typeof events)[0]) => boolean][] = [
      [{ session_id: one.id }, ({ session_id }) => session_id === one.id],
      [{ run_id: run.id }, ({ run_id }) => run_id === run.id],
      [{ run_id: 'run_none' }, () => false],
      [{ session_id: two.id, run_id: run.id }, () => false],
      ...EVENT_TYPES.map((type): (typeof ROWS)[0] => [{ type }, (event) => event.type === type]),
      [{ since: middle.ts }, ({ ts }) => ts >= middle.ts],
      [{ until: middle.ts }, ({ ts }) => ts < middle.ts],
      [{ since: middle.ts, until: middle.ts }, () => false],
      [{ since: middle.ts.replace('Z', '+00:00') }, ({ ts }) => ts >= middle.ts],
      [{ since: '2026-01-01T01:00:05+01:00' }, ({ ts }) => ts >= '2026-01-01T00:00:05.000Z'],
      [{ since: '2026-01-02' }, () => false],
      [{ since: '2024-02-29' }, () => true],
      [{ since: '9999-12-31T23:59:59Z' }, () => false],
    ]
    for (const [query, matches] of ROWS) {
      const expected = events.filter(matches).map(({ event_id }) => event_id)
      assert.deepEqual(await ids(gate, query), expected, JSON.stringify(query))
    }
  })

  const TIMES = [
    '',
    'yesterday',
    '2026',
    '2026-13-01',
    '2026-02-30',
    '2025-02-29T00:00:00Z',
    '2026-04-31T00:00:00+02:00',
    '2026-01-01T24:00:00Z',
    '2026-01-01T00:00:00',
    '2026-01-01 00:00:00Z',
    '1767225600000',
    7,
  ]
  const OUTSIDE = [
    '9999-12-31T23:59:59-23:59',
    '0000-01-01T00:00:00+23:59',
    '2026-01-01T25:00:00Z',
    `2026-01-01T00:00:00.${'1'.repeat(9)}ZZ`,
  ]
  const REFUSED: [AuditQuery, string][] = [
    ...[...TIMES, ...OUTSIDE].flatMap((time): [AuditQuery, string][] => [
      [{ since: time as string }, 'since'],
      [{ until: time as string }, 'until'],
    ]),
    ...['', 'run', 'run.*', 'toString', 7].map((type): [AuditQuery, string] => [
      { type: type as 'run.queued' },
      'type',
    ]),
  ]
  for (const [query, field] of REFUSED) {
    it(`refuse ${JSON.stringify(query)}`, async () => {
      await assert.rejects(createFixture().gate.audit(query), { code: 'INVALID_INPUT', details: { field } })
    })
  }
})

describe('what does not exist', () => {
  for (const id of ['ses_none', '', 'registry', '__proto__', '../x', 'x'.repeat(100_000), 7, undefined, null, {}]) {
    it(`${JSON.stringify(id)?.slice(0, 30)} is NOT_FOUND, as a session and as a run`, async () => {
      const { gate } = await filled()
      const calls: [() => Promise<unknown>, string][] = [
        [() => gate.session(id as string), 'session_id'],
        [() => gate.run(id as string), 'run_id'],
      ]
      // Without a session_id, simulation means the empty policy.
      if (id != null) calls.push([() => gate.simulate({ session_id: id as string, tool: 'demo.ping' }), 'session_id'])
      if (typeof id === 'string' && id !== 'registry') {
        calls.push(
          [() => gate.audit({ session_id: id }), 'session_id'],
          [() => gate.validate({ session_id: id }), 'session_id'],
        )
      }
      for (const [call, field] of calls) {
        await assert.rejects(call(), (error: { code: string; details: unknown; message: string }) => {
          assert.deepEqual([error.code, error.details], ['NOT_FOUND', { field }])
          assert.ok(error.message.length < 200)
          return true
        })
      }
    })
  }
})
