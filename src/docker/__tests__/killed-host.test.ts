/** kill -9 of the host at every engine call of a run: the next host learns what became of it, and one sweep later nothing is left. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import type { RunOutcome } from '../../core/run-spec.js'
import { createFakeEngine } from '../../testing/index.js'
import { createDockerProvider } from '../index.js'
import { createRunLabels } from '../run-labels.js'
import { engineCall } from './engine-fixture.js'
import { runSpec } from './run-fixture.js'

/** In one piece: many hosts start here. */
const HOST_PROGRAM = fileURLToPath(new URL('../../../node_modules/.cache/skillgate/killed-host.mjs', import.meta.url))
await build({
  entryPoints: [fileURLToPath(new URL('./killed-host.ts', import.meta.url))],
  outfile: HOST_PROGRAM,
  bundle: true,
  packages: 'external',
  platform: 'node',
  format: 'esm',
})

/** ping, version, sweep, info, image, create, inspect, attach, start, wait, inspect, delete. */
const CALLS = 12

interface Round {
  /** The call behind which the host dies. */
  calls: number
  /** Milliseconds later. */
  wait: number
}

/** How the host ended: `SIGKILL`, or 3 when its run was over before. */
async function killedAt(host: string, image: string, key: string, { calls, wait }: Round): Promise<string | number> {
  const args = [HOST_PROGRAM, host, image, key, String(calls), String(wait)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] })
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
  return signal ?? code ?? 'nothing'
}

/** Each host has a key of its own, so that none removes what another left. Resolves with the keys of those killed in a run. */
async function killAll(host: string, image: string, rounds: Round[]): Promise<string[]> {
  const waiting = [...rounds]
  const killed: string[] = []
  const worker = async () => {
    for (let round = waiting.shift(); round !== undefined; round = waiting.shift()) {
      const key = randomBytes(32).toString('hex')
      const end = await killedAt(host, image, key, round)
      assert.ok(end === 'SIGKILL' || end === 3, `the host ended with ${end}`)
      if (end === 'SIGKILL') killed.push(key)
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, worker))
  return killed
}

/** One sweep for each key; the ids that were removed. */
async function sweepAll(host: string, keys: string[]): Promise<string[]> {
  const removed: string[] = []
  for (const signingKey of keys) {
    const provider = createDockerProvider({ host, env: {}, signingKey })
    const swept = await provider.sweep({ timeoutMs: 60_000 })
    await provider.close()
    assert.equal(swept.removed.length, swept.found)
    removed.push(...swept.removed)
  }
  return removed
}

const at = (index: number): Round => ({ calls: 1 + (index % CALLS), wait: [0, 2, 15, 60][index % 4] ?? 0 })

test('on the fake engine, at every call: no container is left one sweep later [S21]', async () => {
  const program = { argv: ['sh', '-c', 'sleep 0.2'], program: () => delay(200).then(() => 0) }
  const fake = await createFakeEngine({ programs: [program] })
  const rounds = Array.from({ length: CALLS }, (_, index) => ({ calls: index + 1, wait: 0 }))
  const killed = await killAll(fake.host, fake.image, rounds)
  assert.ok(killed.length >= CALLS - 1, `${killed.length} were killed in a run`)
  const left = fake.containers.size
  assert.ok(left > 0, 'the hosts left something to sweep')
  assert.equal((await sweepAll(fake.host, killed)).length, left)
  assert.equal(fake.containers.size, 0)
  await fake.close()
})

/** Where a run was when its host died, as the next host can tell. */
type Fate = 'recorded' | 'collected' | 'not_started'

/** A host is killed in a run of its own key; the next one of that key asks what became of it, and then again. */
async function killAndCollect(
  host: string,
  image: string,
  { calls, wait }: Round,
): Promise<{ fate: Fate; name: string }> {
  const key = randomBytes(32).toString('hex')
  const runId = `run_${key.slice(0, 8)}/s1`
  const args = [HOST_PROGRAM, host, image, key, String(calls), String(wait), runId]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let printed = ''
  child.stdout.on('data', (bytes) => {
    printed += bytes
  })
  await once(child, 'close')
  const recorded = printed === 'recorded'
  const name = createRunLabels(key).nameOf(runId)
  const provider = createDockerProvider({
    host,
    env: {},
    signingKey: key,
    fenceMs: 0,
    isRunOpen: async () => !recorded,
  })
  try {
    await provider.sweep({ timeoutMs: 60_000 })
    if (recorded) return { fate: 'recorded', name }
    const body = { run_id: runId, spec: runSpec(image, ['sh', '-c', 'sleep 0.2'], { timeout_ms: 20_000 }) }
    const collect = async () =>
      (await provider.request('POST', '/containers/run/collect', body)) as { run: RunOutcome | null; started?: true }
    const { run, started } = await collect()
    if (run === null) assert.equal(started, undefined, 'a started run is still there')
    else assert.deepEqual([run.exit_code, run.ended_by], [0, 'exit'])
    assert.equal((await collect()).run, null, 'an answer that counts as recorded is given once')
    return { fate: run === null ? 'not_started' : 'collected', name }
  } finally {
    await provider.close()
  }
}

