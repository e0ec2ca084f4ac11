/** Durable appends and reads of the stores: one by one, many at once, and as the log grows. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { ensurePostgres, type Postgres, startPostgres } from '../scripts/postgres.js'
import { type CleanDraft, type Head, type StoredEvent, seal } from '../src/core/event.js'
import type { Store } from '../src/core/store.js'
import { createEmbeddedStore } from '../src/stores/embedded.js'
import { createMemoryStore } from '../src/stores/memory.js'
import { createPostgresStore } from '../src/stores/postgres.js'
import { ms, printTable, quantile, ratio } from './measure.js'

const CONCURRENCY = [1, 32, 64]
const SIZES = [1_000, 100_000, 1_000_000]
const SESSION_LENGTH = 1_000
const output = 'x'.repeat(300)

/** One session at work: each turn appends what the gate appends for an allowed run, sealed beforehand. */
function* runsOf(session: string): Generator<StoredEvent[]> {
  let head: Head | undefined
  const sealed = (drafts: CleanDraft[]): StoredEvent[] => {
    const events = seal(session, head, drafts, {
      now: () => new Date(),
      newId: (kind) => `${kind}_${crypto.randomUUID()}`,
    })
    head = events.at(-1)
    return events
  }
  yield sealed([{ type: 'session.created', data: { session: { id: session } } }])
  for (;;) {
    const run_id = `run_${crypto.randomUUID()}`
    const draft = (type: CleanDraft['type']): CleanDraft => ({ type, run_id, data: { output } })
    yield sealed([draft('message.appended'), draft('run.queued')])
    yield sealed([draft('run.started'), draft('policy.decided'), draft('tool.started')])
    yield sealed([draft('tool.finished'), draft('run.finished')])
  }
}

/** Appends per second with so many sessions at once, and the processor's microseconds for each. */
async function appendRate(store: Store, concurrency: number, perSession: number): Promise<[number, number]> {
  const chains = Array.from({ length: concurrency }, () => {
    const runs = runsOf(`ses_${crypto.randomUUID()}`)
    return Array.from({ length: perSession }, () => runs.next().value as StoredEvent[])
  })
  const cpu = process.cpuUsage()
  const started = performance.now()
  await Promise.all(
    chains.map(async (chain) => {
      for (const events of chain) await store.append(events)
    }),
  )
  const elapsed = performance.now() - started
  const { user, system } = process.cpuUsage(cpu)
  const appends = concurrency * perSession
  return [(appends / elapsed) * 1_000, (user + system) / appends]
}

async function fill(store: Store, from: number, to: number): Promise<{ session: string; run: string }> {
  let last = { session: '', run: '' }
  for (let count = from; count < to; ) {
    const session = `ses_${crypto.randomUUID()}`
    const runs = runsOf(session)
    const appends: Promise<void>[] = []
    for (let length = 0; length < SESSION_LENGTH; ) {
      const events = runs.next().value as StoredEvent[]
      length += events.length
      last = { session, run: events.at(-1)?.run_id ?? last.run }
      appends.push(store.append(events))
    }
    await Promise.all(appends)
    count += SESSION_LENGTH
  }
  return last
}

async function median(read: () => Promise<unknown>): Promise<number> {
  const samples: number[] = []
  for (let round = 0; round < 200; round++) {
    const started = performance.now()
    await read()
    samples.push(performance.now() - started)
  }
  return quantile(samples.slice(50), 0.5)
}

/** `size` bounds how far the log is grown for the reads. */
export async function benchStore({ size }: { size: number }): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'skillgate-bench-'))
  const reason = ensurePostgres({ install: true })
  if (reason !== undefined) console.error(`PostgreSQL is left out: ${reason}`)
  const server = reason === undefined ? await startPostgres() : undefined
  try {
    const stores: Record<string, () => Store | Promise<Store>> = {
      memory: createMemoryStore,
      embedded: () => createEmbeddedStore({ directory: mkdtempSync(join(root, 'store-')) }),
      ...(server && { PostgreSQL: () => openPostgres(server) }),
    }
    const appends: string[][] = []
    const reads: string[][] = []
    for (const [name, open] of Object.entries(stores)) {
      const store = await open()
      for (const concurrency of CONCURRENCY) {
        await appendRate(store, concurrency, 200)
        const [rate, cpu] = await appendRate(store, concurrency, concurrency === 1 ? 2_000 : 600)
        appends.push([name, String(concurrency), rate.toFixed(0), cpu.toFixed(1)])
      }
      await store.close?.()
      if (name !== 'memory') reads.push(...(await readRows(name, await open(), size)))
    }
    printTable('Appends of two or three events', ['store', 'at once', 'appends/s', 'µs of CPU here'], appends)
    printTable(
      'Reads, medians',
      ['store', 'events', 'a run', 'audit page of 500', 'of a session', 'last policy'],
      reads,
    )
  } finally {
    await server?.stop()
    rmSync(root, { recursive: true })
  }
}

async function openPostgres({ connectionString }: Postgres): Promise<Store> {
  const schema = `bench_${crypto.randomUUID().slice(0, 8)}`
  const client = new pg.Client({ connectionString })
  await client.connect()
  await client.query(`CREATE SCHEMA ${schema}`)
  await client.end()
  return createPostgresStore({ pool: new pg.Pool({ connectionString, options: `-c search_path=${schema}` }) })
}

async function readRows(name: string, store: Store, size: number): Promise<string[][]> {
  const rows: string[][] = []
  const firsts: number[] = []
  let filled = 0
  for (const events of SIZES.filter((count) => count <= size)) {
    const { session: session_id, run: run_id } = await fill(store, filled, events)
    filled = events
    const times = [
      await median(() => store.query({ run_id, limit: 100 })),
      await median(() => store.query({ after: Math.floor(events / 2), limit: 500 })),
      await median(() => store.query({ session_id, order: 'desc', limit: 500 })),
      await median(() => store.query({ session_id, types: ['policy.replaced'], order: 'desc', limit: 1 })),
    ]
    rows.push([
      name,
      String(events),
      ...times.map((time, index) => {
        firsts[index] ??= time
        return `${ms(time)} (${ratio(time / (firsts[index] ?? time))})`
      }),
    ])
  }
  await store.close?.()
  return rows
}
