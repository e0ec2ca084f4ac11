/** What reading, replaying and starting cost as the log grows, and what memory a server has taken after many runs. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createGate } from 'skillgate'
import { ensurePostgres, startPostgres } from '../scripts/postgres.js'
import type { Store } from '../src/core/store.js'
import { createEmbeddedStore } from '../src/stores/embedded.js'
import { ms, printTable, quantile, ratio } from './measure.js'
import { openPostgres } from './store.js'
import { fillSession } from './synthetic-log.js'

const SIZES = [1_000, 100_000, 1_000_000]
const SESSION_LENGTH = 1_000
const LONG_SESSION = 100_000
const STARTS = 7

/** `size` bounds how far the logs are grown. */
export async function benchGrowth({ size }: { size: number }): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'skillgate-bench-'))
  const reason = ensurePostgres({ install: true })
  if (reason !== undefined) console.error(`PostgreSQL is left out: ${reason}`)
  const server = reason === undefined ? await startPostgres() : undefined
  try {
    const directory = join(root, 'embedded')
    const rows = await readsOf('embedded', await createEmbeddedStore({ directory }), size)
    if (server !== undefined) rows.push(...(await readsOf('PostgreSQL', await openPostgres(server), size)))
    const columns = ['store', 'events', 'GET run', 'replay', 'audit page', 'page of a session', 'policy in force']
    printTable('Reads through the gate, medians, and to those of the first row', columns, rows)
    const empty = await startMs(join(root, 'empty'))
    const full = await startMs(directory)
    printTable(
      `skillgate serve until it listens, median of ${STARTS} starts`,
      ['log', 'time', 'ratio'],
      [
        ['empty', ms(empty), ratio(1)],
        [`${size + LONG_SESSION} events`, ms(full), ratio(full / empty)],
      ],
    )
  } finally {
    await server?.stop()
    rmSync(root, { recursive: true })
  }
}

/** At each size in sessions of up to 1,000 events, and at last in a session that is long by itself. */
async function readsOf(name: string, store: Store, size: number): Promise<string[][]> {
  const gate = createGate({ skills: [], store })
  const rows: string[][] = []
  const firsts: number[] = []
  const measureReads = async (label: string, { session, run }: { session: string; run: string }, middle: number) => {
    const found = await gate.run(run)
    const times = [
      await median(() => found.read()),
      await median(async () => {
        if (!(await found.replay()).valid) throw new Error(`the replay of ${run} is not valid`)
      }),
      await median(() => store.query({ after: middle, limit: 500 })),
      await median(() => gate.audit({ session_id: session, limit: 500 })),
      await median(async () => (await gate.session(session)).policy()),
    ]
    if (firsts.length === 0) firsts.push(...times)
    rows.push([name, label, ...times.map((time, index) => `${ms(time)} (${ratio(time / (firsts[index] ?? time))})`)])
  }
  let filled = 0
  for (const events of SIZES.filter((count) => count <= size)) {
    let last = { session: '', run: '' }
    for (; filled < events; filled += SESSION_LENGTH) last = await fillSession(store, SESSION_LENGTH)
    await measureReads(String(events), last, Math.floor(events / 2))
  }
  await measureReads(`+ ${LONG_SESSION} in one session`, await fillSession(store, LONG_SESSION), Math.floor(filled / 2))
  await gate.close()
  return rows
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

async function startMs(directory: string): Promise<number> {
  const samples: number[] = []
  for (let round = 0; round <= STARTS; round++) {
    const env = { ...process.env, ADMIN_TOKEN: 'for-the-benchmark', PORT: '0', DATA_DIR: directory }
    const started = performance.now()
    const child = spawn(process.execPath, ['dist/cli.js', 'serve'], { env, stdio: ['ignore', 'pipe', 'ignore'] })
    await once(child.stdout, 'data')
    samples.push(performance.now() - started)
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
  // The first has made the files and warmed the disk's cache.
  return quantile(samples.slice(1), 0.5)
}
