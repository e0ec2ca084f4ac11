/** Runs against an engine that fails: the program is started once at most, and its container never stays. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type Failure, isFailure } from '../../core/failure.js'
import type { RunOutcome } from '../../core/run-spec.js'
import { createFakeEngine, type FakeEngine, type FakeEngineOptions, providerPrograms } from '../../testing/index.js'
import { rejection } from '../../testing/rejection.js'
import { createDockerProvider } from '../index.js'
import { runSpec } from './run-fixture.js'

const OTHER = `sha256:${'c'.repeat(64)}`

async function open(t: TestContext, options: FakeEngineOptions = {}) {
  const logged: string[] = []
  const logger = { warn: (message: string) => logged.push(message), error: (message: string) => logged.push(message) }
  const fake = await createFakeEngine(options)
  const provider = createDockerProvider({ host: fake.host, logger })
  t.after(async () => {
    await provider.close()
    await fake.close()
  })
  const spec = (program: keyof typeof providerPrograms, over: object = {}) =>
    runSpec(fake.image, providerPrograms[program].cmd, over)
  return {
    fake,
    provider,
    logged,
    run: (program: keyof typeof providerPrograms, over: object = {}, options: object = {}) =>
      provider.request('POST', '/containers/run', spec(program, over), options) as Promise<{
        run: RunOutcome
        warnings?: string[]
      }>,
    asked: (route: string) => fake.requests.filter((request) => request.route === route).length,
  }
}

async function failure(promise: Promise<unknown>): Promise<Failure> {
  const error = await rejection(promise)
  assert.ok(isFailure(error), String(error))
  return error
}

function outcomeOf({ partial }: Failure): RunOutcome {
  assert.ok(partial?.data?.run, 'the failure has the outcome so far')
  return partial.data.run as RunOutcome
}

function createdBody({ requests }: FakeEngine): unknown {
  return requests.find(({ route }) => route === 'POST /containers/create')?.body
}

test('a run asks the engine for just these, in this order', async (t) => {
  const { fake, run } = await open(t)
  await run('nothing')
  assert.deepEqual(
    fake.requests.map(({ route }) => route),
    [
      'GET /_ping',
      'GET /version',
      'GET /containers/json',
      'GET /info',
      'GET /images/{name}/json',
      'POST /containers/create',
      'GET /containers/{id}/json',
      'POST /containers/{id}/attach',
      'POST /containers/{id}/start',
      'POST /containers/{id}/wait',
      'GET /containers/{id}/json',
      'DELETE /containers/{id}',
    ],
  )
  assert.deepEqual(Object.fromEntries(fake.requests.at(-1)?.query ?? []), { force: 'true', v: 'true' })
})

test('the container is created by the image’s id, which no tag can move', async (t) => {
  const { fake, run } = await open(t)
  const { run: outcome } = await run('nothing')
  assert.equal((createdBody(fake) as { Image: string }).Image, outcome.image_id)
})

for (const [name, images, wanted, code] of [
  ['that is not there', [{ reference: `a@${OTHER}` }], `b@${OTHER}`, 'IMAGE_NOT_FOUND'],
  [
    'that the engine finds under another repository',
    [{ reference: `a@${OTHER}`, tags: [`b@${OTHER}`] }],
    `b@${OTHER}`,
    'IMAGE_NOT_FOUND',
  ],
  ['for another processor', [{ reference: `a@${OTHER}`, architecture: 'arm64' }], `a@${OTHER}`, 'PLATFORM_MISMATCH'],
  ['by tag', [{ reference: `a@${OTHER}`, tags: ['a:1'] }], 'a:1', 'INVALID_INPUT'],
] as const) {
  test(`an image ${name} is ${code}, and nothing is created`, async (t) => {
    const { run, asked } = await open(t, { images: images as unknown as NonNullable<FakeEngineOptions['images']> })
    assert.equal((await failure(run('nothing', { image: wanted }))).code, code)
    assert.equal(asked('POST /containers/create'), 0)
  })
}

test('an image that the engine prints by its familiar name is the one asked for by its full name', async (t) => {
  const { run } = await open(t, { images: [{ reference: `busybox@${OTHER}`, tags: [] }] })
  const { run: outcome } = await run('nothing', { image: `docker.io/library/busybox@${OTHER}` })
  assert.equal(outcome.exit_code, 0)
})

test('an engine that warns has dropped a limit: the program is never started [S15]', async (t) => {
  const { fake, run, asked } = await open(t, {
    createWarnings: ['Your kernel does not support swap limit capabilities'],
  })
  const error = await failure(run('nothing'))
  assert.equal(error.code, 'POSTURE_MISMATCH')
  assert.match(error.message, /swap limit/)
  assert.deepEqual([asked('POST /containers/{id}/start'), fake.containers.size], [0, 0])
})

for (const [name, route, fault] of [
  ['attach is refused', 'POST /containers/{id}/attach', { reply: { status: 409, body: '{"message":"no"}' } }],
  ['attach is cut off', 'POST /containers/{id}/attach', { end: 'drop' }],
  ['start is refused', 'POST /containers/{id}/start', { reply: { status: 500, body: '{"message":"no"}' } }],
  ['start is done, and its answer lost', 'POST /containers/{id}/start', { end: 'lose' }],
  ['wait is cut off', 'POST /containers/{id}/wait', { end: 'drop' }],
  ['the last look is refused', 'GET /containers/{id}/json', { reply: { status: 500 } }],
  ['create is done, and its answer lost', 'POST /containers/create', { end: 'lose' }],
  ['create answers nonsense', 'POST /containers/create', { reply: { status: 201, body: '{"Id":"x"}' } }],
] as const) {
  test(`when ${name}, the container is removed and nothing is started twice [S16]`, async (t) => {
    const { fake, run, asked } = await open(t)
    fake.fault(route, fault)
    assert.equal((await failure(run('bothStreams'))).code, 'UPSTREAM_ERROR')
    assert.equal(fake.containers.size, 0)
    assert.ok(asked('POST /containers/{id}/start') <= 1)
  })
}

test('a create that is answered after the abort is waited for, and what it made is removed', async (t) => {
  const { fake, run, asked } = await open(t)
  const controller = new AbortController()
  fake.fault('POST /containers/create', () => {
    controller.abort()
    return { delayMs: 50 }
  })
  assert.equal((await failure(run('nothing', {}, { signal: controller.signal }))).code, 'ABORTED')
  assert.deepEqual([asked('POST /containers/create'), asked('DELETE /containers/{id}')], [1, 1])
  assert.deepEqual([asked('POST /containers/{id}/start'), fake.containers.size], [0, 0])
})

test('an abort tells what the program had printed', async (t) => {
  const { fake, run } = await open(t)
  const controller = new AbortController()
  const error = await failure(run('stubborn', {}, { signal: controller.signal, onOutput: () => controller.abort() }))
  assert.equal(error.code, 'ABORTED')
  const { stdout, exit_code, signal } = outcomeOf(error)
  assert.deepEqual([stdout, exit_code, signal], ['begun\n', null, 'SIGKILL'])
  assert.equal(fake.containers.size, 0)
})

test('the request’s own deadline ends a run as TIMEOUT, with the output so far', async (t) => {
  const { fake, run } = await open(t)
  const error = await failure(run('stubborn', {}, { timeoutMs: 100 }))
  assert.deepEqual([error.code, outcomeOf(error).stdout], ['TIMEOUT', 'begun\n'])
  assert.equal(fake.containers.size, 0)
})

test('every end has its own word', async (t) => {
  const outcomes = new Map<string, RunOutcome>()
  const { fake, run } = await open(t)
  outcomes.set('exit', (await run('bothStreams')).run)
  outcomes.set('deadline', (await run('stubborn', { timeout_ms: 50 })).run)
  outcomes.set('output_limit', (await run('endlessOutput')).run)
  const controller = new AbortController()
  const onOutput = () => controller.abort()
  outcomes.set('abort', outcomeOf(await failure(run('stubborn', {}, { onOutput, signal: controller.signal }))))
  fake.fault('POST /containers/{id}/wait', { end: 'drop' })
  outcomes.set('engine_lost', outcomeOf(await failure(run('bothStreams'))))
  for (const [word, { ended_by, exit_code, output }] of outcomes) {
    assert.equal(ended_by, word)
    assert.equal(exit_code, word === 'exit' ? 3 : null)
    assert.match(output.sha256?.stdout ?? '', /^[0-9a-f]{64}$/)
  }
})

test('a program that ends as it is killed has ended by itself', async (t) => {
  const { fake, run } = await open(t)
  fake.fault('POST /containers/{id}/kill', ({ name }) => {
    fake.containers.get(name)?.stop(5)
    return { delayMs: 20 }
  })
  const { run: outcome } = await run('idle', { timeout_ms: 50 })
  assert.deepEqual([outcome.exit_code, outcome.timed_out, outcome.signal], [0, false, undefined])
})

test('a container that cannot be removed is told to the logger and in the answer', async (t) => {
  const { fake, run, logged, asked } = await open(t)
  fake.fault('DELETE /containers/{id}', { reply: { status: 500, body: '{"message":"busy"}' } })
  const { run: outcome, warnings } = await run('nothing')
  assert.equal(outcome.exit_code, 0)
  assert.match(warnings?.[0] ?? '', /^container [0-9a-f]{64} could not be removed$/)
  assert.equal(logged.length, 1)
  assert.equal(asked('DELETE /containers/{id}'), 3)
})

test('a listener that throws is dropped, and the run goes on', async (t) => {
  const { run, logged } = await open(t)
  const onOutput = () => {
    throw new Error('listener')
  }
  const { run: outcome } = await run('bothStreams', {}, { onOutput })
  assert.deepEqual([outcome.stdout, outcome.stderr, logged.length], ['out\n', 'err\n', 1])
})

test('closing the provider kills a running program and removes its container', async (t) => {
  const { fake, run, provider } = await open(t)
  const pending = failure(run('stubborn', {}, { onOutput: () => void provider.close() }))
  assert.equal((await pending).code, 'ABORTED')
  assert.equal(fake.containers.size, 0)
})

test('after close no connection is left, not even one that a program’s streams had', async (t) => {
  const { fake, run, provider } = await open(t)
  await run('echo', { stdin: 'x' })
  await provider.close()
  await fake.disconnected()
})

test('on Podman the log driver is one it has', async (t) => {
  const { fake, run } = await open(t, { engine: 'podman' })
  await run('nothing')
  const body = createdBody(fake) as { HostConfig: { LogConfig: { Type: string } } }
  assert.equal(body.HostConfig.LogConfig.Type, 'none')
})
