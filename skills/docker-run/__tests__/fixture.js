/** What the docker-run tests share: an image, what became of a run of it, and a client that records what it is asked. */

export const DIGEST = `sha256:${'ab'.repeat(32)}`
export const IMAGE = `hello-world@${DIGEST}`
export const OUTCOME = {
  exit_code: 0,
  stdout: 'Hello\n',
  stderr: '',
  timed_out: false,
  oom_killed: false,
  output: { bytes_total: 6, bytes_kept: 6, truncated: false },
  image_id: DIGEST,
  duration_ms: 118,
  posture: { user: '65532:65532' },
}
export const SPEC = {
  image: IMAGE,
  cmd: [],
  env: {},
  timeout_ms: 30_000,
  memory_mb: 256,
  cpus: 1,
  pids: 128,
  network: 'none',
  mounts: [],
  output: { keep_bytes: 1024 ** 2, limit_bytes: 16 * 1024 ** 2 },
}

export function recordingClient(answer = { run: OUTCOME }) {
  const requests = []
  return {
    requests,
    async request(method, path, body, options) {
      requests.push({ method, path, body, options })
      const given = typeof answer === 'function' ? await answer({ body, options }) : answer
      if (given instanceof Error) throw given
      return given
    },
  }
}
