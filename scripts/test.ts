/**
 * `npm test`: finds the tests, builds what they need, brings throwaway engines up for the live parts, runs everything
 * with the Node that runs this and takes the engines down again.
 *
 * `npm test -- policy` runs the files whose path contains "policy", `npm test -- !policy` all but those; arguments that
 * start with a dash go to node.
 */
import type { ChildProcess } from 'node:child_process'
import { type Engine, engineEnvironment, ensurePackages, startDocker, startPodman } from './engine.js'
import { findFiles } from './file-search.js'
import { buildIfStale } from './fresh-build.js'
import { ensurePostgres, type Postgres, startPostgres } from './postgres.js'
import { progress } from './progress.js'
import { exitCode, startNode } from './tool-run.js'
import { translate } from './translated/translate.js'

const PLACES: readonly [directory: string, pattern: RegExp][] = [
  ['src', /\/__tests__\/[^/]+\.test\.ts$/],
  ['__tests__', /^__tests__\/[^/]+\.test\.ts$/],
  ['skills', /\/__tests__\/[^/]+\.test\.js$/],
  ['scripts', /\/__tests__\/[^/]+\.test\.ts$/],
]
// The live tests wait for containers more than they compute; more than two at once only slow each other down.
const CONCURRENCY = 2
/** These look at all that is on an engine, or load the machine, so nothing else may use either meanwhile. */
const ALONE = /\/(?:killed-hosts?|probes|provider)\.test\.ts$/
const TEST_TIMEOUT_MS = 180_000

const mustBeLive = process.env.REQUIRE_LIVE === '1'
const engines: (Engine | Postgres)[] = []
let runner: ChildProcess | undefined
let stoppedBy: NodeJS.Signals | undefined

function selectFiles(words: readonly string[]): string[] {
  const all = PLACES.flatMap(([directory, pattern]) => findFiles(directory, (path) => pattern.test(path)))
  const wanted = words.filter((word) => !word.startsWith('!'))
  const unwanted = words.filter((word) => word.startsWith('!')).map((word) => word.slice(1))
  const selected = all
    .filter((path) => wanted.length === 0 || wanted.some((word) => path.includes(word)))
    .filter((path) => !unwanted.some((word) => path.includes(word)))
  if (selected.length === 0) {
    throw new Error(
      `no test file ${words.length > 0 ? `has ${words.join(' or ')} in its path` : 'found'}; nothing was run`,
    )
  }
  return selected
}

/** Where the live tests find a PostgreSQL: the one that is given, or a throwaway one. */
async function postgresEnvironment(): Promise<Record<string, string>> {
  if (process.env.SKILLGATE_TEST_POSTGRES) {
    progress('postgres: using the one in SKILLGATE_TEST_POSTGRES')
    return {}
  }
  try {
    const missing = ensurePostgres({ install: mustBeLive || Boolean(process.env.CI) })
    if (missing !== undefined) throw new Error(missing)
    const server = await startPostgres()
    engines.push(server)
    return { SKILLGATE_TEST_POSTGRES: server.connectionString }
  } catch (error) {
    const { message } = error as Error
    if (mustBeLive) throw new Error(`REQUIRE_LIVE=1, but there is no PostgreSQL: ${message}`)
    progress(`SKIPPING the live tests on PostgreSQL: ${message}`)
    return {}
  }
}

/** Where the live tests find their engines: those that are given, and throwaway ones for those that are not. */
async function liveEnvironment(): Promise<Record<string, string>> {
  const wanted = (['docker', 'podman'] as const).filter((kind) => {
    const name = `SKILLGATE_TEST_${kind.toUpperCase()}`
    if (process.env[name]) progress(`${kind}: using ${name}=${process.env[name]}`)
    return !process.env[name]
  })
  if (wanted.length === 0) return {}
  const install = mustBeLive || Boolean(process.env.CI)
  const { ready, reason } = ensurePackages({ install, kinds: wanted })
  const missing = wanted.filter((kind) => !ready.includes(kind))
  if (missing.length > 0) {
    if (mustBeLive) throw new Error(`REQUIRE_LIVE=1, but there is no ${missing.join(' and no ')} engine: ${reason}`)
    progress(`SKIPPING the live tests on ${missing.join(' and ')}: ${reason}`)
    progress('(REQUIRE_LIVE=1 installs what is missing, SKILLGATE_TEST_DOCKER and SKILLGATE_TEST_IMAGE name an engine)')
  }
  const starts = ready.map(async (kind) => {
    const engine = await (kind === 'docker' ? startDocker : startPodman)()
    engines.push(engine)
    return engineEnvironment(kind, engine)
  })
  const results = await Promise.allSettled(starts)
  const failed = results.filter((result) => result.status === 'rejected')
  for (const { reason } of failed) {
    if (mustBeLive) throw reason
    progress(`SKIPPING the live tests of an engine that does not start: ${reason}`)
  }
  return Object.assign({}, ...results.map((result) => (result.status === 'fulfilled' ? result.value : {})))
}

async function run(args: readonly string[]): Promise<number> {
  const wantedNode = process.env.SKILLGATE_EXPECT_NODE
  progress(`testing on Node ${process.version}`)
  if (wantedNode && !process.version.startsWith(`v${wantedNode}.`)) {
    throw new Error(`Node ${wantedNode} was to run the tests, but this is ${process.version}`)
  }
  const files = selectFiles(args.filter((arg) => !arg.startsWith('-')))
  await buildIfStale()
  // The built command starts in a fraction of the time that its sources take.
  const cli = { SKILLGATE_TEST_CLI: 'dist/cli.js' }
  const typescript = await translate()
  const env = {
    ...process.env,
    ...typescript.env,
    ...cli,
    ...(await liveEnvironment()),
    ...(await postgresEnvironment()),
  }
  if (stoppedBy) return 1
  progress(`running ${files.length} test files`)
  const flags = args.filter((arg) => arg.startsWith('-'))
  let code = 0
  for (const [part, concurrency] of [
    [files.filter((path) => !ALONE.test(path)), CONCURRENCY],
    [files.filter((path) => ALONE.test(path)), 1],
  ] as const) {
    if (part.length === 0 || stoppedBy) continue
    const options = [`--test-concurrency=${concurrency}`, `--test-timeout=${TEST_TIMEOUT_MS}`, '--test-reporter=spec']
    runner = startNode([...typescript.flags, '--test', ...options, ...flags, ...part], env)
    code = Math.max(code, await exitCode(runner))
  }
  return code
}

async function main(): Promise<number> {
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      stoppedBy = name
      progress(`stopping: ${name}`)
      runner?.kill('SIGTERM')
    })
  }
  try {
    return await run(process.argv.slice(2))
  } finally {
    await Promise.all(engines.map((engine) => engine.stop()))
  }
}

main().then(
  (code) => process.exit(stoppedBy ? 1 : code),
  (error: Error) => {
    process.stderr.write(`${error.message}\n`)
    process.exit(1)
  },
)
