/** Durable appends of the stores: one by one and many at once. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { ensurePostgres, type Postgres, startPostgres } from '../scripts/postgres.js'
import type { StoredEvent } from '../src/core/event.js'
import type { Store } from '../src/core/store.js'
import { createEmbeddedStore } from '../src/stores/embedded.js'
import { createMemoryStore } from '../src/stores/memory.js'
import { createPostgresStore } from '../src/stores/postgres.js'
import { printTable } from './measure.js'
import { runsOf } from './synthetic-log.js'

const CONCURRENCY = [1, 32, 64]
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

export async function benchStore(): Promise<void> {
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
    for (const [name, open] of Object.entries(stores)) {
      const store = await open()
      for (const concurrency of CONCURRENCY) {
        await appendRate(store, concurrency, 200)
        const [rate, cpu] = await appendRate(store, concurrency, concurrency === 1 ? 2_000 : 600)
        appends.push([name, String(concurrency), rate.toFixed(0), cpu.toFixed(1)])
      }
      await store.close?.()
    }
    printTable('Appends of two or three events', ['store', 'at once', 'appends/s', 'µs of CPU here'], appends)
  } finally {
    await server?.stop()
    rmSync(root, { recursive: true })
  }
}

export async function openPostgres({ connectionString }: Postgres): Promise<Store> {
  const schema = `bench_${crypto.randomUUID().slice(0, 8)}`
  const client = new pg.Client({ connectionString })
  await client.connect()
  await client.query(`CREATE SCHEMA ${schema}`)
  await client.end()
  return createPostgresStore({
    pool: new pg.Pool({ connectionString, options: `-c search_path=${schema}`, pipeline: true }),
  })
}
