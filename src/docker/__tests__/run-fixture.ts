/** A run spec for tests: small, short and without any access. */
import type { RunSpec } from '../../core/run-spec.js'

type Over = { [K in keyof RunSpec]?: unknown }

export const runSpec = (image: string, cmd: readonly string[], over: Over = {}): Record<string, unknown> => ({
  image,
  cmd,
  env: {},
  timeout_ms: 10_000,
  memory_mb: 64,
  cpus: 1,
  pids: 64,
  network: 'none',
  mounts: [],
  output: { keep_bytes: 1_000, limit_bytes: 10_000 },
  ...over,
})
