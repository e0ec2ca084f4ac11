/** Hostile mounts in the thousands: refused by the skill and by the provider alike, and none of it reaches the engine. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import fc from 'fast-check'
import { dockerRun } from '../skills/docker-run/handler.js'
import { createDockerProvider, type DockerProvider } from '../src/docker/index.js'
import { isFailure } from '../src/index.js'
import { createFakeEngine, type FakeEngine } from '../src/testing/fake-engine.js'

const IMAGE = `x@sha256:${'ab'.repeat(32)}`
let engine: FakeEngine
let provider: DockerProvider

before(async () => {
  engine = await createFakeEngine()
  provider = createDockerProvider({ host: engine.host })
})

after(async () => {
  await provider.close()
  await engine.close()
})

const anything = fc.oneof(fc.boolean(), fc.double(), fc.constant(null), fc.array(fc.string()), fc.anything())
const wrong = anything.filter((value) => value != null)

/** Each has one fault at least, in its source or in its target. */
const systemPath = fc
  .tuple(
    fc.constantFrom('', '/', '/.'),
    fc.constantFrom('/', '/etc', '/ETC', '/proc', '/sys', '/dev', '/boot', '/run', '/var', '/root', '/home/me', '/usr'),
    fc.constantFrom('', '/', '//', '/.', '/./'),
  )
  .map((parts) => parts.join(''))
const hostilePath = fc.oneof(
  systemPath,
  fc
    .tuple(
      fc.constantFrom('/srv', '/data/x'),
      fc.constantFrom('/..', '/../etc', ':/x', ',x', '\0', '/x.sock', '/.ssh/x'),
    )
    .map((parts) => parts.join('')),
  fc.string().filter((text) => !text.startsWith('/')),
  anything.filter((value) => typeof value !== 'string'),
)
const overKernel = fc.constantFrom(
  '/',
  '//',
  '/.',
  '/proc',
  '/proc/1',
  '//sys',
  '/dev/shm',
  '/tmp',
  '/tmp/',
  '/etc',
  '/../x',
)
const hostileMount = fc.oneof(
  hostilePath.map((source) => ({ source, target: '/in' })),
  overKernel.map((target) => ({ source: '/srv', target })),
  newKeyOf(['source', 'target', 'read_only']).map((key) => ({ source: '/srv', target: '/in', [key]: true })),
  wrong
    .filter((value) => typeof value !== 'boolean')
    .map((read_only) => ({ source: '/srv', target: '/in', read_only })),
)
function newKeyOf(known: readonly string[]): fc.Arbitrary<string> {
  return fc.string({ minLength: 1 }).filter((key) => !known.includes(key))
}

describe('hostile mounts [S5]', () => {
  it('are refused by the skill, whatever the policy allows', async () => {
    const constraints = { images: [IMAGE], mounts_allowed: true, mount_roots: ['/srv', '/data'] }
    const property = fc.asyncProperty(hostileMount, async (mount) => {
      const params = { image: IMAGE, mounts: [mount] }
      const { metadata } = await dockerRun.execute(params, { providerClient: provider, constraints })
      assert.ok(metadata.success === false)
      assert.equal(metadata.error.code, 'INVALID_INPUT')
      assert.match(String(metadata.error.details?.field), /^(params\.)?mounts/)
      assert.ok(metadata.error.message.length < 1_000)
      assert.equal(dockerRun.validate(params).valid, false)
      assert.equal(engine.requests.length, 0, 'a refused mount reached the engine')
    })
    await fc.assert(property, { numRuns: 2_000, includeErrorInReport: true })
  })

  it('are refused by the provider, whoever asks', async () => {
    const property = fc.asyncProperty(hostileMount, async (mount) => {
      const given = mount as { source: unknown; target: unknown; read_only?: unknown }
      const spec = {
        image: IMAGE,
        cmd: [],
        env: {},
        timeout_ms: 1_000,
        memory_mb: 64,
        cpus: 1,
        pids: 8,
        network: 'none',
        mounts: [{ read_only: true, root: given.source, ...given }],
        output: { keep_bytes: 10, limit_bytes: 10 },
      }
      await assert.rejects(provider.request('POST', '/containers/run', spec), (error) => {
        assert.ok(isFailure(error))
        assert.equal(error.code, 'INVALID_INPUT')
        assert.match(String(error.details?.field), /^(body\.)?mounts/)
        return true
      })
      assert.equal(engine.requests.length, 0, 'a refused mount reached the engine')
    })
    await fc.assert(property, { numRuns: 2_000, includeErrorInReport: true })
  })

  it('and the counter counts', async () => {
    await provider.request('GET', '/containers')
    assert.ok(engine.requests.length > 0, 'requests are seen')
  })
})
