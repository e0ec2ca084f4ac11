/** Runs shared by the hosts on one PostgreSQL: a host takes a lease, claims runs through graphile-worker, and is replaced when its lease ends. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { EventEmitter } from 'node:events'
import type { Logger as JobLogger, WorkerPool } from 'graphile-worker'
import type { Pool, PoolConfig } from 'pg'
import type { OpenRun, SharedRuns } from '../core/store.js'
import { createHosts, leaseOver } from './hosts.js'
import { addJobs, JOB, JOB_SCHEMA, reclaimJobs, retryJob } from './run-jobs.js'
import { createSlots, type Slots } from './slots.js'
import type { AppendHooks } from './sql-append.js'
import type { Database } from './sql-database.js'

/** A rejected run is tried again this much later. */
const RETRY_MS = 1_000
/** Notifications wake claimers at once; this is for retries, and for notifications that were lost. */
const POLL_MS = 1_000

type StartOptions = Parameters<SharedRuns['start']>[0]

/** One lease: from being registered until it is given up or over. */
interface Host {
  id: string
  workers: WorkerPool
  slots: Slots
  options: StartOptions
  /** By this process's monotonic clock, when the last renewal that succeeded was asked for. */
  renewedAt: number
  lost: boolean
}

export interface SharedRunsOfHost {
  shared: SharedRuns
  /** Creates what is not there, after the tables of the log; safe with several hosts at once. */
  migrate(): Promise<void>
  hooks: Required<AppendHooks>
}

/**
 * What its connections need: a call ends in time, also one that graphile-worker makes, a transaction left open by a paused
 * host ends, and a connection whose peer went silent is not kept. Claims need not be durable: what a crash of the database
 * takes back is claimed anew, and the log tells how far it got.
 */
export const sharedRunsPool = (boundMs: number): PoolConfig => ({
  max: 8,
  connectionTimeoutMillis: boundMs,
  query_timeout: boundMs,
  statement_timeout: boundMs,
  idle_in_transaction_session_timeout: boundMs,
  maxLifetimeSeconds: 60,
  options: '-c synchronous_commit=off',
})

