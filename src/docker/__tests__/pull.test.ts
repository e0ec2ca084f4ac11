/** Pulls: only where the spec allows them, within a time of their own, and whatever the registry and the engine answer. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { dockerRun } from '../../../skills/docker-run/handler.js'
import { type Failure, isFailure } from '../../core/failure.js'
import { createGate } from '../../core/gate.js'
import type { PullProgress, RequestOptions } from '../../core/provider.js'
import type { RunOutcome } from '../../core/run-spec.js'
import { createMemoryStore } from '../../stores/memory.js'
import { createFakeEngine, type FakeEngineOptions, type FakeImage, providerPrograms } from '../../testing/index.js'
import { rejection } from '../../testing/rejection.js'
import { createDockerProvider } from '../index.js'
import { runSpec } from './run-fixture.js'

const IMAGE = `registry.example:5000/acme/tool@sha256:${'c'.repeat(64)}`
const PULL = 'POST /images/create'

async function open(t: TestContext, options: FakeEngineOptions = {}) {
  const logged: string[] = []
  const logger = { warn: (message: string) => logged.push(message), error: (message: string) => logged.push(message) }
  const fake = await createFakeEngine({ registry: [{ reference: IMAGE }], ...options })
  const provider = createDockerProvider({ host: fake.host, logger })
  t.after(async () => {
    await provider.close()
    await fake.close()
  })
  const run = (over: object = {}, options: RequestOptions = {}) =>
    provider.request('POST', '/containers/run', { ...SPEC, ...over }, options) as Promise<{ run: RunOutcome }>
  const asked = (route: string) => fake.requests.filter((request) => request.route === route).length
  return { fake, run, asked, logged }
}

const SPEC = runSpec(IMAGE, providerPrograms.bothStreams.cmd, { pull: 'if-missing' })

async function failure(promise: Promise<unknown>): Promise<Failure> {
  const error = await rejection(promise)
  assert.ok(isFailure(error), String(error))
  return error
}

test('an image is pulled by its digest from the registry that its name says, and run by its id [S14]', async (t) => {
  const { fake, run, asked } = await open(t)
  const { run: outcome } = await run()
  assert.deepEqual([outcome.stdout, outcome.exit_code], ['out\n', 3])
  const [pull] = fake.requests.filter(({ route }) => route === PULL)
  assert.deepEqual(Object.fromEntries(pull?.query ?? []), {
    fromImage: 'registry.example:5000/acme/tool',
    tag: `sha256:${'c'.repeat(64)}`,
  })
  assert.equal(pull?.headers['x-registry-auth'], undefined)
  await run()
  assert.equal(asked(PULL), 1, 'what is there is not pulled')
})

test('a short name is pulled from Docker Hub in full, so that no engine looks elsewhere', async (t) => {
  const { fake, run } = await open(t, { registry: [{ reference: `busybox@sha256:${'d'.repeat(64)}` }] })
  await run({ image: `busybox@sha256:${'d'.repeat(64)}` })
  assert.equal(fake.requests.find(({ route }) => route === PULL)?.query.get('fromImage'), 'docker.io/library/busybox')
})

for (const [name, over] of [
  ['the spec says never', { pull: 'never' }],
  ['the spec says nothing', { pull: undefined }],
  ['it is named by an image id', { image: `sha256:${'e'.repeat(64)}` }],
] as const) {
  test(`nothing is pulled when ${name} [S14]`, async (t) => {
    const { run, asked } = await open(t)
    assert.equal((await failure(run(over))).code, 'IMAGE_NOT_FOUND')
    assert.deepEqual([asked(PULL), asked('POST /containers/create')], [0, 0])
  })
}

const line = (...lines: object[]) => lines.map((each) => `${JSON.stringify(each)}\r\n`).join('')
const DONE = { status: 'Status: Downloaded newer image' }

for (const [name, fault, code, retriable, message] of [
  [
    'the registry has none',
    { reply: { status: 404, body: '{"message":"manifest unknown"}' } },
    'IMAGE_NOT_FOUND',
    false,
    /does not give out registry\.example/,
  ],
  [
    'the registry answered another digest',
    { reply: { status: 200, body: line({ status: 'Pulling' }, DONE) } },
    'IMAGE_NOT_FOUND',
    false,
    /answered with another/,
  ],
  [
    'the engine has no network',
    { reply: { status: 500, body: '{"message":"dial tcp: network is unreachable"}' } },
    'UPSTREAM_ERROR',
    true,
    /network is unreachable/,
  ],
  [
    'a 200 carries an error',
    {
      reply: {
        status: 200,
        body: line({ status: 'x' }, { errorDetail: { message: 'no\u0007space' }, error: 'no\u0007space' }),
      },
    },
    'UPSTREAM_ERROR',
    true,
    /could not pull registry\.example.*: no space$/,
  ],
  [
    'a 200 carries an error’s detail alone',
    { reply: { status: 200, body: JSON.stringify({ errorDetail: { message: 'unexpected EOF' } }) } },
    'UPSTREAM_ERROR',
    true,
    /unexpected EOF$/,
  ],
  ['a line is not JSON', { reply: { status: 200, body: '<html>\n' } }, 'UPSTREAM_ERROR', false, /not JSON/],
  ['it ends within a line', { reply: { status: 200, body: '{"status":"Dow' } }, 'UPSTREAM_ERROR', false, /not JSON/],
  [
    'a line has no end',
    { reply: { status: 200, body: `{"status":"${'x'.repeat(1024 ** 2)}` } },
    'UPSTREAM_ERROR',
    false,
    /longer than/,
  ],
  ['it is a redirect', { reply: { status: 301, headers: { location: '/x' } } }, 'UPSTREAM_ERROR', false, /redirect/],
  ['the connection is cut', { end: 'drop' }, 'UPSTREAM_ERROR', true, /broke|listens/],
] as const) {
  test(`a pull of which ${name} is ${code}, and nothing is created`, async (t) => {
    const { fake, run, asked } = await open(t)
    fake.fault(PULL, fault)
    const error = await failure(run())
    assert.deepEqual([error.code, error.retriable], [code, retriable], error.message)
    assert.match(error.message, message)
    assert.equal(asked('POST /containers/create'), 0)
  })
}

test('a pull has a time of its own, which the program’s does not count', async (t) => {
  const { fake, run, asked } = await open(t)
  const undo = fake.fault(PULL, { end: 'hang' })
  const error = await failure(run({ pull_timeout_ms: 50 }))
  assert.equal(error.code, 'TIMEOUT')
  assert.match(error.message, /the pull of registry\.example.* within 50 ms/)
  assert.equal(asked('POST /containers/create'), 0)
  undo()
  fake.fault(PULL, { delayMs: 400 })
  const { run: outcome } = await run({ timeout_ms: 300 })
  assert.deepEqual([outcome.timed_out, outcome.exit_code], [false, 3])
})

test('an abort ends a pull, and its connection', async (t) => {
  const { fake, run, asked } = await open(t)
  const controller = new AbortController()
  fake.fault(PULL, () => {
    controller.abort()
    return { end: 'hang' }
  })
  assert.equal((await failure(run({}, { signal: controller.signal }))).code, 'ABORTED')
  assert.equal(asked('POST /containers/create'), 0)
  await fake.disconnected()
})

const big: FakeImage = { reference: IMAGE, size: 4_000 }
for (const chunkBytes of [1, 7, 1000]) {
  test(`progress says how much has come, also when it comes in pieces of ${chunkBytes} bytes`, async (t) => {
    const { run } = await open(t, { registry: [big], chunkBytes })
    const told: PullProgress[] = []
    await run({}, { onProgress: (progress) => void told.push(progress) })
    assert.deepEqual(told[0], { stage: 'pull', image: IMAGE, status: 'Pulling' })
    assert.deepEqual(told.at(-1), {
      stage: 'pull',
      image: IMAGE,
      status: 'Pulled',
      bytes_done: 4_000,
      bytes_total: 4_000,
    })
  })
}

test('however much the engine tells, the host is told little and seldom', async (t) => {
  const { fake, run } = await open(t, { images: [], registry: [] })
  const many = Array.from({ length: 20_000 }, (_, index) => ({
    status: index % 2 ? 'Downloading' : `\u001b[31m${'x'.repeat(300)}`,
    id: `layer${index}`,
    progressDetail: { current: -1, total: Number.MAX_VALUE },
  }))
  fake.fault(PULL, { reply: { status: 200, body: line(...many) } })
  const told: PullProgress[] = []
  const onProgress = (progress: PullProgress) => void told.push(progress)
  const startedAt = performance.now()
  await failure(run({}, { onProgress }))
  const most = 2 + Math.ceil((performance.now() - startedAt) / 500)
  assert.ok(told.length >= 2 && told.length <= most, `told ${told.length} times, at most ${most}`)
  for (const { status } of told) assert.ok(status.length <= 100 && !/\p{Cc}/u.test(status), JSON.stringify(status))
})

for (const [how, onProgress] of [
  ['throws', () => assert.fail('listener')],
  ['rejects', () => Promise.reject(new Error('listener'))],
] as const) {
  test(`a listener that ${how} is dropped, and the run goes on`, async (t) => {
    const { run, logged } = await open(t)
    assert.equal((await run({}, { onProgress })).run.exit_code, 3)
    await delay(0)
    assert.ok(logged.every((message) => message.startsWith('onProgress threw')) && logged.length >= 1, logged.join())
  })
}

test('a policy decides about pulls, and the host that posted the message is told of one', async (t) => {
  const { fake, asked } = await open(t)
  const providerClient = createDockerProvider({ host: fake.host })
  const gate = createGate({ skills: [dockerRun], store: createMemoryStore(), providerClient })
  t.after(async () => {
    await gate.close()
    await providerClient.close()
  })
  const told: string[] = []
  const post = async (constraints: object) => {
    const session = await gate.createSession()
    await session.setPolicy({ overrides: [{ tool: 'docker.run', allow: true, constraints }] })
    const intents = [{ tool: 'docker.run', params: { image: IMAGE, cmd: providerPrograms.nothing.cmd } }]
    const onProgress = ({ status }: PullProgress) => void told.push(status)
    const run = await session.post({ role: 'assistant', content: 'run it', intents }, { onProgress })
    return run.done()
  }
  const refused = await post({ registries: ['registry.example:5000'] })
  assert.deepEqual([refused.status, refused.reason?.code, asked(PULL)], ['failed', 'IMAGE_NOT_FOUND', 0])
  const run = await post({ repositories: ['registry.example:5000/acme/tool'], pull: 'if-missing' })
  assert.equal(run.status, 'completed')
  assert.deepEqual([told[0], told.at(-1)], ['Pulling', 'Pulled'])
})

for (const label of [
  'skillgate.run',
  'com.docker.compose.project',
  'traefik.enable',
  'Traefik.http.x',
  'socket-proxy.a',
]) {
  test(`an image with the label ${label} is refused before anything is created [S14]`, async (t) => {
    const image = { reference: IMAGE, config: { Labels: { maintainer: 'me', [label]: '1' } } }
    const { run, asked } = await open(t, { images: [image] })
    const error = await failure(run())
    assert.deepEqual([error.code, error.details], ['INVALID_INPUT', { field: 'image' }])
    assert.equal(asked('POST /containers/create'), 0)
  })
}

test('labels that only look like reserved ones are an image’s to set', async (t) => {
  const Labels = { 'skillgateway.x': '1', 'com.dockerish': '1', traefik: '1', 'org.skillgate.x': '1' }
  const { run } = await open(t, { images: [{ reference: IMAGE, config: { Labels } }] })
  assert.equal((await run()).run.exit_code, 3)
})
