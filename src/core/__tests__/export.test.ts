/** An exported log: every change to it is found, at its place; what cannot be found is known and stated. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createMemoryStore } from '../../stores/memory.js'
import { createExportVerifier, type ExportVerification, exportLog } from '../export.js'
import { createFixture, echoes, openSession } from './fixture.js'

const TAMPERINGS = 10_000

async function exported(): Promise<string[]> {
  const store = createMemoryStore()
  const { gate } = createFixture({ store })
  await gate.registerSkill({ name: 'one', version: '1', image: `a@sha256:${'a'.repeat(64)}` })
  for (let count = 0; count < 4; count++) {
    const session = await openSession(gate)
    for (const text of ['a', 'é\u2028 "quoted" \\ \u0000', 'c'.repeat(500)]) {
      const run = await session.post(echoes(text))
      await run.done()
    }
  }
  const lines: string[] = []
  for await (const line of exportLog(store)) lines.push(line)
  return lines
}

function verify(lines: readonly string[]): ExportVerification {
  const verifier = createExportVerifier()
  for (const line of lines) if (!verifier.line(line)) break
  return verifier.end()
}

/** mulberry32: the same tamperings in every run. */
function createRandom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

const chainAt = (lines: readonly string[], index: number): string | undefined =>
  lines[index] === undefined ? undefined : (JSON.parse(lines[index]) as { session_id: string }).session_id

type Tampering = (lines: string[], at: number, random: (below: number) => number) => void

const TAMPERINGS_BY_KIND: Record<string, Tampering> = {
  edit(lines, at, random) {
    const line = lines[at] ?? ''
    const place = random(line.length)
    const other = String.fromCharCode(line.charCodeAt(place) ^ (1 + random(15)))
    lines[at] = line.slice(0, place) + other + line.slice(place + 1)
  },
  delete: (lines, at) => void lines.splice(at, 1),
  duplicate: (lines, at) => void lines.splice(at, 0, lines[at] ?? ''),
  swap(lines, at, random) {
    const other = (at + 1 + random(lines.length - 1)) % lines.length
    ;[lines[at], lines[other]] = [lines[other] ?? '', lines[at] ?? '']
  },
  'insert an invention': (lines, at) => {
    const event = JSON.parse(lines[at] ?? '') as { data: object }
    lines.splice(at + 1, 0, JSON.stringify({ ...event, data: { ...event.data, invented: true } }))
  },
  'repeat a member': (lines, at) => {
    lines[at] = (lines[at] ?? '').replace('{', '{"seq":1,')
  },
  'blank line': (lines, at) => void lines.splice(at, 0, ''),
}

/** The events after the last of a chain are none, so their absence cannot show without a checkpoint from outside. */
const isTail = (lines: readonly string[], at: number): boolean => chainAt(lines, at) !== chainAt(lines, at + 1)

describe('an exported log', () => {
  it('is intact as it was exported', async () => {
    const lines = await exported()
    assert.deepEqual(verify(lines), { valid: true, chains: 5, events: lines.length })
  })

  it(`shows each of ${TAMPERINGS} changes that can be seen, at its place or right behind it [S33]`, async () => {
    const original = await exported()
    const random = createRandom(7)
    const kinds = Object.entries(TAMPERINGS_BY_KIND)
    let unseen = 0
    for (let count = 0; count < TAMPERINGS; count++) {
      const lines = [...original]
      const [kind, tamper] = kinds[count % kinds.length] as [string, Tampering]
      const at = random(lines.length)
      tamper(lines, at, random)
      if (kind === 'delete' && isTail(original, at)) {
        unseen += 1
        continue
      }
      const { valid, fault } = verify(lines)
      assert.equal(valid, false, `${kind} at line ${at + 1}`)
      if (kind !== 'swap') assert.ok(fault && fault.line >= at + 1 && fault.line <= at + 2, `${kind} at ${at + 1}`)
    }
    assert.ok(unseen < TAMPERINGS / 50, `${unseen} were the end of a chain`)
  })

  it('does not show that the end of a chain, or a whole chain, is missing', async () => {
    const lines = await exported()
    assert.equal(verify(lines.slice(0, -1)).valid, true)
    const first = chainAt(lines, 0)
    assert.equal(verify(lines.filter((_, index) => chainAt(lines, index) !== first)).valid, true)
  })

  it('names the session and the sequence number of the first fault', async () => {
    const lines = await exported()
    const at = lines.findIndex((line) => /"seq":5,/.test(line))
    lines[at] = (lines[at] ?? '').replace('"v":1', '"v":2')
    assert.deepEqual(verify(lines).fault, {
      line: at + 1,
      session_id: chainAt(lines, at),
      seq: 5,
      problem: 'its hash is not that of its contents and of the event before',
    })
  })

  it('is no log when it is empty, or ends within a line', async () => {
    assert.match(createExportVerifier().end().fault?.problem ?? '', /no event/)
    const verifier = createExportVerifier()
    for (const line of await exported()) verifier.line(line)
    assert.match(verifier.end({ isCut: true }).fault?.problem ?? '', /within a line/)
  })

  it('shows what the store spoiled', async () => {
    const store = createMemoryStore()
    const { gate } = createFixture({ store })
    const session = await openSession(gate)
    const spoiling = {
      ...store,
      query: async (query: Parameters<typeof store.query>[0]) =>
        (await store.query(query)).map((event) => (event.seq === 2 ? { ...event, body: '{' } : event)),
    }
    const lines: string[] = []
    for await (const line of exportLog(spoiling, session.id)) lines.push(line)
    assert.deepEqual([verify(lines).fault?.line, verify(lines).fault?.seq], [2, 2])
  })
})
