/** Lists over HTTP: pages, their order, and the filters of the audit. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createFixture, echo, type Fixture, IMAGE, runOf, sessionOf } from './fixture.js'

describe('pages', () => {
  async function collect({ expect }: Fixture, path: string, key: string, limit: number): Promise<unknown[][]> {
    const pages: unknown[][] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const query = new URLSearchParams({ limit: String(limit), ...(cursor && { cursor }) })
      const answer: Record<string, unknown> = await expect(200, 'GET', `${path}?${query}`)
      pages.push(answer[key] as unknown[])
      cursor = answer.next_cursor as string | null
    }
    return pages
  }

  it('lead through every list, each item once, in the documented order', async () => {
    const fixture = createFixture()
    const ids: string[] = []
    for (let count = 0; count < 5; count++) {
      ids.push(await sessionOf(fixture))
      await fixture.expect(201, 'POST', '/v1/skills', { name: `s${count}`, version: '1', image: IMAGE })
    }
    const session = ids[0] ?? ''
    for (let count = 0; count < 5; count++) {
      await runOf(fixture, session, { role: 'user', content: String(count) })
    }
    const sessions = await collect(fixture, '/v1/sessions', 'sessions', 2)
    assert.deepEqual(
      sessions.map((page) => page.length),
      [2, 2, 1],
    )
    assert.deepEqual(
      sessions.flat().map((item) => (item as { id: string }).id),
      ids.toReversed(),
    )
    const skills = await collect(fixture, '/v1/skills', 'skills', 5)
    assert.deepEqual(
      skills.flat().map((item) => (item as { name: string }).name),
      ['s0', 's1', 's2', 's3', 's4'],
    )
    const messages = await collect(fixture, `/v1/sessions/${session}/messages`, 'messages', 1)
    assert.deepEqual(
      messages.flat().map((item) => (item as { content: string }).content),
      ['0', '1', '2', '3', '4'],
    )
    const all = await fixture.gate.audit({ limit: 1_000 })
    assert.deepEqual((await collect(fixture, '/v1/audit', 'events', 7)).flat(), all.events)
  })

  it('of the audit hold what its filters say, since inclusive and until exclusive', async () => {
    const fixture = createFixture()
    const id = await sessionOf(fixture)
    const run = await runOf(fixture, id, echo('hi'))
    await sessionOf(fixture)
    const { events } = await fixture.gate.audit({ session_id: id })
    const ofType = await fixture.expect(200, 'GET', `/v1/audit?session_id=${id}&type=tool.started`)
    assert.deepEqual(
      ofType.events,
      events.filter(({ type }) => type === 'tool.started'),
    )
    const ofRun = await fixture.expect(200, 'GET', `/v1/audit?run_id=${run.id}`)
    assert.deepEqual(
      ofRun.events,
      events.filter(({ run_id }) => run_id === run.id),
    )
    const since = events.at(-1)?.ts ?? ''
    const sinceLast = await fixture.expect(200, 'GET', `/v1/audit?session_id=${id}&since=${since}`)
    assert.deepEqual(
      sinceLast.events,
      events.filter(({ ts }) => ts >= since),
    )
    const untilLast = await fixture.expect(200, 'GET', `/v1/audit?session_id=${id}&until=${since}`)
    assert.deepEqual(
      untilLast.events,
      events.filter(({ ts }) => ts < since),
    )
  })
})
