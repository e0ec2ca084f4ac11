/** The throwaway engines' command line, `tsx scripts/engine.ts up|down|env|status`, and what demo and tests import. */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { REGISTRY } from './engine/image-push.js'
import { ensurePackages } from './engine/packages.js'
import {
  type EngineKind,
  holdsEngine,
  runningEngine,
  startDocker,
  startPodman,
  stopEngine,
} from './engine/throwaway.js'
import { progress } from './progress.js'

export { askEngine, callEngine, type FoundEngine, findEngine } from './engine/engine-call.js'
export { ensurePackages, type Packages } from './engine/packages.js'
export { type Engine, type EngineKind, type EngineOptions, startDocker, startPodman } from './engine/throwaway.js'

const KINDS: readonly EngineKind[] = ['docker', 'podman']
const START = { docker: startDocker, podman: startPodman }
const USAGE = 'usage: tsx scripts/engine.ts up|down|env|status [--dir DIR] [--only docker|podman]'

/** The environment by which the live tests find an engine. */
export function engineEnvironment(kind: EngineKind, { host, image }: { host: string; image: string }) {
  return kind === 'docker'
    ? { SKILLGATE_TEST_DOCKER: host, SKILLGATE_TEST_IMAGE: image, SKILLGATE_TEST_REGISTRY: REGISTRY }
    : { SKILLGATE_TEST_PODMAN: host, SKILLGATE_TEST_PODMAN_IMAGE: image }
}

/** Each checkout has its own place, so that two of them do not meet. */
function defaultDirectory(): string {
  const root = resolve(fileURLToPath(import.meta.url), '../..')
  return join(tmpdir(), `skillgate-${createHash('sha256').update(root).digest('hex').slice(0, 8)}`)
}

function printEnvironment(kinds: readonly EngineKind[], dir: string): number {
  let printed = 0
  for (const kind of kinds) {
    const engine = runningEngine(join(dir, kind))
    if (!engine) continue
    const pairs = Object.entries(engineEnvironment(kind, engine)).map(([name, value]) => `${name}=${value}`)
    process.stdout.write(`export ${pairs.join(' ')}\n`)
    printed += 1
  }
  return printed
}

async function up(kinds: readonly EngineKind[], dir: string): Promise<number> {
  const packages = ensurePackages({ install: true, kinds })
  const missing = kinds.filter((kind) => !packages.ready.includes(kind))
  if (missing.length > 0) {
    progress(`no ${missing.join(' and no ')} here: ${packages.reason}`)
    return 1
  }
  const stopped = kinds.filter((kind) => !runningEngine(join(dir, kind)))
  const results = await Promise.allSettled(stopped.map((kind) => START[kind]({ dir: join(dir, kind), owned: false })))
  for (const result of results) if (result.status === 'rejected') progress(String(result.reason))
  printEnvironment(kinds, dir)
  return results.some(({ status }) => status === 'rejected') ? 1 : 0
}

/** Ends the engines and removes their files. What else lies in the directory is somebody's, and stays. */
async function down(kinds: readonly EngineKind[], dir: string): Promise<number> {
  for (const kind of kinds) {
    if (!holdsEngine(join(dir, kind))) continue
    await stopEngine(join(dir, kind))
    progress(`${kind}: stopped and removed`)
  }
  const left = existsSync(dir) ? readdirSync(dir) : undefined
  if (left?.length === 0) rmdirSync(dir)
  const foreign = left?.filter((name) => !holdsEngine(join(dir, name))) ?? []
  if (foreign.length > 0) progress(`left in ${dir}, because no engine made it: ${foreign.join(', ')}`)
  return 0
}

function status(kinds: readonly EngineKind[], dir: string): number {
  const running = kinds.filter((kind) => runningEngine(join(dir, kind)))
  for (const kind of kinds) {
    const engine = runningEngine(join(dir, kind))
    process.stdout.write(engine ? `${kind}: running at ${engine.host}, ${engine.image}\n` : `${kind}: not running\n`)
  }
  return running.length > 0 ? 0 : 1
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { dir: { type: 'string' }, only: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
  })
  if (values.help) {
    process.stdout.write(`${USAGE}\n`)
    return 0
  }
  const kinds = values.only ? KINDS.filter((kind) => kind === values.only) : KINDS
  const dir = values.dir ? resolve(values.dir) : defaultDirectory()
  const [verb, ...rest] = positionals
  if (kinds.length === 0 || rest.length > 0) throw new Error(USAGE)
  if (verb === 'up') return up(kinds, dir)
  if (verb === 'down') return down(kinds, dir)
  if (verb === 'status') return status(kinds, dir)
  if (verb === 'env') return printEnvironment(kinds, dir) > 0 ? 0 : 1
  throw new Error(USAGE)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  main().then(
    (code) => process.exit(code),
    (error: Error) => {
      process.stderr.write(`${error.message}\n`)
      process.exit(2)
    },
  )
}
