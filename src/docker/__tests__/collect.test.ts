/** What the next host finds of a run whose host did not live to record it. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { isFailure } from '../../core/failure.js'
import type { RequestOptions } from '../../core/provider.js'
import type { RunOutcome } from '../../core/run-spec.js'
import { createFakeEngine, type FakeEngine, type FakeEngineOptions, providerPrograms } from '../../testing/index.js'
import { createDockerProvider, type DockerProvider, type DockerProviderOptions } from '../index.js'
import { createOwner } from '../owner.js'
import { createRunLabels, type RunMark } from '../run-labels.js'
import { engineCall } from './engine-fixture.js'
import { runSpec } from './run-fixture.js'

const KEY = randomBytes(32)
const RUN = 'run_7/s1'
const MINUTE = 60_000
/** Of this boot and this pid namespace; number 1 was never started at tick 1. */
const DEAD = createOwner().replace(/^([^.]+\.[^.]+)\..*/, '$1.1.1.0000000000000000')

interface Collected {
  run: RunOutcome | null
  started?: true
  engine_id: string
  warnings?: string[]
}

async function open(t: TestContext, options: FakeEngineOptions = {}) {
  const fake = await createFakeEngine(options)
  t.after(() => fake.close())
  const host = (over: DockerProviderOptions = {}): DockerProvider => {
    const provider = createDockerProvider({ host: fake.host, env: {}, signingKey: KEY, fenceMs: 0, ...over })
    t.after(() => provider.close())
    return provider
  }
  return { fake, host }
}

const spec = (fake: FakeEngine, cmd: readonly string[], over = {}) => runSpec(fake.image, cmd, over)
const run = (provider: DockerProvider, body: unknown, options: RequestOptions = {}) =>
  provider.request('POST', '/containers/run', body, { runId: RUN, ...options }) as Promise<{ run: RunOutcome }>
const collect = (provider: DockerProvider, body: unknown, options: RequestOptions = {}) =>
  provider.request('POST', '/containers/run/collect', { run_id: RUN, spec: body }, options) as Promise<Collected>
const starts = (fake: FakeEngine): number =>
  fake.requests.filter(({ route }) => route === 'POST /containers/{id}/start').length
const containers = (fake: FakeEngine) => [...fake.containers.values()]

async function until(holds: () => boolean): Promise<void> {
  const end = performance.now() + 10_000
  while (!holds()) {
    assert.ok(performance.now() < end, 'it has not come to pass')
    await new Promise(setImmediate)
  }
}

const failed = (code: string) => (error: unknown) => isFailure(error) && error.code === code

/** As a host that died left it: created, and started when asked. */
async function leave(
  fake: FakeEngine,
  cmd: readonly string[],
  {
    mark = {},
    key = KEY,
    started = true,
    log = 'local',
  }: { mark?: Partial<RunMark>; key?: Buffer; started?: boolean; log?: string } = {},
): Promise<string> {
  const labels = createRunLabels(key)
  const name = labels.nameOf(RUN)
  const written = labels.write(name, { owner: DEAD, run: RUN, deadline: Date.now() + 2 * MINUTE, spec: 'a', ...mark })
  const body = { Image: fake.image, Cmd: cmd, Labels: written, HostConfig: { LogConfig: { Type: log } } }
  const socket = fake.host.replace('unix://', '')
  const { Id } = (await engineCall(socket, 'POST', `/v1.41/containers/create?name=${name}`, body)) as { Id: string }
  if (started) await engineCall(socket, 'POST', `/v1.41/containers/${Id}/start`)
  return Id
}

test('a container stays until the outcome is recorded, and holds up nobody’s turn [S21]', async (t) => {
  const { fake, host } = await open(t)
  const provider = host({ maxConcurrentRuns: 1 })
  let record = () => {}
  const recorded = new Promise<void>((resolve) => {
    record = resolve
  })
  const { bothStreams, nothing } = providerPrograms
  assert.equal((await run(provider, spec(fake, bothStreams.cmd), { recorded })).run.exit_code, 3)
  await run(provider, spec(fake, nothing.cmd), { runId: 'run_8/s1' })
  await provider.sweep()
  assert.equal(fake.containers.size, 1)
  await assert.rejects(collect(provider, spec(fake, bothStreams.cmd)), failed('CONFLICT'))
  record()
  await until(() => fake.containers.size === 0)
})

