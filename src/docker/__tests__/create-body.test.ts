/** What the engine is asked to create: every control, on each engine, whatever the image brings. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isFailure } from '../../core/failure.js'
import { parseRunSpec, type RunSpec } from '../../core/run-spec.js'
import { createBody } from '../create-body.js'
import type { EngineIdentity } from '../engine.js'
import type { ResolvedImage } from '../run-image.js'

const docker: EngineIdentity = { name: 'docker', version: '20.10.24', apiVersion: '1.41', os: 'linux', arch: 'amd64' }
const mounts: RunSpec['mounts'] = [{ source: '/host', target: '/in', read_only: true }]
const podman: EngineIdentity = { ...docker, name: 'podman', version: '4.3.1' }
const image: ResolvedImage = {
  id: `sha256:${'1'.repeat(64)}`,
  os: 'linux',
  arch: 'amd64',
  entrypoint: ['/entry'],
  cmd: ['default'],
  workdir: '',
  volumes: [],
}
const spec: RunSpec = {
  image: `sha256:${'1'.repeat(64)}`,
  cmd: ['true'],
  env: {},
  timeout_ms: 1000,
  memory_mb: 64,
  cpus: 0.5,
  pids: 32,
  network: 'none',
  mounts: [],
  output: { keep_bytes: 10, limit_bytes: 20 },
}

const build = (over: Partial<RunSpec> = {}, from: Partial<ResolvedImage> = {}, engine = docker) => {
  const { body, posture } = createBody(
    { ...spec, ...over },
    {
      image: { ...image, ...from },
      identity: engine,
      labels: { 'skillgate.mac': '00' },
      seccomp: { option: '{}', sha256: 'ab' },
    },
  )
  return { body, posture, host: body.HostConfig as Record<string, unknown> }
}

test('a program is confined by all of these, and nothing is added', () => {
  const tmp = 'rw,noexec,nosuid,nodev,size=64m,mode=1777,nr_inodes=16k'
  assert.deepEqual(build().body, {
    Image: image.id,
    Cmd: ['true'],
    Env: ['LD_PRELOAD', 'LD_LIBRARY_PATH', 'LD_AUDIT', 'NVIDIA_VISIBLE_DEVICES=void'],
    WorkingDir: '/',
    User: '65532:65532',
    Tty: false,
    AttachStdin: false,
    OpenStdin: false,
    StdinOnce: false,
    AttachStdout: true,
    AttachStderr: true,
    NetworkDisabled: true,
    Healthcheck: { Test: ['NONE'] },
    Labels: { 'skillgate.mac': '00' },
    HostConfig: {
      NetworkMode: 'none',
      ReadonlyRootfs: true,
      Privileged: false,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges', 'seccomp={}'],
      IpcMode: 'none',
      CgroupnsMode: 'private',
      PidsLimit: 32,
      Memory: 67_108_864,
      MemorySwap: 67_108_864,
      NanoCpus: 500_000_000,
      Ulimits: [
        { Name: 'nofile', Soft: 1024, Hard: 1024 },
        { Name: 'core', Soft: 0, Hard: 0 },
        { Name: 'fsize', Soft: 268_435_456, Hard: 268_435_456 },
        { Name: 'memlock', Soft: 65_536, Hard: 65_536 },
        { Name: 'msgqueue', Soft: 0, Hard: 0 },
      ],
      Tmpfs: { '/tmp': tmp },
      Mounts: [],
      Init: true,
      RestartPolicy: { Name: 'no' },
      AutoRemove: false,
      LogConfig: { Type: 'local', Config: { 'max-size': '1m', 'max-file': '2', compress: 'false' } },
    },
  })
})

test('each VOLUME of the image is shadowed at its cleaned path, unless something is mounted there', () => {
  const over = { mounts: [{ source: '/host', target: '/mounted/', read_only: true }] }
  const { host } = build(over, { volumes: ['/data', '/var//lib/x/', 'relative', '/a/../b', '/mounted'] })
  assert.deepEqual(Object.keys(host.Tmpfs as object).sort(), ['/b', '/data', '/relative', '/tmp', '/var/lib/x'])
})

for (const volume of ['/', '/proc', '/sys/fs', '/dev/shm', '/x/../proc']) {
  test(`an image with a VOLUME at ${volume} is refused`, () => {
    assert.throws(() => build({}, { volumes: [volume] }), isFailure)
  })
}

for (const workdir of ['/proc/self/fd/7', '/x/../proc/1', '/dev', '/sys', 'relative']) {
  test(`neither an image nor a spec starts in ${workdir}`, () => {
    assert.throws(() => build({}, { workdir }), isFailure)
    assert.throws(() => build({ workdir }), isFailure)
  })
}

for (const [name, over, expected] of [
  ['the image’s', { cmd: [] }, ['/entry', 'default']],
  ['the spec’s arguments', { cmd: ['a'] }, ['/entry', 'a']],
  ['the spec’s entrypoint, which drops the image’s arguments', { cmd: [], entrypoint: ['/own'] }, ['/own']],
  ['the spec’s both', { cmd: ['a'], entrypoint: ['/own'] }, ['/own', 'a']],
] as [string, Partial<RunSpec>, string[]][]) {
  test(`the posture shows the program that is run: ${name}`, () => {
    assert.deepEqual(build(over).posture.argv, expected)
  })
}

test('a read-only mount hides what is mounted below it, where writing would still work', () => {
  const { host } = build({ mounts })
  assert.deepEqual(host.Mounts, [
    {
      Type: 'bind',
      Source: '/host',
      Target: '/in',
      ReadOnly: true,
      BindOptions: { Propagation: 'rprivate', NonRecursive: true },
    },
  ])
})

test('a spec’s own variable wins over the one that is unset', () => {
  assert.deepEqual(build({ env: { LD_PRELOAD: '/mine.so', A: 'b=c' } }).body.Env, [
    'LD_PRELOAD=/mine.so',
    'LD_LIBRARY_PATH',
    'LD_AUDIT',
    'A=b=c',
    'NVIDIA_VISIBLE_DEVICES=void',
  ])
})

test('an open network is the engine’s default bridge', () => {
  const { body, host } = build({ network: 'open' })
  assert.deepEqual([body.NetworkDisabled, host.NetworkMode], [false, 'bridge'])
})

test('an internal network is the one whose id was looked up', () => {
  const network = { internal: 'own' }
  const { body, posture } = createBody(
    { ...spec, network },
    { image, identity: docker, labels: {}, networkId: 'a'.repeat(64) },
  )
  const { NetworkMode } = body.HostConfig as { NetworkMode: string }
  assert.deepEqual([body.NetworkDisabled, NetworkMode], [false, 'a'.repeat(64)])
  assert.deepEqual(posture.network, { internal: 'own', id: 'a'.repeat(64) })
})

test('on Podman nothing is read from its service’s environment, and what it adds writable is confined', () => {
  const { body, host } = build({}, {}, podman)
  assert.deepEqual(body.Env, ['LD_PRELOAD=', 'LD_LIBRARY_PATH=', 'LD_AUDIT=', 'NVIDIA_VISIBLE_DEVICES=void'])
  assert.deepEqual(Object.keys(host.Tmpfs as object).sort(), ['/run', '/tmp', '/var/tmp'])
  for (const options of Object.values(host.Tmpfs as Record<string, string>)) assert.match(options, /noexec.*size=/)
})

for (const [name, over, engine, control] of [
  ['an engine that is not Linux', {}, { ...docker, os: 'windows' }, 'os'],
  ['Podman, which makes missing sources on its host,', { mounts }, podman, 'mounts'],
] as const) {
  test(`${name} is refused, naming the control: ${control}`, () => {
    assert.throws(
      () => build(over, {}, engine),
      (error) => isFailure(error) && error.code === 'ENGINE_UNSUITABLE' && error.details?.control === control,
    )
  })
}

for (const [field, over] of [
  ['privileged', { privileged: true }],
  ['image', { image: undefined }],
  ['image', { image: 'a:1' }],
  ['image', { image: 7 }],
  ['pull', { pull: 'always' }],
  ['pull_timeout_ms', { pull: 'if-missing', pull_timeout_ms: 0 }],
  ['stdin', { stdin: 'x'.repeat(1024 * 1024 + 1) }],
  ['cmd', { cmd: 'true' }],
  ['cmd[0]', { cmd: ['a\0b'] }],
  ['env.A=B', { env: { 'A=B': 'c' } }],
  ['env.A', { env: { A: 1 } }],
  ['workdir', { workdir: 'relative' }],
  ['workdir', { workdir: '/a/../b' }],
  ['timeout_ms', { timeout_ms: 0 }],
  ['body.memory_mb', { memory_mb: Number.NaN }],
  ['memory_mb', { memory_mb: 5 }],
  ['cpus', { cpus: 0 }],
  ['pids', { pids: -1 }],
  ['network', { network: 'host' }],
  ['mounts', { mounts: {} }],
  ['mounts[0].source', { mounts: [{ source: 'x', target: '/y', read_only: true }] }],
  ['mounts[0].read_only', { mounts: [{ source: '/x', target: '/y' }] }],
  ['mounts[0].propagation', { mounts: [{ source: '/x', target: '/y', read_only: true, propagation: 'shared' }] }],
  ['output.keep_bytes', { output: { limit_bytes: 1 } }],
] as const) {
  test(`a spec with ${JSON.stringify(over).slice(0, 80)} is refused, naming ${field}`, () => {
    assert.throws(
      () => parseRunSpec({ ...spec, ...over }),
      (error) => isFailure(error) && error.code === 'INVALID_INPUT' && error.details?.field === field,
    )
  })
}

for (const body of [undefined, null, [], 'x', 7]) {
  test(`${JSON.stringify(body)} is no spec`, () => {
    assert.throws(() => parseRunSpec(body), isFailure)
  })
}
