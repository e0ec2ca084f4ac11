/** An engine that says 201 and keeps less, or gives more, than was asked. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { isFailure } from '../../core/failure.js'
import { createFakeEngine, providerPrograms } from '../../testing/index.js'
import { rejection } from '../../testing/rejection.js'
import { createDockerProvider } from '../index.js'
import { runSpec } from './run-fixture.js'

type Inspect = Record<string, unknown> & { HostConfig: Record<string, unknown>; Config: Record<string, unknown> }

/** A run on a fake engine whose inspect of the created container was changed. */
async function runWith(t: TestContext, change: (inspect: Inspect) => void) {
  const fake = await createFakeEngine()
  fake.fault('GET /containers/{id}/json', { alter: (json) => change(json as Inspect) })
  const provider = createDockerProvider({ host: fake.host })
  t.after(async () => {
    await provider.close()
    await fake.close()
  })
  const run = provider.request(
    'POST',
    '/containers/run',
    runSpec(fake.image, providerPrograms.nothing.cmd, { env: { A: 'secret-value' } }),
  )
  return { run, fake, asked: (route: string) => fake.requests.filter((request) => request.route === route).length }
}

const host = (over: Record<string, unknown>) => (inspect: Inspect) => Object.assign(inspect.HostConfig, over)
const config = (over: Record<string, unknown>) => (inspect: Inspect) => Object.assign(inspect.Config, over)

