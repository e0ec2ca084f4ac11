/**
 * `npm run bench`: every performance claim, as ratios within this run. Uses the engine in SKILLGATE_TEST_DOCKER and
 * SKILLGATE_TEST_IMAGE when set, else a throwaway one. `npm run bench -- overhead` runs the parts whose name is given,
 * `growth million` grows the logs to a million events, and `memory` (only when asked for: minutes) lets a server execute
 * 200,000 runs.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { ensurePackages, startDocker } from '../scripts/engine.js'
import { ensurePostgres, startPostgres } from '../scripts/postgres.js'
import { benchDoors } from './doors.js'
import { benchGatewayHop } from './gateway-hop.js'
import { benchGrowth } from './growth.js'
import { benchOverhead } from './overhead.js'
import { benchReadActions } from './read-actions.js'
import { benchRedaction } from './redaction.js'
import { benchPeers } from './redaction-peers.js'
import { benchRun } from './run.js'
import { benchMemory, benchServe } from './serve.js'
import { benchStore } from './store.js'

const parts = process.argv.slice(2)
const wanted = (part: string): boolean => parts.length === 0 || parts.includes(part)

console.log(`Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}`)
if (wanted('redaction')) await benchRedaction()
if (wanted('peers')) await benchPeers()
if (wanted('overhead')) await benchOverhead()
if (wanted('gateway')) await benchGatewayHop()
if (wanted('serve')) await inDirectory(benchStoresServed)
if (wanted('doors')) await benchDoors()
if (wanted('store')) await benchStore()
if (wanted('growth')) await benchGrowth({ size: parts.includes('million') ? 1_000_000 : 100_000 })
if (parts.includes('memory')) await inDirectory(benchMemory)
if (wanted('read') || wanted('run')) {
  const engine = await engineForBench()
  try {
    if (wanted('read')) await benchReadActions(engine.host, engine.image, 500)
    if (wanted('run')) await benchRun(engine.host, engine.image, 30)
  } finally {
    await engine.stop()
  }
}

// secretlint goes on measuring every text that it was given, for minutes.
process.exit()

async function engineForBench(): Promise<{ host: string; image: string; stop(): Promise<void> }> {
  const { SKILLGATE_TEST_DOCKER: host, SKILLGATE_TEST_IMAGE: image } = process.env
  if (host !== undefined && image !== undefined) return { host, image, stop: async () => {} }
  const { ready, reason } = ensurePackages({ install: true, kinds: ['docker'] })
  if (ready.includes('docker')) return startDocker()
  throw new Error(
    `${reason}. Set SKILLGATE_TEST_DOCKER and SKILLGATE_TEST_IMAGE to an engine and a busybox image by digest.`,
  )
}

async function inDirectory(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'skillgate-bench-'))
  try {
    await work(directory)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

/** Every store behind the same server, beside servers that do less: read and write JSON, and keep such a log. */
async function benchStoresServed(directory: string): Promise<void> {
  const reason = ensurePostgres({ install: true })
  const postgres = reason === undefined ? await startPostgres() : undefined
  if (postgres === undefined) console.log(`PostgreSQL is left out: ${reason}`)
  try {
    await benchServe([
      { name: 'bare node:http', args: ['serve-host.mjs', 'bare'] },
      { name: 'least in memory', args: ['least-host.mjs', 'memory'] },
      { name: 'least durable', args: ['least-host.mjs', directory], isReference: true },
      { name: 'memory', args: ['serve-host.mjs', 'memory'], isReference: true },
      { name: 'embedded', args: ['serve-host.mjs', 'embedded', directory] },
      ...(postgres ? [{ name: 'PostgreSQL', args: ['serve-host.mjs', 'postgres', postgres.connectionString] }] : []),
    ])
  } finally {
    await postgres?.stop()
  }
}