test('what could not be recorded is collected, as often as it takes, and then is gone', async (t) => {
  const { fake, host } = await open(t)
  const body = spec(fake, providerPrograms.bothStreams.cmd)
  const provider = host()
  const lost = () => Promise.reject<void>(new Error('disk full'))
  const { run: live } = await run(provider, body, { recorded: lost() })
  assert.deepEqual((await provider.sweep()).removed, [])
  for (const next of [provider, host()]) {
    const { run: found } = await collect(next, body, { recorded: lost() })
    assert.ok(found)
    const { sha256: _, ...counts } = live.output
    const { posture, duration_ms } = found
    assert.deepEqual(found, { ...live, posture, duration_ms, output: { ...counts, recovered: 'log' } })
    assert.equal(posture.spec_sha256, live.posture.spec_sha256)
  }
  assert.equal((await collect(host(), body, { recorded: Promise.resolve() })).run?.exit_code, 3)
  await until(() => fake.containers.size === 0)
  assert.deepEqual(await collect(host(), body), { engine_id: 'FAKE:ENGINE', run: null, started: true })
  assert.equal(starts(fake), 1)
})

test('a program that still runs is adopted: all of its output, its own end', async (t) => {
  let finish = (_code: number) => {}
  const argv = ['slow']
  const program = ({ write }: { write: (stream: 'stdout', text: string) => void }) => {
    write('stdout', 'before\n')
    return new Promise<number>((resolve) => {
      finish = (code) => {
        write('stdout', 'after\n')
        resolve(code)
      }
    })
  }
  const { fake, host } = await open(t, { programs: [{ argv, program }] })
  await leave(fake, argv)
  const provider = host()
  const collecting = collect(provider, spec(fake, argv))
  await until(() => fake.requests.some(({ route }) => route === 'GET /containers/{id}/logs'))
  await provider.sweep()
  await assert.rejects(collect(provider, spec(fake, argv)), failed('CONFLICT'))
  await assert.rejects(run(provider, spec(fake, argv)), failed('CONFLICT'))
  finish(0)
  const { run: found, warnings } = await collecting
  assert.deepEqual(
    [found?.stdout, found?.exit_code, found?.ended_by, warnings],
    ['before\nafter\n', 0, 'exit', undefined],
  )
  assert.deepEqual([fake.containers.size, starts(fake)], [0, 1])
})

test('an adopted program is killed when its own time is over', async (t) => {
  const { fake, host } = await open(t)
  const { cmd } = providerPrograms.stubborn
  await leave(fake, cmd, { mark: { deadline: Date.now() + MINUTE + 30 } })
  const { run: found } = await collect(host(), spec(fake, cmd))
  assert.deepEqual([found?.timed_out, found?.ended_by, found?.stdout], [true, 'deadline', 'begun\n'])
})

test('a program that its own host killed at its deadline has timed out', async (t) => {
  const { fake, host } = await open(t)
  const { cmd } = providerPrograms.stubborn
  const id = await leave(fake, cmd)
  await engineCall(fake.host.replace('unix://', ''), 'POST', `/v1.41/containers/${id}/kill`)
  const late = await collect(host(), spec(fake, cmd, { timeout_ms: 60_000 }), {
    recorded: Promise.reject(new Error('no')),
  })
  assert.deepEqual([late.run?.timed_out, late.run?.exit_code], [false, 137])
  const [container] = containers(fake)
  assert.ok(container)
  Object.assign(container, { startedAt: new Date(Number(container.finishedAt) - 60_000) })
  const timed = await collect(host(), spec(fake, cmd, { timeout_ms: 60_000 }))
  assert.deepEqual([timed.run?.timed_out, timed.run?.exit_code, timed.run?.ended_by], [true, null, 'deadline'])
})