async function killAndCollectAll(
  host: string,
  image: string,
  rounds: Round[],
): Promise<{ fate: Fate; name: string }[]> {
  const waiting = [...rounds]
  const fates: { fate: Fate; name: string }[] = []
  const worker = async () => {
    for (let round = waiting.shift(); round !== undefined; round = waiting.shift()) {
      fates.push(await killAndCollect(host, image, round))
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, worker))
  return fates
}

test('on the fake engine, at every call: the next host tells what became of the run, and starts nothing [S21]', async () => {
  const starts = new Map<string, number>()
  const fake = await createFakeEngine({
    programs: [{ argv: ['sh', '-c', 'sleep 0.2'], program: () => delay(200).then(() => 0) }],
  })
  fake.fault('POST /containers/{id}/start', ({ name: id }) => {
    const { name = '' } = fake.containers.get(id) ?? {}
    starts.set(name, (starts.get(name) ?? 0) + 1)
    return undefined
  })
  const rounds = Array.from({ length: 2 * CALLS }, (_, index) => at(index))
  const fates = await killAndCollectAll(fake.host, fake.image, rounds)
  for (const { fate, name } of fates) assert.equal(starts.get(name) ?? 0, fate === 'not_started' ? 0 : 1, fate)
  assert.deepEqual([...new Set(fates.map(({ fate }) => fate))].sort(), ['collected', 'not_started', 'recorded'])
  assert.equal(fake.containers.size, 0)
  await fake.close()
})

const host = process.env.SKILLGATE_TEST_DOCKER
const image = process.env.SKILLGATE_TEST_IMAGE
const missing = host && image ? undefined : 'SKILLGATE_TEST_DOCKER and SKILLGATE_TEST_IMAGE are not both set'
if (missing) console.log(`# kill -9 on a real engine is not tested: ${missing}`)

test('on a real engine, 15 times: no container and no volume is left one sweep later [S21]', {
  skip: process.env.REQUIRE_LIVE === '1' ? false : missing,
}, async () => {
  assert.ok(host && image, missing)
  const volumes = () => engineCall(host.replace('unix://', ''), 'GET', '/v1.41/volumes')
  const before = await volumes()
  const rounds = Array.from({ length: 15 }, (_, index) => at(index))
  const killed = await killAll(host, image, rounds)
  assert.ok(killed.length >= 9, `${killed.length} of 15 were killed in a run`)
  // What the engine was still doing for a dead host must be done.
  await delay(1_000)
  const removed = await sweepAll(host, killed)
  console.log(`# ${killed.length} hosts were killed in a run; the sweep removed ${removed.length} of their containers`)
  assert.ok(removed.length > 0, 'the hosts left something to sweep')
  assert.deepEqual(await sweepAll(host, killed), [])
  assert.deepEqual(await volumes(), before)
})

test('on a real engine, 12 times: the next host tells what became of the run, and nothing is left [S21]', {
  skip: process.env.REQUIRE_LIVE === '1' ? false : missing,
}, async () => {
  assert.ok(host && image, missing)
  const rounds = Array.from({ length: 12 }, (_, index) => at(index + 4))
  const fates = await killAndCollectAll(host, image, rounds)
  const count = (wanted: Fate) => fates.filter(({ fate }) => fate === wanted).length
  console.log(`# ${count('not_started')} not started, ${count('collected')} collected, ${count('recorded')} recorded`)
  assert.ok(count('collected') > 0 && count('not_started') > 0)
  const listed = await engineCall(host.replace('unix://', ''), 'GET', '/v1.41/containers/json?all=1')
  const names = (listed as { Names: string[] }[]).flatMap(({ Names }) => Names)
  for (const { name } of fates) assert.ok(!names.includes(`/${name}`), `${name} is left`)
})
