/** The vendor-neutral shapes of `POST /containers/run`: what a provider is asked to run, and what it answers. */
import { z } from 'zod'
import { PinnedReference } from './image.js'
import { parseInput } from './input.js'
import { AbsolutePath, isWithin, MountSource, MountTarget, plainPath, refuseOverlaps } from './mount-path.js'

export { AbsolutePath, isWithin, MountSource, MountTarget, plainPath, refuseOverlaps } from './mount-path.js'

/** One program to run in a container of its own. Every limit is explicit; the provider hardens, or refuses. */
export interface RunSpec {
  /** A pinned reference in normal form (see parsePinnedImage). */
  image: string
  /** Arguments; empty means the image's own. */
  cmd: string[]
  /** Absent means the image's own. */
  entrypoint?: string[]
  env: Record<string, string>
  /** Written to the program's standard input, which is then closed. */
  stdin?: string
  workdir?: string
  /** Milliseconds from start until the program is killed. */
  timeout_ms: number
  memory_mb: number
  /** Cores; fractions allowed. */
  cpus: number
  /** Processes and threads at a time. */
  pids: number
  /** `none`: loopback only. `open`: the engine's default network. Else a network by name, refused unless it is internal. */
  network: 'none' | 'open' | { internal: string }
  mounts: RunMount[]
  /** Whether an image that is not there is pulled. Absent means `never`. */
  pull?: 'never' | 'if-missing'
  /** Milliseconds for the pull, which `timeout_ms` does not count. Absent means {@link PULL_TIMEOUT_MS}. */
  pull_timeout_ms?: number
  /** What the engine itself must be, beside what is always required. */
  require_posture?: PostureDemand[]
  /** Bytes of output (both streams together): `keep` are returned, at `limit` the program is killed. */
  output: { keep_bytes: number; limit_bytes: number }
}

/**
 * What a policy can demand of the engine: a security module, that root in a container is nobody on its host, a swap limit,
 * cgroup v2, the provider's own seccomp allowlist, and a runtime whose version number rules the known escapes out.
 */
export const POSTURE_DEMANDS = [
  'apparmor',
  'selinux',
  'userns',
  'rootless',
  'swap_limit',
  'cgroup_v2',
  'own_seccomp',
  'no_known_escape',
] as const
export type PostureDemand = (typeof POSTURE_DEMANDS)[number]

/** A file or directory of the engine's host. */
export interface RunMount {
  source: string
  target: string
  read_only: boolean
  /** The allowed directory that `source` must really lie in. Absent means `source` itself. */
  root?: string
}

export const PULL_TIMEOUT_MS = 300_000
const MAX_STDIN_BYTES = 1024 * 1024
const NO_NUL = /^[^\0]*$/
/** Modes of the engine's own, and what a model may send for a boolean. */
const RESERVED_NETWORK = /^(?:none|host|bridge|default|nat|private|slirp4netns|pasta|true|false)$/i

/** A word of a command line. */
export const Word = z
  .string()
  .max(128 * 1024)
  .regex(NO_NUL, 'it must not hold a NUL character')
export const EnvValue = z
  .string()
  .max(32 * 1024)
  .regex(NO_NUL, 'it must not hold a NUL character')
export const Stdin = z.string().refine((text) => Buffer.byteLength(text) <= MAX_STDIN_BYTES, 'it must be at most 1 MiB')
export const NetworkName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{1,63}$/, 'a name is 2 to 64 letters, digits, _ . and -')
  .refine((name) => !RESERVED_NETWORK.test(name), "it must be a network's own name")

const Mount = z
  .strictObject({
    source: MountSource,
    target: MountTarget,
    read_only: z.boolean(),
    root: MountSource.optional(),
  })
  .refine(({ source, root }) => root === undefined || isWithin(plainPath(source), plainPath(root)), {
    message: 'source must lie in root',
    path: ['source'],
  })

const Spec = z.strictObject({
  image: PinnedReference,
  cmd: z.array(Word),
  entrypoint: z.array(Word).optional(),
  env: z.record(z.string().regex(/^[^=\0]+$/, 'a name has neither = nor NUL'), EnvValue),
  stdin: Stdin.optional(),
  workdir: AbsolutePath.optional(),
  timeout_ms: z.int().min(1),
  memory_mb: z.number().min(6),
  cpus: z.number().min(0.01),
  pids: z.int().min(1),
  network: z.union([z.enum(['none', 'open']), z.strictObject({ internal: NetworkName })]),
  mounts: z.array(Mount).superRefine(refuseOverlaps),
  pull: z.enum(['never', 'if-missing']).optional(),
  pull_timeout_ms: z.int().min(1).optional(),
  require_posture: z.array(z.enum(POSTURE_DEMANDS)).optional(),
  output: z.strictObject({ keep_bytes: z.int().min(0), limit_bytes: z.int().min(1) }),
})

/** Parses the body of `POST /containers/run`; a misspelt key would be a missing control. Throws INVALID_INPUT naming the field. */
export function parseRunSpec(body: unknown): RunSpec {
  // zod leaves absent members out, but types them as undefined.
  return parseInput(Spec, body, 'body') as RunSpec
}

const Collect = z.strictObject({
  run_id: z.string().regex(/^[\x21-\x7e]{1,200}$/, 'it is 1 to 200 visible ASCII characters, such as run_…/s1'),
  spec: Spec,
})

/** Parses the body of `POST /containers/run/collect`. Throws INVALID_INPUT naming the field. */
export function parseCollectRequest(body: unknown): { run_id: string; spec: RunSpec } {
  return parseInput(Collect, body, 'body') as { run_id: string; spec: RunSpec }
}

/** What became of the program. The provider reports what happened; the skill decides whether that is a success. */
export interface RunOutcome {
  /** Null when the program never exited by itself or the engine could not tell. */
  exit_code: number | null
  /** The signal that skillgate ended it with, when it did. */
  signal?: string
  /** `exit`: by itself; the others: skillgate ended it, or the engine was lost and nobody can tell. */
  ended_by?: 'exit' | 'deadline' | 'output_limit' | 'abort' | 'engine_lost'
  stdout: string
  stderr: string
  timed_out: boolean
  /** As the engine reported it; can be true with exit code 0 when only a child process was killed. */
  oom_killed: boolean
  output: {
    bytes_total: number
    bytes_kept: number
    truncated: boolean
    /** Hexadecimal SHA-256 of each stream's bytes, all of them, as the program printed them. */
    sha256?: { stdout: string; stderr: string }
    /** Of a run that was collected: where its output comes from, when nobody read it as it was printed. */
    recovered?: 'log' | 'rest' | 'none'
    /** True when the program was killed for printing past the limit. */
    limit_exceeded?: boolean
  }
  image_id: string
  /** Milliseconds from start to end, as the engine reported them. */
  duration_ms: number
  /** How the container was confined, as sent to the engine: user, capabilities, limits, network … */
  posture: Record<string, unknown>
}
