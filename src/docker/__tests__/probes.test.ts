/** Attempts to get out of a run's container, on a real engine: a program of them, and images that ask for too much. */
import assert from 'node:assert/strict'
import { after, before, describe, it, test } from 'node:test'
import { askEngine } from '../../../scripts/engine.js'
import type { RequestOptions } from '../../core/provider.js'
import type { RunOutcome, RunSpec } from '../../core/run-spec.js'
import { createBody } from '../create-body.js'
import { createDockerProvider, type DockerProvider } from '../index.js'
import { seccompProfile } from '../seccomp.js'
import { type Ground, HOST_PROBES } from './probe/host-probes.js'
import { type Body, CONTROLS, type ProbeLine, parseLines, permissive, runBare } from './probe/probe-controls.js'
import {
  buildProbe,
  type GROUPS,
  type ImageKind,
  listProbes,
  loadProbeImages,
  missingCompiler,
  removeProbeImages,
} from './probe/probe-image.js'
import { readTable, type TableRow, writeTable } from './probe/probe-table.js'

/** What escapes in a run, and why that is let be. An entry that does not escape any more fails the test. */
const LET_BE: Record<string, string> = {}
const LET_BE_ON_PODMAN = {
  'inode-bomb': 'Podman knows no nr_inodes; the memory limit bounds them',
}
/** The probes by the container they share, and what that is given. */
const BATCHES: { groups: (typeof GROUPS)[number][]; image: ImageKind; over: Partial<RunSpec> }[] = [
  { groups: ['files', 'mounts', 'kernel', 'processes', 'network'], image: 'plain', over: {} },
  { groups: ['bombs'], image: 'plain', over: { cpus: 0.5 } },
  { groups: ['last'], image: 'plain', over: { cpus: 0.2 } },
  { groups: ['image'], image: 'hostile', over: {} },
]
/** The kernel's memory is full before any process is large: the program itself may be what is ended. */
const MAY_END_ALL = 'message-bomb'
/** Seconds of work each, tried for the table with the controls that could stop them. */
const HEAVY = ['memory-bomb', 'shared-memory-bomb', 'memfd-bomb', 'message-bomb', 'cpu-spin', 'image-volume']
const LIMITS = ['seccomp', 'tmpfs', 'no IPC', 'memory limit', 'pids limit', 'CPU limit', 'ulimits']
/** Probes that any Linux lets by when nothing stops them. */
const SURE = [
  'write-root',
  'read-keys',
  'read-timers',
  'make-character-device',
  'exec-tmp',
  'write-disk',
  'mount-tmpfs',
  'bind-mount',
  'remount-root',
  'unmask',
  'chroot',
  'unshare-mount',
  'clone3-user',
  'open-handle',
  'keyctl',
  'swapon',
  'syslog',
  'personality',
  'memfd-exec',
  'ptrace-init',
  'pidfd-getfd',
  'see-host-processes',
  'become-root',
  'capabilities-left',
  'tiocsti',
  'interfaces',
  'packet-filter',
  'raw-socket',
  'fork-bomb',
  'memory-bomb',
  'tmpfs-bomb',
  'inode-bomb',
  'descriptor-bomb',
  'image-user',
  'image-volume',
  'image-healthcheck',
  'image-preload',
  'image-device',
]

const writing = process.env.UPDATE_DOCS === '1'
const probes = listProbes()
const host = process.env.SKILLGATE_TEST_DOCKER
const missing = host ? missingCompiler() : 'SKILLGATE_TEST_DOCKER is not set'
const podman = process.env.SKILLGATE_TEST_PODMAN
const missingPodman = podman ? missingCompiler() : 'SKILLGATE_TEST_PODMAN is not set'
if (missing) console.log(`# no probe is tried on Docker Engine: ${missing}`)
if (missingPodman) console.log(`# no probe is tried on Podman: ${missingPodman}`)

test('there are at least 45 probes, each named once', () => {
  const names = [...probes, ...HOST_PROBES].map(({ name }) => name)
  assert.ok(names.length >= 45, `${names.length}`)
  assert.deepEqual(names, [...new Set(names)])
})

test('the table in docs/security.md has just the probes that there are', {
  skip: writing && 'it is written anew',
}, () => {
  const listed = [...probes, ...HOST_PROBES].map(({ name, tries }) => ({ name, tries }))
  assert.deepEqual(readTable(), listed, 'write it anew: UPDATE_DOCS=1')
})

