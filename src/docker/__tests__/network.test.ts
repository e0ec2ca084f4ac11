/** Named networks: found by their exact name, used by their id, and refused unless they are internal. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { isFailure } from '../../core/failure.js'
import type { RunOutcome } from '../../core/run-spec.js'
import { createFakeEngine, providerPrograms } from '../../testing/index.js'
import { rejection } from '../../testing/rejection.js'
import { createDockerProvider } from '../index.js'
import { runSpec } from './run-fixture.js'

const NETWORK = 'GET /networks/{name}'

async function open(t: TestContext) {
  const fake = await createFakeEngine()
  const provider = createDockerProvider({ host: fake.host })
  t.after(async () => {
    await provider.close()
    await fake.close()
  })
  const run = (network: unknown) =>
    provider.request(
      'POST',
      '/containers/run',
      runSpec(fake.image, providerPrograms.nothing.cmd, { network }),
    ) as Promise<{ run: RunOutcome }>
  const asked = (route: string) => fake.requests.filter((request) => request.route === route).length
  return { fake, run, asked }
}

test('an internal network is joined by its full id, and the posture names both [S25]', async (t) => {
  const { fake, run, asked } = await open(t)
  const { run: outcome } = await run({ internal: 'suite-internal' })
  const created = fake.requests.find(({ route }) => route === 'POST /containers/create')?.body
  const { HostConfig, NetworkDisabled } = created as { HostConfig: { NetworkMode: string }; NetworkDisabled: boolean }
  assert.match(HostConfig.NetworkMode, /^[0-9a-f]{64}$/)
  assert.equal(NetworkDisabled, false)
  assert.deepEqual(outcome.posture.network, { internal: 'suite-internal', id: HostConfig.NetworkMode })
  assert.equal(asked(NETWORK), 1)
})

for (const found of [{}, { 'suite-open': {} }, { 'suite-internal': {}, 'suite-open': {} }]) {
  test(`a container that joined ${Object.keys(found).join(' and ') || 'none'} instead is never started [S15] [S25]`, async (t) => {
    const { fake, run, asked } = await open(t)
    const alter = (json: unknown) => Object.assign(json as object, { NetworkSettings: { Networks: found } })
    fake.fault('GET /containers/{id}/json', { alter })
    const error = await rejection(run({ internal: 'suite-internal' }))
    assert.ok(isFailure(error) && error.code === 'POSTURE_MISMATCH', String(error))
    assert.deepEqual([error.details?.field, asked('POST /containers/{id}/start')], ['NetworkSettings.Networks', 0])
    assert.equal(fake.containers.size, 0)
  })
}

test('runs without a named network ask for none', async (t) => {
  const { run, asked } = await open(t)
  await run('none')
  await run('open')
  assert.equal(asked(NETWORK), 0)
})

const inspected = (over: object) => ({
  reply: { status: 200, body: JSON.stringify({ Name: 'wanted', Id: 'a'.repeat(64), Internal: true, ...over }) },
})
for (const [name, fault, code] of [
  ['leads outside', inspected({ Internal: false }), 'DENIED'],
  ['does not say whether it is internal', inspected({ Internal: 'true' }), 'DENIED'],
  ['was found by the beginning of an id', inspected({ Name: 'other' }), 'INVALID_INPUT'],
  ['is not there', { reply: { status: 404, body: '{"message":"no"}' } }, 'INVALID_INPUT'],
  ['has no id', inspected({ Id: 'wanted' }), 'UPSTREAM_ERROR'],
  ['is a list', { reply: { status: 200, body: '[]' } }, 'INVALID_INPUT'],
  ['the engine cannot tell of', { reply: { status: 500 } }, 'UPSTREAM_ERROR'],
] as const) {
  test(`a network that ${name} is ${code}, and nothing is created [S25]`, async (t) => {
    const { fake, run, asked } = await open(t)
    fake.fault(NETWORK, fault)
    const error = await rejection(run({ internal: 'wanted' }))
    assert.ok(isFailure(error) && error.code === code, String(error))
    assert.equal(asked('POST /containers/create'), 0)
  })
}

const NAMES = [
  '',
  'a',
  'host',
  'HOST',
  'none',
  'bridge',
  'default',
  'true',
  '../x',
  'a/b',
  'a b',
  '-a',
  '.a',
  'a\n',
  'é1',
]
const LONG = ['a'.repeat(65), 'container:abc', 'ns:/proc/1/ns/net', 'a%2fb', 'a?b', 'a#b']
for (const network of [
  ...[...NAMES, ...LONG].map((internal) => ({ internal })),
  {},
  { internal: 'ab', open: true },
  'host',
  true,
]) {
  test(`${JSON.stringify(network).slice(0, 40)} is no network, and the engine is not asked [S5]`, async (t) => {
    const { fake, run } = await open(t)
    const error = await rejection(run(network))
    assert.ok(isFailure(error) && error.code === 'INVALID_INPUT', String(error))
    assert.match(String(error.details?.field), /^network/)
    assert.equal(fake.requests.length, 0)
  })
}
