/** What an engine says of itself decides whether anything is created on it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isFailure } from '../../core/failure.js'
import { POSTURE_DEMANDS } from '../../core/run-spec.js'
import { createFakeEngine, providerPrograms } from '../../testing/index.js'
import { rejection } from '../../testing/rejection.js'
import { createDockerProvider } from '../index.js'
import { assertPosture, preflight } from '../preflight.js'
import { seccompProfile } from '../seccomp.js'
import { runSpec } from './run-fixture.js'

const identity = { name: 'docker', version: '27.0.1', apiVersion: '1.46', os: 'linux', arch: 'amd64' } as const
const info = {
  ID: 'ABCD',
  OSType: 'linux',
  MemoryLimit: true,
  PidsLimit: true,
  CpuCfsQuota: true,
  SwapLimit: true,
  CgroupVersion: '2',
  KernelVersion: '6.1.0',
  SecurityOptions: ['name=apparmor', 'name=seccomp,profile=builtin', 'name=cgroupns', 'name=rootless'],
}
const runc = (Version: string) => ({ Components: [{ Name: 'Engine' }, { Name: 'runc', Version }] })

test('the posture tells what the engine is', () => {
  assert.deepEqual(preflight(info, runc('1.1.12'), identity), {
    engine_id: 'ABCD',
    engine_version: '27.0.1',
    kernel: '6.1.0',
    runtime: 'runc 1.1.12',
    cgroup_version: 2,
    apparmor: true,
    selinux: false,
    userns: false,
    rootless: true,
    swap_limit: true,
    unmended: ['CVE-2025-31133'],
  })
})

for (const [version, unmended] of [
  ['1.0.0-rc6', ['CVE-2019-5736', 'CVE-2024-21626', 'CVE-2025-31133']],
  ['1.4.0-rc.1', ['CVE-2019-5736', 'CVE-2024-21626', 'CVE-2025-31133']],
  ['0.1.1', ['CVE-2019-5736', 'CVE-2024-21626', 'CVE-2025-31133']],
  ['1.1.5+ds1', ['CVE-2024-21626', 'CVE-2025-31133']],
  ['1.2.7', ['CVE-2025-31133']],
  ['1.2.8', []],
  ['1.3.2', ['CVE-2025-31133']],
  ['1.3.3', []],
  ['1.4.0', []],
  ['2.0.0', []],
  ['unknown', ['CVE-2019-5736', 'CVE-2024-21626', 'CVE-2025-31133']],
] as const) {
  test(`runc ${version} leaves ${unmended.length} known escapes open by its number`, () => {
    assert.deepEqual(preflight(info, runc(version), identity).unmended, unmended)
  })
}

test('of a runtime that is not runc nothing is known, also where it is only the default', () => {
  const custom = preflight({ ...info, DefaultRuntime: 'nvidia' }, runc('1.3.3'), identity)
  assert.equal(custom.runtime, 'nvidia unknown')
  assert.throws(() => assertPosture(custom, ['no_known_escape'], { ownSeccomp: true }), isFailure)
})

test('Podman names its runtime in a sentence', () => {
  const Components = [{ Name: 'OCI Runtime (crun)', Version: 'crun version 1.8.1\ncommit: f8a096b\n' }]
  const posture = preflight(info, { Components }, { ...identity, name: 'podman' })
  assert.equal(posture.runtime, 'crun 1.8.1')
})

for (const [control, change] of [
  ['os', { OSType: 'windows' }],
  ['memory limit', { MemoryLimit: false }],
  ['process limit', { PidsLimit: undefined }],
  ['CPU limit', { CpuCfsQuota: false }],
  ['seccomp', { SecurityOptions: ['name=apparmor'] }],
  ['seccomp', { SecurityOptions: null }],
] as const) {
  test(`an engine without ${control} (${JSON.stringify(change)}) is unsuitable, and nothing is created on it [S22]`, async () => {
    const fake = await createFakeEngine()
    fake.fault('GET /info', { alter: (json) => Object.assign(json, change) })
    const provider = createDockerProvider({ host: fake.host })
    const error = await rejection(
      provider.request('POST', '/containers/run', runSpec(fake.image, providerPrograms.nothing.cmd)),
    )
    assert.ok(isFailure(error), String(error))
    assert.equal(error.code, 'ENGINE_UNSUITABLE')
    assert.equal(error.details?.control, control)
    assert.equal(fake.requests.filter(({ method }) => method === 'POST').length, 0)
    await provider.close()
    await fake.close()
  })
}

test('on an engine that cannot limit swap a run is asked for without that limit, and says so', async (t) => {
  const fake = await createFakeEngine()
  fake.fault('GET /info', { alter: (json) => Object.assign(json, { SwapLimit: false }) })
  const provider = createDockerProvider({ host: fake.host })
  t.after(async () => {
    await provider.close()
    await fake.close()
  })
  const answer = await provider.request('POST', '/containers/run', runSpec(fake.image, providerPrograms.nothing.cmd))
  const { posture } = (answer as { run: { posture: { swap_bytes: unknown } } }).run
  assert.equal(posture.swap_bytes, 'unlimited')
  const created = fake.requests.find(({ route }) => route === 'POST /containers/create')
  assert.ok(created, 'a container was created')
  assert.ok(!('MemorySwap' in (created.body as { HostConfig: object }).HostConfig))
})

test('the seccomp profile is one text for one architecture, and lets through what programs need only', () => {
  const { json, sha256 } = seccompProfile('amd64')
  assert.deepEqual(seccompProfile('amd64'), { json, sha256 })
  assert.match(sha256, /^[0-9a-f]{64}$/)
  const profile = JSON.parse(json) as {
    defaultAction: string
    syscalls: { names: string[]; action: string; args: unknown[] }[]
  }
  assert.equal(profile.defaultAction, 'SCMP_ACT_ERRNO')
  const names = profile.syscalls.filter(({ action }) => action === 'SCMP_ACT_ALLOW').flatMap(({ names }) => names)
  for (const name of ['read', 'write', 'execve', 'mmap', 'futex', 'wait4']) assert.ok(names.includes(name), name)
  for (const name of [
    'mount',
    'unshare',
    'setns',
    'pivot_root',
    'bpf',
    'keyctl',
    'ptrace',
    'userfaultfd',
    'io_uring_setup',
    'process_vm_readv',
    'perf_event_open',
    'open_by_handle_at',
    'init_module',
    'kexec_load',
    'reboot',
    'clone3',
  ]) {
    assert.ok(!names.includes(name), name)
  }
  const guarded = new Set(['socket', 'socketpair', 'clone', 'personality', 'mknod', 'mknodat'])
  for (const { names, args, action } of profile.syscalls) {
    if (action === 'SCMP_ACT_ALLOW' && names.some((name) => guarded.has(name))) assert.ok(args.length > 0, names.join())
  }
})

test('a policy gets the posture it demands, or nothing is run', () => {
  const modern = preflight(
    { ...info, SecurityOptions: [...info.SecurityOptions, 'name=selinux'] },
    runc('1.3.3'),
    identity,
  )
  assertPosture(modern, POSTURE_DEMANDS, { ownSeccomp: true })
  const bare = preflight({ ...info, SecurityOptions: ['seccomp'], SwapLimit: false, CgroupVersion: '1' }, {}, identity)
  assertPosture(bare, [], { ownSeccomp: false })
  for (const demand of POSTURE_DEMANDS) {
    assert.throws(
      () => assertPosture(bare, [demand], { ownSeccomp: false }),
      (error) => isFailure(error) && error.code === 'ENGINE_UNSUITABLE' && error.details?.control === demand,
      demand,
    )
  }
})
