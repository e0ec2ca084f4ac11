/** What the engine can keep: the controls a run requires, and what is only told, as posture. */
import { Failure } from '../core/failure.js'
import type { PostureDemand } from '../core/run-spec.js'
import type { EngineIdentity } from './engine.js'
import { fieldsOf, listOf, textOf, textsOf } from './wire.js'

/** How well the engine itself is confined; told with every run, and a policy may demand parts of it. */
export interface EnginePosture {
  /** The engine's own id, stable across its restarts; empty when it has none. */
  engine_id: string
  engine_version: string
  kernel: string
  /** As the engine reports it; distributions mend old versions without a new number. */
  runtime: string
  cgroup_version: number
  apparmor: boolean
  selinux: boolean
  userns: boolean
  rootless: boolean
  swap_limit: boolean
  /** Escapes from the container that this runtime's number does not rule out. */
  unmended: string[]
}

/** Source: the advisories of opencontainers/runc; versions are upstream's. */
const RUNC_ADVISORIES: readonly { id: string; fixed: readonly [number, number, number][] }[] = [
  { id: 'CVE-2019-5736', fixed: [[1, 0, 0]] },
  { id: 'CVE-2024-21626', fixed: [[1, 1, 12]] },
  {
    id: 'CVE-2025-31133',
    fixed: [
      [1, 2, 8],
      [1, 3, 3],
    ],
  },
]

/** Podman makes one up for every answer, so there the machine and the place of its data stand for it. */
export function engineId(info: unknown, { name }: Pick<EngineIdentity, 'name'>): string {
  const { ID, Name, DockerRootDir } = fieldsOf(info)
  return name === 'podman' ? `podman:${textOf(Name)}:${textOf(DockerRootDir)}` : textOf(ID)
}

/** Reads `/info` and `/version`. Throws ENGINE_UNSUITABLE naming the control that this engine cannot keep. */
export function preflight(info: unknown, version: unknown, identity: EngineIdentity): EnginePosture {
  const facts = fieldsOf(info)
  const options = textsOf(facts.SecurityOptions).map((option) => /^(?:name=)?([^,]+)/.exec(option)?.[1] ?? '')
  const required: [control: string, kept: boolean][] = [
    ['os', (textOf(facts.OSType) || identity.os) === 'linux'],
    ['memory limit', facts.MemoryLimit === true],
    ['process limit', facts.PidsLimit === true],
    ['CPU limit', (facts.CpuCfsQuota ?? facts.CPUCfsQuota) === true],
    ['seccomp', options.includes('seccomp')],
  ]
  const missing = required.find(([, kept]) => !kept)
  if (missing !== undefined) throw unsuitable(missing[0])
  const runtime = runtimeOf(version, textOf(facts.DefaultRuntime))
  return {
    engine_id: engineId(info, identity),
    engine_version: identity.version,
    kernel: textOf(facts.KernelVersion),
    runtime: runtime === undefined ? 'unknown' : `${runtime.name} ${runtime.version}`,
    cgroup_version: Number(facts.CgroupVersion) || 0,
    apparmor: options.includes('apparmor'),
    selinux: options.includes('selinux'),
    userns: options.includes('userns'),
    rootless: options.includes('rootless'),
    swap_limit: facts.SwapLimit === true,
    unmended: runtime?.name === 'runc' ? unmendedIn(runtime.version) : [],
  }
}

/** Throws ENGINE_UNSUITABLE naming the first demand of the policy that the engine does not meet. */
export function assertPosture(
  posture: EnginePosture,
  demands: readonly PostureDemand[],
  { ownSeccomp }: { ownSeccomp: boolean },
): void {
  const met: Record<PostureDemand, boolean> = {
    apparmor: posture.apparmor,
    selinux: posture.selinux,
    userns: posture.userns || posture.rootless,
    rootless: posture.rootless,
    swap_limit: posture.swap_limit,
    cgroup_v2: posture.cgroup_version === 2,
    own_seccomp: ownSeccomp,
    // Of other runtimes no escapes are known here, which is not the same as none.
    no_known_escape: posture.runtime.startsWith('runc ') && posture.unmended.length === 0,
  }
  const unmet = demands.find((demand) => !met[demand])
  if (unmet === undefined) return
  const why = unmet === 'no_known_escape' ? ` (${posture.runtime}: ${posture.unmended.join(', ') || 'unknown'})` : ''
  throw new Failure(
    'ENGINE_UNSUITABLE',
    `The policy demands “${unmet}” of the engine, which does not have it${why}, so nothing is run. Use another engine, or take it out of require_posture.`,
    { details: { control: unmet } },
  )
}

/** The runtime that containers get, with its version where the engine tells that of this one. */
function runtimeOf(version: unknown, byDefault: string): { name: string; version: string } | undefined {
  const components = listOf(fieldsOf(version).Components).map(fieldsOf)
  const found = components.find(({ Name }) => textOf(Name) === 'runc' || textOf(Name).startsWith('OCI Runtime'))
  const [, inName] = /^OCI Runtime \(([\w.-]+)\)/.exec(textOf(found?.Name)) ?? []
  const name = inName ?? textOf(found?.Name)
  // Podman names a default that its configuration may override; what it tells of its runtime is what it uses.
  if (inName === undefined && byDefault !== '' && byDefault !== name) return { name: byDefault, version: 'unknown' }
  if (found === undefined) return undefined
  return { name, version: /\d+\.\d+(?:\.\d+)?[^\s]*/.exec(textOf(found.Version))?.[0] ?? '' }
}

function unmendedIn(version: string): string[] {
  const [, major = '', minor = '', patch = '', candidate] = /^(\d+)\.(\d+)\.(\d+)([-~]rc)?/.exec(version) ?? []
  const own = [Number(major), Number(minor), Number(patch)]
  // Of several lines that were mended, the one this version belongs to counts; a newer line than all has the mend. A
  // candidate comes before its release, and may lack what the release mends.
  const mended = (fixed: readonly [number, number, number][]) =>
    fixed.some(([a, b, c]) => own[0] === a && own[1] === b && (own[2] ?? 0) >= c + (candidate ? 1 : 0)) ||
    (!candidate && fixed.every(([a, b]) => (own[0] ?? 0) > a || (own[0] === a && (own[1] ?? 0) > b)))
  return RUNC_ADVISORIES.filter(({ fixed }) => major === '' || !mended(fixed)).map(({ id }) => id)
}

const ADVICE: Record<string, string> = {
  os: 'Use a Linux engine.',
  seccomp: 'Use a kernel and an engine with seccomp.',
}

function unsuitable(control: string): Failure {
  const advice = ADVICE[control] ?? 'Enable the cgroup controller for it (docker info prints what is missing).'
  return new Failure(
    'ENGINE_UNSUITABLE',
    `The engine cannot keep the control “${control}”, so nothing is run. ${advice}`,
    {
      details: { control },
    },
  )
}