export function createSharedRuns({
  pool,
  database,
  leaseMs,
  maxConcurrentRuns,
}: {
  /** Made with {@link sharedRunsPool}. */
  pool: Pool
  /** On the same pool. */
  database: Database
  leaseMs: number
  maxConcurrentRuns?: number | undefined
}): SharedRunsOfHost {
  const hosts = createHosts({ leaseMs, total: maxConcurrentRuns })
  const performing = new AsyncLocalStorage<string>()
  const retiring = new Set<Promise<void>>()
  let host: Host | undefined
  let stopping = false
  let timer: NodeJS.Timeout | undefined
  let turn: Promise<void> = Promise.resolve()

  async function join(options: StartOptions, previousId?: string): Promise<Host> {
    const { runTaskList } = await import('graphile-worker')
    const slots = createSlots()
    const events = new EventEmitter()
    for (const free of ['worker:getJob:empty', 'worker:getJob:error', 'job:complete', 'worker:fatalError']) {
      events.on(free, slots.give)
    }
    const lease = { slots, options, renewedAt: performance.now(), lost: false } as Host
    const workers = runTaskList(
      {
        concurrency: options.concurrency,
        noHandleSignals: true,
        events,
        logger: await jobLogger(options.onError),
        // Asked before each claim, so it claims no more than may be performed.
        forbiddenFlags: () => slots.take().then(() => null),
        preset: {
          worker: { schema: JOB_SCHEMA, pollInterval: POLL_MS, completeJobBatchDelay: 0, failJobBatchDelay: 0 },
        },
      },
      { [JOB]: (payload) => performJob(lease, (payload as { run_id: string }).run_id) },
      pool,
    )
    Object.assign(lease, { id: workers.id, workers })
    // It ends by itself only when it could not tell the database what became of a run.
    workers.promise.catch(options.onError).finally(() => stopping || lose(lease))
    try {
      const { slots: granted, share } = await database.transaction(async (query) => {
        const allotment = await hosts.register(query, lease.id, options.concurrency)
        if (previousId !== undefined) await hosts.leave(query, previousId)
        await hosts.bury(query)
        await reclaimJobs(query)
        await addJobs(query)
        return allotment
      })
      slots.resize(Math.min(granted, share))
      return lease
    } catch (error) {
      lease.lost = true
      await retire(lease)
      throw error
    }
  }

  async function performJob(lease: Host, runId: string): Promise<void> {
    const [found] = await database.query(
      `select run_id, session_id, payload from skillgate_hosts left join skillgate_open_runs on run_id = ?
        where host_id = ? and expires_at > clock_timestamp()`,
      [runId, lease.id],
    )
    // Thrown, so the job is failed and not completed, which leaves it alone when others have been given it.
    if (lease.lost || found === undefined) throw leaseOver()
    const run = found as unknown as OpenRun
    if (run.run_id === null) return
    try {
      await performing.run(lease.id, () => lease.options.perform(run))
    } catch (error) {
      if (lease.lost) throw leaseOver()
      lease.options.onError(error)
      if (!(await retryJob(database.query, lease.id, runId, RETRY_MS))) throw leaseOver()
    }
    if (lease.lost) throw leaseOver()
  }

  /** Ends the claiming of a lease; resolves when none of its runs is performed any more. */
  async function retire({ workers, slots, options }: Host): Promise<void> {
    const ended = Promise.resolve(workers.gracefulShutdown()).catch(options.onError)
    slots.close()
    retiring.add(ended)
    await ended
    retiring.delete(ended)
  }

  function lose(lease: Host): void {
    if (lease.lost) return
    lease.lost = true
    lease.options.onLost()
    retire(lease)
  }

  /** Renews the lease or, when it is over, takes a new one; finds hosts that never returned. */
  async function renew(): Promise<void> {
    if (host?.lost && !stopping) host = await join(host.options, host.id)
    if (host === undefined || host.lost) return
    const { id, options, slots } = host
    const asked = performance.now()
    // Nothing is begun meanwhile, so that what is reserved is not less than what is performed.
    slots.resize(slots.taken())
    const allotment = await database.transaction(async (query) => {
      const allotment = await hosts.renew(query, id, options.concurrency, slots.taken())
      await hosts.bury(query)
      await reclaimJobs(query)
      return allotment
    })
    if (allotment === undefined) {
      lose(host)
      return renew()
    }
    slots.resize(Math.min(allotment.slots, allotment.share))
    host.renewedAt = asked
  }

  function schedule(afterMs: number): void {
    timer = setTimeout(() => {
      turn = renew().then(
        () => schedule(leaseMs / 3),
        (error) => {
          host?.options.onError(error)
          // Whether it could be renewed is not known here, but others may count on its being over.
          if (host !== undefined && performance.now() - host.renewedAt > leaseMs) lose(host)
          schedule(leaseMs / 15)
        },
      )
    }, afterMs)
  }

  const shared: SharedRuns = {
    async start(options) {
      host = await join(options)
      schedule(leaseMs / 3)
    },

    async stop() {
      if (host === undefined) return
      stopping = true
      const mine = host
      if (!mine.lost) await retire(mine)
      await Promise.all(retiring)
      clearTimeout(timer)
      await turn
      // The turn that was under way has set the next.
      clearTimeout(timer)
      // It may have taken a new lease, too.
      if (host !== mine && !host.lost) await retire(host)
      const { id, options } = host
      host = undefined
      await database
        .transaction(async (query) => {
          await hosts.leave(query, id)
          await reclaimJobs(query)
        })
        .catch(options.onError)
    },

    async state() {
      const [counts] = await database.query(
        `select (select count(*) from skillgate_hosts where expires_at > clock_timestamp())::int as hosts,
          (select count(*) from skillgate_open_runs)::int
            - (select count(*) from ${JOB_SCHEMA}.jobs where task_identifier = ? and locked_by is not null)::int as backlog`,
        [JOB],
      )
      // A job is done a little later than its run.
      return { host_id: host?.id ?? '', hosts: Number(counts?.hosts), backlog: Math.max(0, Number(counts?.backlog)) }
    },
  }

  return {
    shared,
    async migrate() {
      const { runMigrations } = await import('graphile-worker')
      await runMigrations({
        pgPool: pool,
        preset: { worker: { schema: JOB_SCHEMA } },
        logger: await jobLogger(() => {}),
      })
      await database.transaction(hosts.create)
    },
    // What a run appends belongs to the lease under which it was begun, whichever its host has by then.
    hooks: { lease: () => performing.getStore() ?? host?.id, holding: hosts.holding, onRuns: addJobs },
  }
}

/** What graphile-worker has to say is told when it is an error; of what runs do, our own log tells. */
async function jobLogger(onError: (error: unknown) => void): Promise<JobLogger> {
  const { Logger } = await import('graphile-worker')
  return new Logger(() => (level, message, meta) => {
    if (level === 'error') onError(meta?.error ?? new Error(message))
  })
}
