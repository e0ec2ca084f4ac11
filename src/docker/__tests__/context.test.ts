/** Docker contexts, in files as the docker command writes them. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { isFailure } from '../../core/failure.js'
import { createFakeEngine } from '../../testing/index.js'
import { parseEndpoint } from '../connect.js'
import { createDockerProvider } from '../index.js'

const places: string[] = []
after(() => {
  for (const place of places) rmSync(place, { recursive: true })
})

interface Written {
  config?: string
  contexts?: Record<string, { meta: unknown; pem?: string[] }>
}

/** A configuration directory; what is no text in it is written as JSON. */
function write({ config, contexts = {} }: Written): string {
  const place = mkdtempSync(join(tmpdir(), 'docker-config-'))
  places.push(place)
  if (config !== undefined) writeFileSync(join(place, 'config.json'), config)
  for (const [name, { meta, pem = [] }] of Object.entries(contexts)) {
    const digest = createHash('sha256').update(name).digest('hex')
    mkdirSync(join(place, 'contexts/meta', digest), { recursive: true })
    writeFileSync(
      join(place, 'contexts/meta', digest, 'meta.json'),
      typeof meta === 'string' ? meta : JSON.stringify(meta),
    )
    mkdirSync(join(place, 'contexts/tls', digest, 'docker'), { recursive: true })
    for (const file of pem) writeFileSync(join(place, 'contexts/tls', digest, 'docker', `${file}.pem`), file)
  }
  return place
}

const context = (Host: string, over: object = {}) => ({
  meta: { Name: 'x', Metadata: {}, Endpoints: { docker: { Host, SkipTLSVerify: false, ...over } } },
})
const two = {
  config: '{"auths":{},"currentContext":"remote"}',
  contexts: { remote: context('tcp://remote:2376'), local: context('unix:///run/local.sock') },
}

for (const [name, env, address, source] of [
  ['the configuration names one', {}, 'tcp://remote:2376', /^context "remote" \(.*config\.json\)$/],
  [
    'DOCKER_CONTEXT names another',
    { DOCKER_CONTEXT: 'local' },
    'unix:///run/local.sock',
    /^context "local" \(DOCKER_CONTEXT\)$/,
  ],
  ['DOCKER_CONTEXT is default', { DOCKER_CONTEXT: 'default' }, 'unix:///var/run/docker.sock', /^default$/],
  ['DOCKER_CONTEXT is empty', { DOCKER_CONTEXT: '' }, 'tcp://remote:2376', /^context "remote"/],
  [
    'DOCKER_HOST comes before both',
    { DOCKER_CONTEXT: 'local', DOCKER_HOST: 'tcp://h:1' },
    'tcp://h:1',
    /^DOCKER_HOST$/,
  ],
  ['DOCKER_TLS_VERIFY is not of contexts', { DOCKER_TLS_VERIFY: '1' }, 'tcp://remote:2376', /^context "remote"/],
] as const) {
  test(`the engine is ${address} when ${name}`, () => {
    const endpoint = parseEndpoint({ env: { DOCKER_CONFIG: write(two), ...env } })
    assert.equal(endpoint.address, address)
    assert.match(endpoint.source, source)
  })
}

test('HOME has the configuration where DOCKER_CONFIG does not say otherwise', () => {
  const home = mkdtempSync(join(tmpdir(), 'home-'))
  places.push(home)
  mkdirSync(join(home, '.docker'))
  writeFileSync(join(home, '.docker/config.json'), '{"currentContext":"x"}')
  assert.throws(() => parseEndpoint({ env: { HOME: home } }), /context "x" \(string\).*does not exist/)
  assert.equal(parseEndpoint({ env: { HOME: join(home, 'none') } }).source, 'default')
})

test('a context’s certificates are its own', () => {
  const contexts = { tls: { ...context('tcp://remote:2376'), pem: ['ca', 'cert', 'key'] } }
  const { connect, origin } = parseEndpoint({ env: { DOCKER_CONFIG: write({ contexts }), DOCKER_CONTEXT: 'tls' } })
  assert.equal(origin, 'https://remote:2376')
  assert.deepEqual(
    Object.entries(connect).map(([name, bytes]) => [name, String(bytes)]),
    [
      ['ca', 'ca'],
      ['cert', 'cert'],
      ['key', 'key'],
    ],
  )
})

for (const [name, env, written, reason] of [
  ['one that does not exist', { DOCKER_CONTEXT: 'absent' }, two, /"absent".*does not exist.*docker context ls/],
  ['a name that is a path', { DOCKER_CONTEXT: '../../etc' }, two, /does not exist/],
  ['a configuration that is not JSON', {}, { config: '{' }, /config\.json is not JSON/],
  ['metadata that is not JSON', { DOCKER_CONTEXT: 'x' }, { contexts: { x: { meta: '<' } } }, /meta\.json is not JSON/],
  [
    'metadata without an engine',
    { DOCKER_CONTEXT: 'x' },
    { contexts: { x: { meta: { Endpoints: {} } } } },
    /names no engine/,
  ],
  [
    'one that trusts any engine',
    { DOCKER_CONTEXT: 'x' },
    { contexts: { x: context('tcp://h:1', { SkipTLSVerify: true }) } },
    /skips the check/,
  ],
  ['a host that is none', { DOCKER_CONTEXT: 'x' }, { contexts: { x: context('docker') } }, /Docker host "docker"/],
] as const) {
  test(`${name} is INVALID_INPUT`, () => {
    assert.throws(
      () => parseEndpoint({ env: { DOCKER_CONFIG: write(written as Written), ...env } }),
      (error) => isFailure(error) && error.code === 'INVALID_INPUT' && reason.test(error.message),
    )
  })
}

test('DOCKER_CONTEXT without a place to look is INVALID_INPUT, not the default engine', () => {
  assert.throws(() => parseEndpoint({ env: { DOCKER_CONTEXT: 'x' } }), /neither DOCKER_CONFIG nor HOME/)
})

test('a provider uses the context’s engine', async (t) => {
  const engine = await createFakeEngine()
  t.after(() => engine.close())
  const contexts = { suite: context(engine.host) }
  const provider = createDockerProvider({
    env: { DOCKER_CONFIG: write({ contexts, config: '{"currentContext":"suite"}' }) },
  })
  t.after(() => provider.close())
  assert.deepEqual(await provider.request('GET', '/containers'), { containers: [] })
})
