/**
 * A host that ends itself, as if by kill -9, behind the N-th engine call of a run. Started by killed-host.test.ts. With a
 * run id it prints `recorded` where a host would have written the outcome to its log, and only then lets it be removed.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { createDockerProvider } from '../index.js'
import { runSpec } from './run-fixture.js'

const [host = '', image = '', signingKey = '', calls = '', wait = '', runId] = process.argv.slice(2)
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
const spec = runSpec(image, ['sh', '-c', 'sleep 0.2'], { timeout_ms: 20_000 })
if (runId === undefined) await provider.request('POST', '/containers/run', spec)
else {
  let record = () => {}
  const recorded = new Promise<void>((resolve) => {
    record = resolve
  })
  await provider.request('POST', '/containers/run', spec, { runId, recorded })
  process.stdout.write('recorded')
  record()
  // The removal, or the death before it.
  await provider.close()
}
// The run was over before its N-th call: nothing was left to be killed in.
process.exit(3)
