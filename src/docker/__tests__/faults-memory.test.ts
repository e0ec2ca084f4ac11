/** Answers without end: what a reader holds of them is bounded, whichever call they answer. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { RunOutcome } from '../../core/run-spec.js'
import { createFakeEngine, providerPrograms } from '../../testing/index.js'
import { createDockerProvider } from '../index.js'
import { type FaultCase, judge, RUN, watchProcess } from './fault-case.js'
import { type FaultKind, ONE_LINE, WITHOUT_END } from './fault-table.js'

const MAX_GROWTH = 32 * 1024 * 1024
/** Between samples, which take their time themselves: a small part of it all must be theirs. */
const PAUSE_MS = 20
const PAUSE_FACTOR = 4

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** What is held, without what only waits to be collected. */
function held(): number {
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** The most that was held while it went on, beyond what was held before, in bytes. */
async function growthOf(work: () => Promise<void>): Promise<{ growth: number; samples: number }> {
  const before = held()
  let most = before
  let samples = 0
  let sampling: NodeJS.Timeout
  const sample = () => {
    const startedAt = performance.now()
    samples++
    most = Math.max(most, held())
    sampling = setTimeout(sample, PAUSE_MS + PAUSE_FACTOR * (performance.now() - startedAt))
  }
  sampling = setTimeout(sample, PAUSE_MS)
  try {
    await work()
  } finally {
    clearTimeout(sampling)
  }
  return { growth: Math.max(most, held()) - before, samples }
}

const ATTACH = 'POST /containers/{id}/attach'
const LOGS = 'GET /containers/{id}/logs'

const CALLS: Omit<FaultCase, 'kind' | 'expected'>[] = [
  { method: 'GET', path: '/containers', route: 'GET /_ping' },
  { method: 'GET', path: '/containers', route: 'GET /version' },
  { method: 'GET', path: '/containers', route: 'GET /containers/json' },
  { method: 'GET', path: '/containers/x', route: 'GET /containers/{id}/json' },
  { method: 'GET', path: '/containers/x/logs', route: LOGS },
  { method: 'GET', path: '/containers/x/stats', route: 'GET /containers/{id}/stats' },
  { method: 'GET', path: '/images', route: 'GET /images/json' },
  { method: 'POST', path: '/containers/x/start', route: 'POST /containers/{id}/start' },
  { method: 'POST', path: '/containers/x/stop?timeout=0', route: 'POST /containers/{id}/stop' },
  ...['GET /info', 'GET /images/{name}/json', 'POST /containers/create', ATTACH].map((route) => ({
    method: 'POST' as const,
    path: RUN,
    route,
  })),
  { method: 'POST', path: RUN, route: 'GET /containers/{id}/json', nth: 1 },
  { method: 'POST', path: RUN, route: 'POST /containers/{id}/start' },
  { method: 'POST', path: RUN, route: 'POST /containers/{id}/wait' },
  { method: 'POST', path: RUN, route: 'GET /containers/{id}/json', nth: 2 },
]

/** Of a ping, only the headers are looked at. */
const expectedOf = (route: string, kind: FaultKind): FaultCase['expected'] =>
  route === 'GET /_ping' && kind.name.startsWith('sends values') ? 'ok' : kind.gives

/** An attach that is taken over has no body, so nothing but frames can come without end. */
const kindsFor = (route: string): FaultKind[] =>
  route === ATTACH ? WITHOUT_END.filter(({ name }) => /headers|refuses|preliminary/.test(name)) : WITHOUT_END

const CASES: FaultCase[] = [
  ...CALLS.flatMap((call) =>
    kindsFor(call.route).map((kind) => ({ ...call, kind, expected: expectedOf(call.route, kind) })),
  ),
  { method: 'GET', path: '/containers/x/logs', route: LOGS, kind: ONE_LINE, expected: 'UPSTREAM_ERROR' },
]

const name = ({ route, kind }: FaultCase) => `${route} ${kind.name}`

test('an answer without end is cut off: what is held grows by 32 MiB at most [S26]', async (t) => {
  const watched = watchProcess()
  // What the first request loads and compiles is none of the answers' memory.
  const [first] = CASES as [FaultCase]
  await Promise.all(Object.values(await judge(first)))
  const growths: [name: string, growth: number][] = []
  const closing: Promise<void>[] = []
  const wrong: string[] = []
  for (const one of CASES) {
    const { growth, samples } = await growthOf(async () => {
      const { judged, closed } = await judge(one)
      closing.push(closed)
      await judged.catch((error) => wrong.push(String(error).split('\n')[0] ?? ''))
    })
    growths.push([`${name(one)} (${samples} samples)`, growth])
  }
  growths.sort(([, one], [, other]) => other - one)
  t.diagnostic(`${CASES.length} cases`)
  for (const [what, growth] of growths.slice(0, 5)) t.diagnostic(`${(growth / 1024 ** 2).toFixed(1)} MiB: ${what}`)
  await Promise.all(closing)
  assert.deepEqual(wrong, [])
  assert.deepEqual(
    growths.filter(([, growth]) => growth > MAX_GROWTH),
    [],
  )
  watched.end()
})

test('a program that prints 1 GiB in one line costs no more than what is kept of it [S26]', async (t) => {
  const fake = await createFakeEngine()
  const provider = createDockerProvider({ host: fake.host })
  t.after(async () => {
    await provider.close()
    await fake.close()
  })
  fake.fault(ATTACH, ONE_LINE.fault)
  const limit_bytes = 1024 ** 3 - 1
  let seen = 0
  let run: RunOutcome | undefined
  const { growth, samples } = await growthOf(async () => {
    const spec = {
      image: fake.image,
      cmd: providerPrograms.stubborn.cmd,
      env: {},
      timeout_ms: 60_000,
      memory_mb: 64,
      cpus: 1,
      pids: 64,
      network: 'none',
      mounts: [],
      output: { keep_bytes: 1024 ** 2, limit_bytes },
    }
    const onOutput = (_stream: string, text: string) => {
      seen += text.length
    }
    const answer = await provider.request('POST', RUN, spec, { onOutput })
    run = (answer as { run: RunOutcome }).run
  })
  t.diagnostic(`${(growth / 1024 ** 2).toFixed(1)} MiB held at most, in ${samples} samples`)
  assert.ok(samples > 5)
  assert.ok(growth <= MAX_GROWTH, `${growth} bytes`)
  assert.equal(run?.ended_by, 'output_limit')
  assert.ok(seen > limit_bytes && run.output.bytes_total === seen && run.output.bytes_kept <= 1024 ** 2)
})