if ((missing ?? missingPodman) && process.env.REQUIRE_LIVE === '1') {
  test('probes can be tried, because REQUIRE_LIVE=1', () => assert.fail(missing ?? missingPodman))
}

describe('probes on a real Docker Engine', { skip: missing }, () => {
  const seen = new Map<string, Pick<TableRow, 'result' | 'bare' | 'alone'>>()
  let provider: DockerProvider
  let images: Record<ImageKind, string>
  let ground: Ground
  let volumesBefore: string[]

  before(async () => {
    provider = createDockerProvider({ host: host ?? '', env: {}, timeoutMs: 60_000 })
    images = await loadProbeImages(host ?? '', buildProbe())
    ground = { host: host ?? '', images, run }
    volumesBefore = await volumes()
  })
  after(async () => {
    await provider.close()
    await removeProbeImages(host ?? '')
  })

  const ask = async (path: string) => JSON.parse(await askEngine(host ?? '', 'GET', path))
  const volumes = async (): Promise<string[]> =>
    ((await ask('/volumes')).Volumes ?? []).map(({ Name }: { Name: string }) => Name).sort()

  const run: Ground['run'] = (kind, cmd, over, options) => runIn(provider, images[kind], cmd, over, options)

  it('nothing in a run escapes [S15]', { timeout: 60_000 }, async () => {
    const lines = await tryInRuns(provider, images)
    for (const { name, verdict, detail } of lines) {
      const why = LET_BE[name]
      seen.set(name, { result: `${verdict}: ${detail}${verdict === 'ESCAPED' && why ? `. Let be: ${why}` : ''}` })
    }
    assertBlocked(lines, LET_BE)
  })

  it('without the controls the same probes escape, so that a block means something', { timeout: 60_000 }, async () => {
    const lines = await runAllBare()
    const escaping = lines.filter(({ verdict }) => verdict === 'ESCAPED').map(({ name }) => name)
    for (const { name } of probes) seen.set(name, { ...entry(name), bare: escaping.includes(name) })
    assert.deepEqual(
      SURE.filter((name) => !escaping.includes(name)),
      [],
      JSON.stringify(lines.filter(({ name }) => SURE.includes(name))),
    )
  })

  for (const { name, attempt } of HOST_PROBES) {
    it(`${name} gets nowhere [S15] [S16]`, { timeout: 30_000 }, async () => {
      seen.set(name, { result: `blocked: ${await attempt(ground)}` })
    })
  }

  it('no container and no volume is left [S16]', async () => {
    const filters = encodeURIComponent(JSON.stringify({ ancestor: Object.values(images) }))
    const left = (await ask(`/containers/json?all=1&filters=${filters}`)) as { Names: string[] }[]
    assert.deepEqual(
      left.flatMap(({ Names }) => Names),
      [],
    )
    const before = new Set(volumesBefore)
    assert.deepEqual(
      (await volumes()).filter((name) => !before.has(name)),
      [],
    )
  })

  it('the table is written from what was seen', {
    skip: !writing && 'UPDATE_DOCS is not 1',
  }, async () => {
    const escaping = probes.map(({ name }) => name).filter((name) => entry(name).bare)
    for (const control of CONTROLS) {
      const tried = LIMITS.includes(control) ? escaping : escaping.filter((name) => !HEAVY.includes(name))
      const lines = await runAllBare(control, tried)
      const through = new Set(lines.filter(({ verdict }) => verdict !== 'blocked').map(({ name }) => name))
      for (const name of tried) {
        if (!through.has(name)) seen.set(name, { ...entry(name), alone: [...(entry(name).alone ?? []), control] })
      }
    }
    const { engine_version, runtime, kernel } = (await run('plain', ['/bin/probe', 'nothing'])).posture
      .engine as Record<string, string>
    writeTable({
      rows: [...probes, ...HOST_PROBES].map(({ name, tries }) => ({ name, tries, ...entry(name) })),
      where: `Docker Engine ${engine_version}, ${runtime}, Linux ${kernel}`,
    })
  })

  function entry(name: string) {
    const found = seen.get(name)
    assert.ok(found, `${name} was not tried`)
    return found
  }

  /** All probes, or `only` some, in containers without any control but `kept`; made by the engine's API alone. */
  async function runAllBare(kept?: string, only?: readonly string[]): Promise<ProbeLine[]> {
    const identity = await provider.engine()
    const printed = await Promise.all(
      BATCHES.map(async ({ groups, image, over }) => {
        const names = listProbes(groups).map(({ name }) => name)
        const inside = names.filter((name) => only?.includes(name) ?? true)
        if (inside.length === 0) return []
        const { os, arch } = identity
        const volumes = image === 'hostile' ? ['/data'] : []
        const resolved = { id: images[image], os, arch, entrypoint: [], cmd: [], workdir: '/', volumes }
        const spec = specOf(images[image], ['/bin/probe', ...inside], over)
        const { json, sha256 } = seccompProfile(arch)
        const { body } = createBody(spec, {
          image: resolved,
          identity,
          labels: {},
          seccomp: { option: json, sha256 },
        })
        return parseLines(await runBare(host ?? '', permissive(body as unknown as Body, kept)))
      }),
    )
    const lines = printed.flat()
    const missed = (only ?? probes.map(({ name }) => name)).filter((name) => !lines.some((line) => line.name === name))
    assert.deepEqual(
      missed.filter((name) => name !== MAY_END_ALL),
      [],
      `not tried with ${kept ?? 'nothing'}`,
    )
    return lines
  }
})

