/** A host in a process of its own, for tests that stop or kill it: it begins one run, and ends it a while later. */
import { setTimeout as delay } from 'node:timers/promises'
import { isFailure } from '../../core/failure.js'
import { openHost } from './postgres-site.js'

const [url = '', leaseMs = ''] = process.argv.slice(2)
const tell = (line: string) => process.stdout.write(`${line}\n`)

await openHost(url, {
  leaseMs: Number(leaseMs),
  concurrency: 1,
  onLost: () => tell('lost'),
  async perform({ session_id, run_id }, store) {
    tell('begun')
    // Long enough to be stopped meanwhile, and over by the monotonic clock when the process goes on.
    await delay(Number(leaseMs) / 2)
    await store.finish(session_id, run_id).then(
      () => tell('finished'),
      (error) => tell(`refused ${isFailure(error) ? error.code : error}`),
    )
  },
})
tell('registered')
