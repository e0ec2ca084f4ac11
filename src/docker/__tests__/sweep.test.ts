/** What a killed host leaves on an engine, and who may remove it. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { isFailure } from '../../core/failure.js'
import { createFakeEngine, providerPrograms } from '../../testing/index.js'
import { createDockerProvider, type DockerProviderOptions } from '../index.js'
import { createOwner, isGone } from '../owner.js'
import { createRunLabels, MAC_LABEL, type RunMark } from '../run-labels.js'
import { runSpec } from './run-fixture.js'

const KEY = randomBytes(32)
const HOUR = 3_600_000
/** Of this boot and this pid namespace; number 1 was never started at tick 1. */
const DEAD = createOwner().replace(/^([^.]+\.[^.]+)\..*/, '$1.1.1.0000000000000000')
const ELSEWHERE = 'ffffffffffffffff.1.1.1.0000000000000000'

async function open(t: TestContext, options: DockerProviderOptions = {}) {
  const fake = await createFakeEngine()
  const provider = createDockerProvider({ host: fake.host, signingKey: KEY, ...options })
  t.after(async () => {
    await provider.close()
    await fake.close()
  })
  const post = async (path: string, body?: unknown): Promise<{ Id: string }> => {
    const { Pool } = await import('undici')
    const pool = new Pool('http://localhost', { socketPath: fake.host.replace('unix://', '') })
    const answer = await pool.request({ path, method: 'POST', body: JSON.stringify(body ?? {}) })
    const text = await answer.body.text()
    await pool.close()
    return text === '' ? { Id: '' } : (JSON.parse(text) as { Id: string })
  }
  /** A container as a host made it, running or not. */
  async function leave(name: string, labels: Record<string, string>, { started = true } = {}): Promise<string> {
    const { Id } = await post(`/v1.41/containers/create?name=${name}`, {
      Image: fake.image,
      Cmd: providerPrograms.idle.cmd,
      Labels: labels,
    })
    if (started) await post(`/v1.41/containers/${Id}/start`)
    return Id
  }
  const mark = (over: Partial<RunMark> = {}): RunMark => ({
    owner: DEAD,
    run: 'run_1/s1',
    deadline: Date.now() + HOUR,
    spec: 'a'.repeat(64),
    ...over,
  })
  return { fake, provider, leave, mark, labels: createRunLabels(KEY) }
}

const spec = (image: string, program: keyof typeof providerPrograms) => runSpec(image, providerPrograms[program].cmd)

test('the containers of a host that was killed are removed, created, running or exited [S21]', async (t) => {
  const { fake, provider, leave, mark, labels } = await open(t)
  await leave('created', labels.write('created', mark()), { started: false })
  await leave('running', labels.write('running', mark()))
  assert.deepEqual((await provider.sweep()).removed.length, 2)
  assert.equal(fake.containers.size, 0)
})

test('a container of a host that may live stays until its deadline [S21]', async (t) => {
  const { fake, provider, leave, mark, labels } = await open(t)
  await leave('early', labels.write('early', mark({ owner: ELSEWHERE })))
  const late = await leave('late', labels.write('late', mark({ owner: ELSEWHERE, deadline: Date.now() - 1 })))
  assert.deepEqual(await provider.sweep(), { found: 2, removed: [late] })
  assert.equal(fake.containers.size, 1)
})

test('a container whose labels do not verify is never touched [S21]', async (t) => {
  const { fake, provider, leave, mark, labels } = await open(t)
  const good = labels.write('good', mark({ deadline: 1 }))
  await leave('no-labels', {})
  await leave('copied-from-good', good)
  await leave('other-key', createRunLabels(randomBytes(32)).write('other-key', mark({ deadline: 1 })))
  for (const name of Object.keys(good)) {
    const changed = name === MAC_LABEL ? '0'.repeat(64) : `${good[name]}0`
    await leave(`good`.concat('-', name), { ...good, [name]: changed })
  }
  const { [MAC_LABEL]: _, ...withoutCode } = good
  await leave('without-code', withoutCode)
  const before = fake.containers.size
  assert.deepEqual(await provider.sweep(), { found: 0, removed: [] })
  assert.equal(fake.containers.size, before)
})

