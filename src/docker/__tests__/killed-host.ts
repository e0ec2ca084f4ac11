/** A host that ends itself, as if by kill -9, behind the N-th engine call of a run. Started by killed-host.test.ts. */
import { setTimeout as delay } from 'node:timers/promises'
import { createDockerProvider } from '../index.js'

const [host = '', image = '', signingKey = '', calls = '', wait = ''] = process.argv.slice(2)
let left = Number(calls)

async function die(): Promise<void> {
  await delay(Number(wait))
  process.kill(process.pid, 'SIGKILL')
}

const provider = createDockerProvider({
  host,
  env: {},
  signingKey,
  onCall() {
    left -= 1
    if (left === 0) void die()
  },
})
await provider.request('POST', '/containers/run', {
  image,
  cmd: ['sh', '-c', 'sleep 0.2'],
  env: {},
  timeout_ms: 20_000,
  memory_mb: 64,
  cpus: 1,
  pids: 64,
  network: 'none',
  mounts: [],
  output: { keep_bytes: 1000, limit_bytes: 10_000 },
})
// The run was over before its N-th call: nothing was left to be killed in.
process.exit(3)