describe('probes on Podman', { skip: missingPodman }, () => {
  it('nothing in a run escapes [S15]', { timeout: 60_000 }, async () => {
    const provider = createDockerProvider({ host: podman ?? '', env: {}, timeoutMs: 60_000 })
    try {
      const images = await loadProbeImages(podman ?? '', buildProbe())
      assertBlocked(await tryInRuns(provider, images), { ...LET_BE, ...LET_BE_ON_PODMAN })
    } finally {
      await provider.close()
      await removeProbeImages(podman ?? '')
    }
  })
})

async function runIn(
  provider: DockerProvider,
  image: string,
  cmd: string[],
  over: Partial<RunSpec> = {},
  options: RequestOptions = {},
): Promise<RunOutcome> {
  for (let attempt = 1; ; attempt++) {
    const answer = await provider.request('POST', '/containers/run', specOf(image, cmd, over), options)
    const { run, warnings = [] } = answer as { run: RunOutcome; warnings?: string[] }
    // Podman under load may close the output too early, and is told apart: then not every probe was heard.
    if (attempt < 3 && warnings.some((warning) => warning.includes('closed the output'))) continue
    assert.deepEqual(warnings, [])
    return run
  }
}

/** What each of the program's probes printed, just once. */
async function tryInRuns(provider: DockerProvider, images: Record<ImageKind, string>): Promise<ProbeLine[]> {
  const outcomes = await Promise.all(
    BATCHES.map(({ groups, image, over }) => runIn(provider, images[image], ['/bin/probe', ...groups], over)),
  )
  const lines = outcomes.flatMap(({ stdout }) => parseLines(stdout))
  const last = outcomes.find(({ stdout }) => stdout.startsWith('cpu-spin '))
  if (last?.oom_killed && !lines.some(({ name }) => name === MAY_END_ALL))
    lines.push({ name: MAY_END_ALL, verdict: 'blocked', detail: 'the container was ended by its memory limit' })
  const names = lines.map(({ name }) => name).sort()
  assert.deepEqual(names, probes.map(({ name }) => name).sort(), outcomes.map(({ stderr }) => stderr).join('\n'))
  return lines
}

function assertBlocked(lines: readonly ProbeLine[], letBe: Record<string, string>): void {
  const through = lines.filter(({ verdict }) => verdict !== 'blocked')
  assert.deepEqual(
    through.filter(({ name, verdict }) => verdict === 'broken' || !(name in letBe)),
    [],
  )
  const mended = Object.keys(letBe).filter((name) => !through.some((line) => line.name === name))
  assert.deepEqual(mended, [], 'these are blocked now: take them off the list, and write the table anew')
}

function specOf(image: string, cmd: string[], over: Partial<RunSpec>): RunSpec {
  return {
    image,
    cmd,
    env: {},
    timeout_ms: 30_000,
    memory_mb: 256,
    cpus: 1,
    pids: 64,
    network: 'none',
    mounts: [],
    output: { keep_bytes: 1024 * 1024, limit_bytes: 4 * 1024 * 1024 },
    ...over,
  }
}
