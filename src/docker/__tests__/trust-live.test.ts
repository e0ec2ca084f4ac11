/** Image trust, mounts and networks on a real Docker Engine: what the fake only claims. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Failure, isFailure } from '../../core/failure.js'
import type { RunOutcome, RunSpec } from '../../core/run-spec.js'
import { rejection } from '../../testing/rejection.js'
import { createDockerProvider, type DockerProvider } from '../index.js'
import { engineCall, pushImage } from './engine-fixture.js'
import { runSpec } from './run-fixture.js'

const { SKILLGATE_TEST_DOCKER: host, SKILLGATE_TEST_IMAGE: image, SKILLGATE_TEST_REGISTRY: registry } = process.env
const missing =
  host && image && registry
    ? undefined
    : 'SKILLGATE_TEST_DOCKER, SKILLGATE_TEST_IMAGE and SKILLGATE_TEST_REGISTRY are not all set'
if (missing) console.log(`# Image trust, mounts and networks are not tested on a Docker Engine: ${missing}`)
if (missing && process.env.REQUIRE_LIVE === '1') {
  test('a Docker Engine and a registry can be reached, because REQUIRE_LIVE=1', () => assert.fail(missing))
}

describe('on a Docker Engine', { skip: missing ?? false }, () => {
  const socketPath = (host ?? '').replace('unix://', '')
  const suffix = randomUUID().slice(0, 8)
  const network = `suite-${suffix}`
  let provider: DockerProvider
  let dir: string

  before(async () => {
    provider = createDockerProvider({ host: host ?? '', env: {}, timeoutMs: 60_000 })
    dir = mkdtempSync(join(tmpdir(), 'trust-'))
    mkdirSync(join(dir, 'root/below'), { recursive: true, mode: 0o755 })
    mkdirSync(join(dir, 'elsewhere'))
    writeFileSync(join(dir, 'root/below/file'), 'from the host', { mode: 0o644 })
    writeFileSync(join(dir, 'elsewhere/secret'), 'secret')
    symlinkSync('../elsewhere', join(dir, 'root/link'))
    await engineCall(socketPath, 'POST', '/v1.41/networks/create', { Name: network, Internal: true })
  })

  after(async () => {
    await engineCall(socketPath, 'DELETE', `/v1.41/networks/${network}`)
    await provider.close()
    rmSync(dir, { recursive: true, force: true })
  })

  async function run(script: string, over: Partial<RunSpec> = {}): Promise<RunOutcome> {
    const answer = await provider.request(
      'POST',
      '/containers/run',
      runSpec(image ?? '', ['/bin/sh', '-c', script], { timeout_ms: 20_000, ...over }),
    )
    return (answer as { run: RunOutcome }).run
  }

  async function refused(over: Partial<RunSpec>): Promise<Failure> {
    const error = await rejection(run('exit 0', over))
    assert.ok(isFailure(error), String(error))
    return error
  }

  const mounted = (source: string, over: object = {}) => ({
    mounts: [{ source: join(dir, source), root: join(dir, 'root'), target: '/in', read_only: true, ...over }],
  })

  test('what lies below a root is read, and not written to', async () => {
    const { stdout, exit_code } = await run('cat /in/file; echo x > /in/new', mounted('root/below'))
    assert.equal(stdout, 'from the host')
    assert.notEqual(exit_code, 0)
  })

  test('a single file is mounted, too', async () => {
    assert.equal((await run('cat /in', mounted('root/below/file'))).stdout, 'from the host')
  })

  test('a link that leads out of its root is refused, and inside the container it leads nowhere', async () => {
    assert.equal((await refused(mounted('root/link'))).code, 'DENIED')
    const { stdout, exit_code } = await run('cat /in/link/secret', mounted('root'))
    assert.equal(stdout, '')
    assert.notEqual(exit_code, 0)
  })

  test('the directory of the engine’s own socket is refused', async () => {
    const source = join(socketPath, '..')
    const mounts = [{ source, root: source, target: '/in', read_only: true }]
    assert.match((await refused({ mounts })).message, /engine's own socket/)
  })

  test('an internal network is joined, and no other', async () => {
    const { stdout } = await run('ls /sys/class/net', { network: { internal: network } })
    assert.deepEqual(stdout.trim().split('\n').sort(), ['eth0', 'lo'])
    assert.equal((await run('ls /sys/class/net')).stdout, 'lo\n')
  })

  test('an unknown manifest and a registry that is not there are told apart', async () => {
    const digest = `sha256:${'0'.repeat(64)}`
    const unknown = await refused({ image: `${registry}/skillgate/busybox@${digest}`, pull: 'if-missing' })
    assert.equal(unknown.code, 'IMAGE_NOT_FOUND')
    const nobody = await refused({ image: `127.0.0.1:1/nobody/there@${digest}`, pull: 'if-missing' })
    assert.deepEqual([nobody.code, nobody.retriable], ['UPSTREAM_ERROR', true])
  })

  test('an image whose labels speak for the engine’s other users is pulled, and not run', async () => {
    const labelled = await pushImage({
      socketPath,
      image: image ?? '',
      repository: `${registry}/skillgate/labelled-${suffix}`,
      changes: 'LABEL com.docker.compose.project=mine',
    })
    const error = await refused({ image: labelled, pull: 'if-missing' })
    assert.deepEqual([error.code, error.details?.field], ['INVALID_INPUT', 'image'])
    await engineCall(socketPath, 'DELETE', `/v1.41/images/${labelled}?force=1`)
  })
})
