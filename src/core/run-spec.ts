/** The vendor-neutral shapes of `POST /containers/run`: what a provider is asked to run, and what it answers. */

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
  /** `none`: loopback only. `open`: the engine's default network. */
  network: 'none' | 'open'
  mounts: { source: string; target: string; read_only: boolean }[]
  /** Bytes of output (both streams together): `keep` are returned, at `limit` the program is killed. */
  output: { keep_bytes: number; limit_bytes: number }
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
    /** True when the program was killed for printing past the limit. */
    limit_exceeded?: boolean
  }
  image_id: string
  /** Milliseconds from start to end, as the engine reported them. */
  duration_ms: number
  /** How the container was confined, as sent to the engine: user, capabilities, limits, network … */
  posture: Record<string, unknown>
}