test('a run under way is no leftover, and what could not be removed is one later [S21]', async (t) => {
  const { fake, provider } = await open(t)
  const running = provider.request('POST', '/containers/run', spec(fake.image, 'idle'), { timeoutMs: 60_000 })
  running.catch(() => {})
  while (![...fake.containers.values()].some(({ state }) => state === 'running')) await new Promise(setImmediate)
  assert.deepEqual((await provider.sweep()).removed, [])
  assert.equal(fake.containers.size, 1)

  const { fake: other, provider: unlucky } = await open(t)
  const undo = other.fault('DELETE /containers/{id}', { reply: { status: 500, body: '{"message":"busy"}' } })
  await unlucky.request('POST', '/containers/run', spec(other.image, 'nothing'))
  assert.equal(other.containers.size, 1)
  undo()
  assert.equal((await unlucky.sweep()).removed.length, 1)
})

test('the first run sweeps first, and then the clock does', async (t) => {
  const { fake, provider, leave, mark, labels } = await open(t, { sweepMs: 20 })
  await leave('before', labels.write('before', mark()))
  await provider.request('POST', '/containers/run', spec(fake.image, 'nothing'))
  assert.equal(fake.containers.size, 0)
  await leave('after', labels.write('after', mark()))
  const until = Date.now() + 5_000
  while (fake.containers.size > 0 && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 10))
  assert.equal(fake.containers.size, 0)
})

test('a first look that fails is followed by others, and told of once', async (t) => {
  const told: string[] = []
  const logger = { warn: (message: string) => told.push(message), error: () => {} }
  const { fake, provider, leave, mark, labels } = await open(t, { sweepMs: 10, logger })
  await leave('waiting', labels.write('waiting', mark()))
  const undo = fake.fault('GET /containers/json', { reply: { status: 500, body: '{"message":"not yet"}' } })
  await assert.rejects(provider.sweep())
  const looks = () => fake.requests.filter(({ route }) => route === 'GET /containers/json').length
  while (looks() < 4) await new Promise((resolve) => setTimeout(resolve, 5))
  undo()
  while (fake.containers.size > 0) await new Promise((resolve) => setTimeout(resolve, 5))
  assert.equal(told.filter((message) => message.startsWith('leftovers')).length, 1)
})

test('a run says in its labels what it is, and its host finds it again by them', async (t) => {
  const { fake, provider, labels } = await open(t)
  const options = { timeoutMs: 60_000, runId: 'run_7/s2' }
  provider.request('POST', '/containers/run', spec(fake.image, 'idle'), options).catch(() => {})
  while (![...fake.containers.values()].some(({ state }) => state === 'running')) await new Promise(setImmediate)
  const [container] = fake.containers.values()
  const read = labels.read(container?.name ?? '', container?.config.Labels ?? {})
  assert.equal(read?.run, 'run_7/s2')
  assert.match(read?.spec ?? '', /^[0-9a-f]{64}$/)
  assert.ok(read && read.deadline > Date.now())
})

test('hideRuns leaves run containers out of listings, and only them', async (t) => {
  const { fake, provider, leave, mark, labels } = await open(t, { hideRuns: true })
  await leave('a-run', labels.write('a-run', mark({ owner: ELSEWHERE })))
  await leave('a-liar', { [MAC_LABEL]: '0'.repeat(64) })
  await leave('a-service', {})
  const listed = (await provider.request('GET', '/containers?all=true&limit=2')) as { containers: { name: string }[] }
  assert.deepEqual(listed.containers.map(({ name }) => name).sort(), ['a-liar', 'a-service'])
  assert.equal(fake.containers.size, 3)
})

test('a key that is too short is refused', () => {
  for (const signingKey of ['', 'short', new Uint8Array(31)]) {
    assert.throws(
      () => createDockerProvider({ host: 'unix:///none', signingKey }),
      (error) => isFailure(error) && error.code === 'INVALID_INPUT' && error.details?.field === 'signingKey',
    )
  }
})

test('an owner is gone only when its process surely is', () => {
  const own = createOwner()
  assert.equal(isGone(own), false)
  assert.equal(isGone(DEAD), true)
  for (const unsure of [
    ELSEWHERE,
    '',
    '-',
    '-.-.-.-.-',
    own.replace(/\.[^.]*\.[^.]*$/, '.-.x'),
    `${own}x`,
    'a.b.c.d.e',
  ]) {
    assert.equal(isGone(unsure), false, unsure)
  }
})