test('an abort ends an adopted program, with the outcome so far', async (t) => {
  const { fake, host } = await open(t)
  const { cmd } = providerPrograms.stubborn
  await leave(fake, cmd)
  const controller = new AbortController()
  const collecting = collect(host(), spec(fake, cmd), { signal: controller.signal })
  await until(() => fake.requests.some(({ route }) => route === 'POST /containers/{id}/wait'))
  controller.abort()
  await assert.rejects(collecting, (error) => {
    assert.ok(isFailure(error))
    assert.deepEqual([error.code, error.retriable], ['ABORTED', false])
    return (error.partial?.data?.run as RunOutcome | undefined)?.ended_by === 'abort'
  })
  assert.equal(fake.containers.size, 0)
})

for (const engine of ['docker', 'podman'] as const) {
  test(`output that a ${engine} engine did not keep is told to be lost`, async (t) => {
    const { fake, host } = await open(t, { engine })
    const { cmd } = providerPrograms.bothStreams
    await leave(fake, cmd, { log: 'none' })
    await until(() => containers(fake)[0]?.state === 'exited')
    const { run: found, warnings } = await collect(host(), spec(fake, cmd))
    assert.deepEqual([found?.exit_code, found?.stdout, found?.output.recovered], [3, '', 'none'])
    assert.deepEqual([found?.output.truncated, warnings?.length], [true, 1])
  })
}

test('a log that may have been cut is told to be', async (t) => {
  const argv = ['much']
  const program = ({ write }: { write: (stream: 'stdout', text: string) => void }) => {
    write('stdout', 'x'.repeat(1_100_000))
    return 0
  }
  const { fake, host } = await open(t, { programs: [{ argv, program }] })
  await leave(fake, argv)
  const output = { keep_bytes: 2_000_000, limit_bytes: 4_000_000 }
  const { run: found, warnings } = await collect(host(), spec(fake, argv, { output }))
  assert.deepEqual([found?.output.truncated, warnings?.length], [true, 1])
})

test('what was created and never started is removed, and was not started', async (t) => {
  const { fake, host } = await open(t)
  const body = spec(fake, providerPrograms.nothing.cmd)
  await leave(fake, providerPrograms.nothing.cmd, { started: false })
  assert.deepEqual(await collect(host(), body), { engine_id: 'FAKE:ENGINE', run: null })
  assert.equal(fake.containers.size, 0)
})

test('what a paused host starts in the moment of the look is followed, not removed', async (t) => {
  const { fake, host } = await open(t)
  const { cmd } = providerPrograms.bothStreams
  const id = await leave(fake, cmd, { started: false })
  fake.fault('DELETE /containers/{id}', ({ query }) => {
    if (query.get('force') !== null || containers(fake)[0]?.state !== 'created') return undefined
    fake.containers.get(id)?.start()
    return { reply: { status: 409, body: '{"message":"it runs"}' } }
  })
  assert.equal((await collect(host(), spec(fake, cmd))).run?.exit_code, 3)
})

test('a run that was found never started cannot be started later [S21]', async (t) => {
  const { fake, host } = await open(t)
  const body = spec(fake, providerPrograms.nothing.cmd)
  const paused = host()
  const next = host({ fenceMs: MINUTE })
  for (let time = 1; time <= 2; time++) {
    assert.deepEqual(await collect(next, body), { engine_id: 'FAKE:ENGINE', run: null })
    assert.deepEqual(
      containers(fake).map(({ state }) => state),
      ['created'],
    )
  }
  await next.sweep()
  await assert.rejects(run(paused, body), failed('CONFLICT'))
  assert.deepEqual([fake.containers.size, starts(fake)], [1, 0])
  const later = host({ now: () => new Date(Date.now() + 2 * MINUTE) })
  assert.equal((await later.sweep()).removed.length, 1)
})

test('what is quicker than the place-holder is collected', async (t) => {
  const { fake, host } = await open(t)
  const { cmd } = providerPrograms.bothStreams
  const undo = fake.fault('GET /containers/json', () => {
    undo()
    return { reply: { status: 200, body: '[]' } }
  })
  await leave(fake, cmd)
  assert.equal((await collect(host({ fenceMs: MINUTE }), spec(fake, cmd))).run?.exit_code, 3)
})

