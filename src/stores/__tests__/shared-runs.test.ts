/** Several hosts on one PostgreSQL: order, limits, leases that end, hosts that never return, and a database that is silent. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, afterEach, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createDeferred } from '../../core/deferred.js'
import { isFailure } from '../../core/failure.js'
import { withoutPostgres } from './postgres-schema.js'
import { createSite, LEASE_MS, until } from './postgres-site.js'

const site = createSite()
afterEach(() => site.clear())
after(() => site.close())

describe('runs of several hosts', {
  skip: process.env.REQUIRE_LIVE === '1' ? false : (withoutPostgres ?? false),
}, () => {
  it('those of a session are performed one at a time, in the order accepted, whichever host claims them', async () => {
    const database = await site.database()
    const performed: { session: string; run: string; host: number }[] = []
    const busy = new Set<string>()
    const hosts = await Promise.all(
      [0, 1, 2].map((host) =>
        database.host({
          concurrency: 8,
          async perform({ session_id, run_id }, store) {
            assert.ok(!busy.has(session_id), `two runs of ${session_id} at a time`)
            busy.add(session_id)
            performed.push({ session: session_id, run: run_id, host })
            await store.finish(session_id, run_id)
            busy.delete(session_id)
          },
        }),
      ),
    )
    const sessions = Array.from({ length: 12 }, (_, index) => `ses_${index}`)
    await Promise.all(
      sessions.map(async (session, index) => {
        for (let run = 0; run < 10; run++) await hosts[(index + run) % 3]?.post(session, `${session}_run_${run}`)
      }),
    )
    await until(() => performed.length >= 120, 'all are performed')
    for (const session of sessions) {
      const runs = performed.filter((one) => one.session === session).map(({ run }) => run)
      assert.deepEqual(
        runs,
        Array.from({ length: 10 }, (_, run) => `${session}_run_${run}`),
      )
    }
    assert.equal(new Set(performed.map(({ host }) => host)).size, 3, 'every host had its part')
    await until(async () => (await hosts[0]?.state())?.backlog === 0, 'nothing is left')
    assert.equal((await hosts[0]?.state())?.hosts, 3)
    await until(async () => (await database.jobs()).length === 0, 'no job is left')
  })

  it('a host performs as many at a time as it may, and all together no more than the limit in total', async () => {
    const database = await site.database()
    const open = createDeferred<void>()
    let running = 0
    let most = 0
    const own: [number, number] = [0, 0]
    const perform = (host: 0 | 1) => async (run: { session_id: string; run_id: string }, store: Finishing) => {
      running += 1
      own[host] += 1
      most = Math.max(most, running)
      await open.promise
      await store.finish(run.session_id, run.run_id)
      running -= 1
    }
    const options = { concurrency: 3, maxConcurrentRuns: 4 }
    const first = await database.host({ ...options, perform: perform(0) })
    for (let run = 0; run < 20; run++) await first.post(`ses_${run}`, `run_${run}`)
    await until(() => running === 3, 'the first host performs three')
    await database.host({ ...options, perform: perform(1) })
    await until(() => running === 4, 'the second takes the one that is left in total')
    assert.deepEqual(own, [3, 1])
    open.resolve()
    await until(() => own[0] + own[1] === 20 && running === 0, 'all are performed')
    assert.equal(most, 4)
  })

  it('what perform rejects is tried again soon, before later runs of its session', async () => {
    const database = await site.database()
    const tried: string[] = []
    const host = await database.host({
      async perform({ session_id, run_id }, store) {
        tried.push(run_id)
        if (tried.length <= 2) throw new Error('not now')
        await store.finish(session_id, run_id)
      },
    })
    await host.post('ses', 'run_1')
    await host.post('ses', 'run_2')
    await until(() => tried.length === 4, 'both are performed')
    assert.deepEqual(tried, ['run_1', 'run_1', 'run_1', 'run_2'])
    assert.deepEqual(
      host.errors.map((error) => (error as Error).message),
      ['not now', 'not now'],
    )
  })

  it('a host that stops waits for what it performs, and hands over what it had not begun', async () => {
    const database = await site.database()
    const begun = createDeferred<void>()
    const open = createDeferred<void>()
    const performed: string[] = []
    const first = await database.host({
      concurrency: 1,
      async perform({ session_id, run_id }, store) {
        begun.resolve()
        await open.promise
        performed.push(`first ${run_id}`)
        await store.finish(session_id, run_id)
      },
    })
    await first.post('ses_1', 'run_1')
    await first.post('ses_2', 'run_2')
    await begun.promise
    const stopped = first.stop()
    await database.host({
      async perform({ session_id, run_id }, store) {
        performed.push(`second ${run_id}`)
        await store.finish(session_id, run_id)
      },
    })
    await until(() => performed.length === 1, 'what was not begun is performed elsewhere')
    open.resolve()
    await stopped
    assert.deepEqual(performed, ['second run_2', 'first run_1'])
    assert.equal((await database.hosts()).length, 1)
  })

  it('a host whose lease ended is told, writes nothing more, and is a new host; another performs its runs [S30]', async () => {
    const database = await site.database()
    const lost = createDeferred<void>()
    const open = createDeferred<void>()
    const late = createDeferred<unknown>()
    const performed: string[] = []
    const first = await database.host({
      onLost: lost.resolve,
      async perform({ session_id, run_id }, store) {
        performed.push(`first ${run_id}`)
        if (performed.length > 1) return store.finish(session_id, run_id)
        await open.promise
        await store.finish(session_id, run_id).catch(late.resolve)
      },
    })
    await first.post('ses', 'run')
    await until(() => performed.length === 1, 'it is begun')
    const before = await first.state()
    await database.expire(before.host_id)
    await assert.rejects(first.post('ses_2', 'run_2'), { code: 'UNAVAILABLE', details: { applied: 'no' } })
    const second = await database.host({
      async perform({ session_id, run_id }, store) {
        performed.push(`second ${run_id}`)
        await store.finish(session_id, run_id)
      },
    })
    await lost.promise
    await until(() => performed.length === 2, 'it is performed again')
    await until(async () => (await first.state()).hosts === 2, 'it registers anew')
    // The late write is refused for the lease under which it was begun, although its host has a new one.
    open.resolve()
    const error = await late.promise
    assert.ok(isFailure(error) && error.code === 'UNAVAILABLE', String(error))
    assert.notEqual((await first.state()).host_id, before.host_id)
    assert.equal((await second.events('run.finished')).length, 1)
    await until(async () => (await database.jobs()).length === 0, 'no job is left')
    await first.post('ses_2', 'run_2')
    await until(() => performed.length === 3, 'it takes part again')
  })

  it('runs of a process that is stopped past its lease are performed elsewhere; when it goes on, it is refused [S30]', async () => {
    const database = await site.database()
    await using paused = await child(database.url)
    const performed: string[] = []
    const host = await database.host({
      concurrency: 1,
      async perform({ session_id, run_id }, store) {
        performed.push(run_id)
        await store.finish(session_id, run_id)
      },
    })
    await paused.has('registered')
    // Each of the two takes one of these, and the child never ends its own.
    for (let run = 0; run < 8; run++) await host.post(`ses_${run}`, `run_${run}`)
    await paused.has('begun')
    paused.process.kill('SIGSTOP')
    const at = performance.now()
    await until(() => performed.length === 8, 'the others perform all')
    const tookMs = performance.now() - at
    assert.ok(
      tookMs < 2 * LEASE_MS,
      `performed elsewhere after ${Math.round(tookMs)} ms, with a lease of ${LEASE_MS} ms`,
    )
    paused.process.kill('SIGCONT')
    await paused.has('refused UNAVAILABLE')
    await paused.has('lost')
    assert.equal((await host.events('run.finished')).length, 8)
    assert.equal(new Set(performed).size, 8)
  })

  it('runs of a process that was killed are performed elsewhere within one and a half leases', async () => {
    const database = await site.database()
    await using killed = await child(database.url)
    await killed.has('registered')
    const performed: string[] = []
    const host = await database.host({
      concurrency: 1,
      async perform({ session_id, run_id }, store) {
        performed.push(run_id)
        await store.finish(session_id, run_id)
      },
    })
    for (let run = 0; run < 8; run++) await host.post(`ses_${run}`, `run_${run}`)
    await killed.has('begun')
    killed.process.kill('SIGKILL')
    const at = performance.now()
    await until(() => performed.length === 8, 'the others perform all')
    const tookMs = performance.now() - at
    assert.ok(
      tookMs < 1.5 * LEASE_MS,
      `performed elsewhere after ${Math.round(tookMs)} ms, with a lease of ${LEASE_MS} ms`,
    )
  })

  it('a database that does not answer is told in bounded time, and the host recovers when it does', async () => {
    const database = await site.database()
    const proxy = await database.proxy()
    const performed: string[] = []
    const lost = createDeferred<void>()
    const host = await database.host({
      url: proxy.url,
      onLost: lost.resolve,
      async perform({ session_id, run_id }, store) {
        performed.push(run_id)
        await store.finish(session_id, run_id)
      },
    })
    await host.post('ses_1', 'run_1')
    await until(() => performed.length === 1, 'it is performed')
    proxy.silence()
    const at = performance.now()
    await assert.rejects(host.post('ses_2', 'run_2'), { code: 'UNAVAILABLE' })
    await lost.promise
    assert.ok(performance.now() - at < 2 * LEASE_MS, 'bounded')
    proxy.speak()
    await until(
      () =>
        host.post('ses_3', 'run_3').then(
          () => true,
          () => undefined,
        ),
      'it can be written again',
    )
    await until(() => performed.includes('run_3'), 'it claims again')
  })

  it('hosts that start at once on an empty database all come up', async () => {
    const database = await site.database()
    const performed: string[] = []
    const hosts = await Promise.all(
      [0, 1, 2, 3].map(() =>
        database.host({
          async perform({ session_id, run_id }, store) {
            performed.push(run_id)
            await store.finish(session_id, run_id)
          },
        }),
      ),
    )
    for (const [index, host] of hosts.entries()) await host.post(`ses_${index}`, `run_${index}`)
    await until(() => performed.length === 4, 'all are performed')
    assert.equal((await hosts[0]?.state())?.hosts, 4)
  })
})

interface Finishing {
  finish(sessionId: string, runId: string): Promise<void>
}

/** A host in a process of its own, which begins runs and ends them only after it was stopped and goes on. */
async function child(url: string) {
  const script = fileURLToPath(new URL('paused-host.ts', import.meta.url))
  const process_: ChildProcess = spawn(process.execPath, ['--import', 'tsx', script, url, String(LEASE_MS)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let told = ''
  process_.stdout?.setEncoding('utf8').on('data', (text: string) => {
    told += text
  })
  return {
    process: process_,
    has: (line: string) => until(() => told.split('\n').includes(line), `${line} is told; until now: ${told}`),
    async [Symbol.asyncDispose]() {
      const gone = process_.exitCode ?? process_.signalCode ?? once(process_, 'exit')
      process_.kill('SIGKILL')
      await gone
    },
  }
}