const LIES: [field: string, change: (inspect: Inspect) => void][] = [
  ['Image', (inspect) => Object.assign(inspect, { Image: `sha256:${'9'.repeat(64)}` })],
  ['State.Status', (inspect) => Object.assign(inspect, { State: { Status: 'running' } })],
  ['HostConfig.ReadonlyRootfs', host({ ReadonlyRootfs: false })],
  ['HostConfig.NetworkMode', host({ NetworkMode: 'bridge' })],
  ['HostConfig.PidsLimit', host({ PidsLimit: 0 })],
  ['HostConfig.Memory', host({ Memory: 0 })],
  ['HostConfig.MemorySwap', host({ MemorySwap: -1 })],
  ['HostConfig.NanoCpus', host({ NanoCpus: 0 })],
  ['HostConfig.CapDrop', host({ CapDrop: null })],
  ['HostConfig.SecurityOpt', host({ SecurityOpt: ['no-new-privileges', 'seccomp=unconfined'] })],
  ['HostConfig.IpcMode', host({ IpcMode: 'host' })],
  ['HostConfig.CgroupnsMode', host({ CgroupnsMode: 'host' })],
  ['HostConfig.Init', host({ Init: false })],
  ['HostConfig.Binds', host({ Binds: ['/:/host'] })],
  ['HostConfig.CapAdd', host({ CapAdd: ['SYS_ADMIN'] })],
  ['HostConfig.Devices', host({ Devices: [{ PathOnHost: '/dev/sda' }] })],
  ['HostConfig.DeviceRequests', host({ DeviceRequests: [{ Driver: 'nvidia' }] })],
  ['HostConfig.ExtraHosts', host({ ExtraHosts: ['a:1.2.3.4'] })],
  ['HostConfig.GroupAdd', host({ GroupAdd: ['0'] })],
  ['HostConfig.PidMode', host({ PidMode: 'host' })],
  ['HostConfig.Privileged', host({ Privileged: true })],
  ['HostConfig.PortBindings', host({ PortBindings: { '80/tcp': [{}] } })],
  ['HostConfig.Sysctls', host({ Sysctls: { 'net.ipv4.ip_forward': '1' } })],
  ['HostConfig.UsernsMode', host({ UsernsMode: 'host' })],
  ['HostConfig.VolumesFrom', host({ VolumesFrom: ['other'] })],
  ['HostConfig.RestartPolicy', host({ RestartPolicy: { Name: 'always' } })],
  ['HostConfig.Ulimits', host({ Ulimits: [] })],
  ['HostConfig.LogConfig', host({ LogConfig: { Type: 'syslog' } })],
  ['HostConfig.Tmpfs./tmp', host({ Tmpfs: {} })],
  ['HostConfig.Tmpfs./extra', (inspect) => Object.assign(inspect.HostConfig.Tmpfs as object, { '/extra': 'rw' })],
  ['HostConfig.Tmpfs./tmp', host({ Tmpfs: { '/tmp': 'rw,exec,nosuid,nodev,size=64m,mode=1777,nr_inodes=16k' } })],
  [
    'HostConfig.Tmpfs./tmp',
    host({ Tmpfs: { '/tmp': 'rw,noexec,nosuid,nodev,size=64m,mode=1777,nr_inodes=16k,size=9g' } }),
  ],
  ['HostConfig.LogConfig', host({ LogConfig: { Type: 'local', Config: {} } })],
  ['HostConfig.Annotations', host({ Annotations: { 'run.oci.keep_original_groups': '1' } })],
  ['HostConfig.OomScoreAdj', host({ OomScoreAdj: -1000 })],
  ['HostConfig.Dns', host({ Dns: ['6.6.6.6'] })],
  ['Mounts', (inspect) => Object.assign(inspect, { Mounts: [{ Type: 'tmpfs', Destination: '/srv', RW: true }] })],
  ['HostConfig.MaskedPaths', host({ MaskedPaths: [] })],
  ['HostConfig.ReadonlyPaths', host({ ReadonlyPaths: [] })],
  ['Mounts', (inspect) => Object.assign(inspect, { Mounts: [{ Type: 'volume', Destination: '/data', RW: true }] })],
  ['Config.User', config({ User: 'root' })],
  ['Config.WorkingDir', config({ WorkingDir: '/proc/self/fd/7' })],
  ['Config.Tty', config({ Tty: true })],
  ['Config.Healthcheck', config({ Healthcheck: { Test: ['CMD', 'sh'] } })],
  ['Config.Cmd', config({ Cmd: ['other'] })],
  ['Config.Env', config({ Env: [] })],
  [
    'Config.Env',
    (inspect) => Object.assign(inspect.Config, { Env: [...(inspect.Config.Env as string[]), 'LD_AUDIT=/evil.so'] }),
  ],
  ['Config.Labels.skillgate.mac', config({ Labels: {} })],
  ['NetworkSettings.Networks', (inspect) => Object.assign(inspect, { NetworkSettings: { Networks: { bridge: {} } } })],
  [
    'NetworkSettings.Networks',
    (inspect) => Object.assign(inspect, { NetworkSettings: { Networks: { none: {}, bridge: {} } } }),
  ],
]

for (const [field, change] of LIES) {
  test(`an engine that changes ${field} starts nothing, and the container is gone [S15]`, async (t) => {
    const { run, fake, asked } = await runWith(t, change)
    const error = await rejection(run)
    assert.ok(isFailure(error), String(error))
    assert.equal(error.code, 'POSTURE_MISMATCH')
    assert.match(String(error.details?.field), new RegExp(`^${field.replaceAll('.', '\\.').replace('mac', '\\w+')}`))
    assert.doesNotMatch(`${error.message}${JSON.stringify(error.details)}`, /secret-value/)
    assert.equal(asked('POST /containers/{id}/start'), 0)
    assert.equal(fake.containers.size, 0)
  })
}

test('what an engine may add of its own is no mismatch', async (t) => {
  const { run } = await runWith(t, (inspect) => {
    Object.assign(inspect.HostConfig, { ShmSize: 1, Runtime: 'crun', MemorySwappiness: null, Binds: [], Links: null })
    Object.assign(inspect.HostConfig, { MaskedPaths: null, NewField: { of: 'a later engine' } })
    Object.assign(inspect.Config.Labels as object, { maintainer: 'somebody' })
  })
  await run
})