for (const status of [409, 500]) {
  test(`of two hosts that are told to run the same call, one does, also where a taken name is ${status} [S21]`, async (t) => {
    const { fake, host } = await open(t)
    const idle = spec(fake, providerPrograms.idle.cmd)
    const first = run(host(), idle)
    first.catch(() => {})
    await until(() => containers(fake)[0]?.state === 'running')
    if (status !== 409) fake.fault('POST /containers/create', { reply: { status, body: '{"message":"taken"}' } })
    await assert.rejects(run(host(), idle), failed('CONFLICT'))
    assert.deepEqual([containers(fake).map(({ state }) => state), starts(fake)], [['running'], 1])
  })
}

test('a create whose answer was lost leaves another host’s container alone', async (t) => {
  const { fake, host } = await open(t)
  const idle = spec(fake, providerPrograms.idle.cmd)
  run(host(), idle).catch(() => {})
  await until(() => containers(fake)[0]?.state === 'running')
  fake.fault('POST /containers/create', { end: 'lose' })
  await assert.rejects(run(host(), idle), failed('CONFLICT'))
  assert.equal(containers(fake)[0]?.state, 'running')
})

test('a container whose labels do not verify lets nobody tell anything, and is not touched', async (t) => {
  const { fake, host } = await open(t)
  const { cmd } = providerPrograms.idle
  await leave(fake, cmd, { key: randomBytes(32) })
  await assert.rejects(collect(host(), spec(fake, cmd)), failed('CONFLICT'))
  assert.equal(containers(fake)[0]?.state, 'running')
})

test('without a key that outlives the process, or with a bad name, nothing is looked for', async (t) => {
  const { fake, host } = await open(t)
  const body = spec(fake, ['x'])
  const keyless = createDockerProvider({ host: fake.host, env: {} })
  t.after(() => keyless.close())
  await assert.rejects(collect(keyless, body), failed('INVALID_INPUT'))
  for (const run_id of ['', 'a b', 'x'.repeat(201), 7, undefined]) {
    const refused = host().request('POST', '/containers/run/collect', { run_id, spec: body })
    await assert.rejects(refused, failed('INVALID_INPUT'))
  }
  assert.deepEqual(fake.requests, [])
})

test('an engine that cannot be asked makes no run "not started"', async (t) => {
  const { fake, host } = await open(t)
  fake.fault('GET /containers/json', { end: 'drop' })
  await assert.rejects(collect(host(), spec(fake, ['x'])), (error) => isFailure(error) && error.retriable)
})

for (const [name, isRunOpen, passedMs, removed] of [
  ['open', async () => true, 100 * 24 * 60 * MINUTE, 0],
  ['settled', async () => false, 0, 1],
  ['not to be told of', () => Promise.reject(new Error('no database')), 23 * 60 * MINUTE, 0],
  [
    'not to be told of for a day past its deadline',
    () => Promise.reject(new Error('no database')),
    25 * 60 * MINUTE,
    1,
  ],
] as const) {
  test(`a sweep removes ${removed} of a dead host’s containers whose run is ${name} [S21]`, async (t) => {
    const { fake, host } = await open(t)
    await leave(fake, providerPrograms.idle.cmd)
    const asked: string[] = []
    const provider = host({
      now: () => new Date(Date.now() + passedMs),
      isRunOpen(run) {
        asked.push(run)
        return isRunOpen()
      },
    })
    assert.equal((await provider.sweep()).removed.length, removed)
    assert.deepEqual(asked, [RUN])
  })
}

test('a close waits for what is about to be recorded, and not for ever', async (t) => {
  const { fake, host } = await open(t)
  const body = spec(fake, providerPrograms.nothing.cmd)
  const soon = host()
  await run(soon, body, { recorded: new Promise((resolve) => setImmediate(resolve)) })
  await soon.close()
  assert.equal(fake.containers.size, 0)
  const never = host()
  await run(never, body, { recorded: new Promise(() => {}) })
  await never.close()
  assert.equal(fake.containers.size, 1)
})
