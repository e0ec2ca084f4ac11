/** Every skill of this package passes the suite that it publishes for skills. */
import { dockerApi } from '../skills/docker-api/handler.js'
import { dockerRun } from '../skills/docker-run/handler.js'
import { testSkill } from '../src/testing/skill-suite.js'

const containerId = 'my-app'
const ANSWERS: Record<string, unknown> = {
  'GET /containers': { containers: [{ id: 'c1', name: 'my-app', image: 'app:1', status: 'running' }] },
  'GET /containers/my-app': { container: { id: 'c1', name: 'my-app', image: 'app:1', env: ['A=1'] } },
  'POST /containers/my-app/start': { changed: true, detail: 'started' },
  'POST /containers/my-app/stop': { changed: true, detail: 'stopped' },
  'GET /images': { images: [{ id: 'sha256:1', repository: 'nginx', tag: 'latest', size: 142_000_000 }] },
  'GET /containers/my-app/logs': { logs: 'line 1\nline 2' },
  'GET /containers/my-app/stats': { stats: { cpu_percent: 2.5, memory_usage: 5, note: 'text' } },
}

testSkill(dockerApi, {
  valid: {
    list_containers: { all: true },
    get_container: { containerId },
    start_container: { containerId },
    stop_container: { containerId, timeout: 3 },
    list_images: {},
    get_logs: { containerId, tail: 20 },
    container_stats: { containerId },
  },
  answer: ({ method, path }: { method: string; path: string }) => ANSWERS[`${method} ${path.split('?')[0]}`],
  folder: new URL('../skills/docker-api', import.meta.url),
})

const run = {
  exit_code: 0,
  stdout: 'out',
  stderr: 'err',
  timed_out: false,
  oom_killed: false,
  output: { bytes_total: 6, bytes_kept: 6, truncated: false },
  image_id: `sha256:${'0'.repeat(64)}`,
  duration_ms: 5,
  posture: { user: '65532:65532' },
}

testSkill(dockerRun, {
  valid: { run: { image: `hello-world@sha256:${'0'.repeat(64)}`, cmd: ['echo'], timeout_ms: 1_000 } },
  answer: { run },
  folder: new URL('../skills/docker-run', import.meta.url),
  longestMs: 11_000,
})
