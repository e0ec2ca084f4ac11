/** The provider against an engine that fails: every failure is typed, says what to do, and leaves no socket. */
import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type Failure, isFailure } from '../../core/failure.js'
import { createFakeEngine, type FakeEngineOptions, type FakeFault } from '../../testing/index.js'
import { rejection } from '../../testing/rejection.js'
import { createDockerProvider, type DockerProviderOptions } from '../index.js'
import { connectionFailure } from '../upstream.js'

async function open(t: TestContext, options: FakeEngineOptions = {}, more: DockerProviderOptions = {}) {
  const fake = await createFakeEngine(options)
  const provider = createDockerProvider({ host: fake.host, ...more })
  t.after(async () => {
    await provider.close()
    await fake.close()
  })
  return { fake, provider }
}

async function failure(promise: Promise<unknown>): Promise<Failure> {
  const error = await rejection(promise)
  assert.ok(isFailure(error), String(error))
  return error
}

/** Listens on a socket of its own and says `greeting` to whoever sends something. */
async function listen(t: TestContext, greeting: string): Promise<string> {
  const path = join(tmpdir(), `not-an-engine-${process.pid}-${Math.round(performance.now() * 1000)}.sock`)
  const server: Server = createServer((socket) => {
    socket.once('data', () => socket.end(greeting))
    socket.on('error', () => {})
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  t.after(() => new Promise((resolve) => server.close(resolve)))
  return `unix://${path}`
}

test('no socket: it says to start Docker, and a retry may help', async (t) => {
  const provider = createDockerProvider({ host: 'unix:///nowhere/docker.sock' })
  t.after(() => provider.close())
  const error = await failure(provider.request('GET', '/containers'))
  assert.deepEqual([error.code, error.retriable, error.details?.reason], ['UPSTREAM_ERROR', true, 'not_listening'])
  assert.match(error.message, /unix:\/\/\/nowhere\/docker\.sock.*Start Docker/)
})

test('permission denied: it names the group, and a retry does not help', () => {
  const denied = Object.assign(new Error('connect EACCES'), { code: 'EACCES' })
  const error = connectionFailure(denied, 'unix:///var/run/docker.sock')
  assert.deepEqual([error.code, error.retriable, error.details?.reason], ['UPSTREAM_ERROR', false, 'permission_denied'])
  assert.match(error.message, /group/)
})

for (const [name, greeting] of [
  ['a web server', 'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>'],
  ['a web server without such a page', 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n'],
  ['a web server that redirects', 'HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n'],
  ['something that does not speak HTTP', 'SSH-2.0-OpenSSH_9.2\r\n'],
] as const) {
  test(`${name} is not a Docker Engine, and a retry does not help`, async (t) => {
    const provider = createDockerProvider({ host: await listen(t, greeting) })
    t.after(() => provider.close())
    const error = await failure(provider.request('GET', '/containers'))
    assert.deepEqual([error.code, error.retriable, error.details?.reason], ['UPSTREAM_ERROR', false, 'not_an_engine'])
  })
}

for (const [name, options, spoken] of [
  ['1.41 and older', { apiVersion: '1.41' }, '1.41'],
  ['1.44 to 1.48', { apiVersion: '1.48', minApiVersion: '1.44' }, '1.48'],
  ['newer than we know', { apiVersion: '1.99', minApiVersion: '1.44' }, '1.51'],
] as const) {
  test(`an engine that speaks ${name} is spoken to in ${spoken}, agreed upon once`, async (t) => {
    const { fake, provider } = await open(t, options)
    const { apiVersion, id } = await provider.engine()
    assert.deepEqual([apiVersion, id], [spoken, 'FAKE:ENGINE'])
    await provider.request('GET', '/containers')
    await provider.request('GET', '/images')
    const paths = fake.requests.map(({ path }) => path)
    const versioned = ['info', 'containers/json', 'images/json'].map((path) => `/v${spoken}/${path}`)
    assert.deepEqual(paths, ['/_ping', '/version', ...versioned])
  })
}

for (const [name, options] of [
  ['too old', { apiVersion: '1.40' }],
  ['too new', { apiVersion: '1.99', minApiVersion: '1.60' }],
] as const) {
  test(`an engine that is ${name} is refused with both versions`, async (t) => {
    const { provider } = await open(t, options)
    const error = await failure(provider.request('GET', '/containers'))
    assert.equal(error.code, 'ENGINE_UNSUITABLE')
    assert.match(error.message, /1\.(40|60).*1\.(41|51)/)
  })
}

test('after a lost connection the version is agreed upon again', async (t) => {
  const { fake, provider } = await open(t)
  await provider.request('GET', '/containers')
  const undo = fake.fault('GET /containers/json', { end: 'drop' })
  const error = await failure(provider.request('GET', '/containers'))
  assert.deepEqual([error.details?.reason, error.retriable], ['connection_lost', true])
  undo()
  await provider.request('GET', '/containers')
  assert.equal(fake.requests.filter(({ path }) => path === '/_ping').length, 2)
})

for (const [name, reply, expected] of [
  ['an HTML 500', { status: 500, body: '<html>secret</html>' }, { status: 500, retriable: true }],
  ['a JSON 500', { status: 500, body: '{"message":"boom"}' }, { status: 500, retriable: true, says: /boom/ }],
  ['a 503', { status: 503 }, { status: 503, retriable: true }],
  ['a 429', { status: 429 }, { status: 429, retriable: true }],
  ['a 408', { status: 408 }, { status: 408, retriable: true }],
  ['a 400', { status: 400, body: '{"message":"bad"}' }, { status: 400, retriable: false, says: /bad/ }],
  ['a 409', { status: 409, body: '{"message":7}' }, { status: 409, retriable: false }],
  ['a 301', { status: 301, headers: { location: 'http://elsewhere/' } }, { status: 301, retriable: false }],
  ['a 307', { status: 307, headers: { location: '/v1.41/containers/create' } }, { status: 307, retriable: false }],
  ['text for JSON', { status: 200, body: '<html>' }, { status: undefined, retriable: false }],
  ['nothing for JSON', { status: 200 }, { status: undefined, retriable: false }],
  ['an object for a list', { status: 200, body: '{}' }, { status: undefined, retriable: false }],
  ['null for a list', { status: 200, body: 'null' }, { status: undefined, retriable: false }],
] as const) {
  test(`${name} is an UPSTREAM_ERROR that is ${expected.retriable ? '' : 'not '}worth a retry`, async (t) => {
    const { fake, provider } = await open(t)
    await provider.engine()
    fake.requests.length = 0
    fake.fault('GET /containers/json', { reply })
    const error = await failure(provider.request('GET', '/containers'))
    assert.deepEqual(
      [error.code, error.details?.status, error.retriable],
      ['UPSTREAM_ERROR', expected.status, expected.retriable],
    )
    assert.match(error.message, 'says' in expected ? expected.says : /^(?!.*secret)/)
    assert.equal(fake.requests.length, 1, 'nothing is followed and nothing is sent twice')
  })
}

for (const [path, route] of [
  ['/containers/x', 'GET /containers/{id}/json'],
  ['/containers/x/logs', 'GET /containers/{id}/json'],
  ['/containers/x/stats', 'GET /containers/{id}/stats'],
] as const) {
  test(`GET ${path} answered with null is an UPSTREAM_ERROR`, async (t) => {
    const { fake, provider } = await open(t)
    fake.fault(route, { reply: { status: 200, body: 'null' } })
    const error = await failure(provider.request('GET', path))
    assert.deepEqual([error.code, error.retriable], ['UPSTREAM_ERROR', false])
  })
}

test('strange rows in a list become rows with empty fields', async (t) => {
  const { fake, provider } = await open(t)
  fake.fault('GET /containers/json', {
    reply: { status: 200, body: '[null, 7, {}, {"Names":7,"Ports":[null],"Labels":[]}]' },
  })
  const { containers } = (await provider.request('GET', '/containers')) as { containers: { id: string }[] }
  assert.deepEqual(
    containers.map(({ id }) => id),
    ['', '', '', ''],
  )
})

test('an answer that does not end is cut off', async (t) => {
  const { fake, provider } = await open(t)
  fake.fault('GET /images/json', { reply: { status: 200, body: `["${'x'.repeat(17 * 1024 * 1024)}"]` } })
  const error = await failure(provider.request('GET', '/images'))
  assert.deepEqual([error.code, error.retriable], ['UPSTREAM_ERROR', false])
  assert.match(error.message, /larger than/)
})

for (const [method, path, route, write] of [
  ['GET', '/containers', 'GET /containers/json', false],
  ['GET', '/images', 'GET /images/json', false],
  ['GET', '/containers/x', 'GET /containers/{id}/json', false],
  ['GET', '/containers/x/logs', 'GET /containers/{id}/json', false],
  ['GET', '/containers/x/stats', 'GET /containers/{id}/stats', false],
  ['POST', '/containers/x/start', 'POST /containers/{id}/start', true],
  ['POST', '/containers/x/stop?timeout=0', 'POST /containers/{id}/stop', true],
] as const) {
  test(`${method} ${path} that hangs is a TIMEOUT in its time, and ABORTED at once when the caller says so`, async (t) => {
    const { fake, provider } = await open(t)
    await provider.engine()
    fake.fault(route, { end: 'hang' })
    const timeout = await failure(provider.request(method, path, undefined, { timeoutMs: 30 }))
    assert.deepEqual(
      [timeout.code, timeout.retriable, timeout.details?.in_progress],
      ['TIMEOUT', true, write || undefined],
    )
    const controller = new AbortController()
    const pending = failure(provider.request(method, path, undefined, { signal: controller.signal }))
    controller.abort()
    assert.equal((await pending).code, 'ABORTED')
    const expired = await failure(provider.request(method, path, undefined, { signal: AbortSignal.timeout(5) }))
    assert.equal(expired.code, 'TIMEOUT')
  })
}

test('a timeout that is no positive number counts as none given', async (t) => {
  const { provider } = await open(t)
  for (const timeoutMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, '5' as unknown as number]) {
    await provider.request('GET', '/containers', undefined, { timeoutMs })
  }
})

test('what is not in the protocol costs the engine no request', async (t) => {
  const { fake, provider } = await open(t)
  for (const path of ['/containers/..', '/containers/a%2Fb', '/containers?limit=0', '/info', '/containers/a/exec']) {
    await failure(provider.request('GET', path))
  }
  await failure(provider.request('POST', '/containers/run', { image: 'busybox' }))
  assert.equal(fake.requests.length, 0)
})

test('every call is told to onCall, also one that failed', async (t) => {
  const calls: string[] = []
  const { provider } = await open(
    t,
    {},
    { onCall: ({ method, route, status }) => calls.push(`${method} ${route} ${status}`) },
  )
  await failure(provider.request('GET', '/containers/nobody'))
  assert.deepEqual(calls, ['GET /_ping 200', 'GET /version 200', 'GET /containers/{id}/json 404'])
})

test('close ends what hangs, and afterwards nothing is asked any more', async (t) => {
  const { fake, provider } = await open(t)
  await provider.engine()
  const hang: FakeFault = { end: 'hang' }
  fake.fault('GET /containers/json', hang)
  const pending = failure(provider.request('GET', '/containers'))
  await provider.close()
  assert.equal((await pending).code, 'ABORTED')
  assert.equal((await failure(provider.request('GET', '/containers'))).code, 'UNAVAILABLE')
  await fake.disconnected()
  await provider.close()
})
