/** The store of several hosts on one PostgreSQL: its log, and the runs that they divide. */
import pg, { type PoolClient, type PoolConfig } from 'pg'
import { Failure } from '../core/failure.js'
import type { Store } from '../core/store.js'
import { createPostgresDatabase, createPostgresStore } from './postgres.js'
import { createSharedRuns, sharedRunsPool } from './shared-runs.js'

export interface SharedPostgresStoreOptions {
  connectionString: string
  /** How long a host that does not renew its lease keeps its runs, in milliseconds: 1 000 to 600 000. Default: 15 000. */
  leaseMs?: number
  /** At most so many runs at a time on all hosts together. Default: as many as the hosts perform. Give all hosts the same. */
  maxConcurrentRuns?: number
}

/**
 * Opens the log in a PostgreSQL database (12 or newer) that several hosts share, and makes its tables when they are not
 * there. Runs are claimed by the hosts that a gate was opened on, through graphile-worker in the schema `skillgate_jobs`.
 * Install `pg` and `graphile-worker` beside skillgate. A host holds up to 16 connections, to the server or to a pooler in
 * session mode, because claimers are woken by notifications. Throws a Failure INVALID_INPUT for options out of range, and
 * UNAVAILABLE when the server does not answer, or when a newer skillgate made the tables.
 *
 * @example
 * ```ts
 * import { createGate } from 'skillgate'
 * import { createSharedPostgresStore } from 'skillgate/stores/shared-postgres'
 *
 * const store = await createSharedPostgresStore({ connectionString: 'postgres://skillgate@localhost/skillgate' })
 * const gate = createGate({ skills: [], store })
 * ```
 */
export async function createSharedPostgresStore({
  connectionString,
  leaseMs = 15_000,
  maxConcurrentRuns,
}: SharedPostgresStoreOptions): Promise<Store> {
  assertInteger('leaseMs', leaseMs, 1_000, 600_000)
  if (maxConcurrentRuns !== undefined) assertInteger('maxConcurrentRuns', maxConcurrentRuns, 1, 100_000)
  const boundMs = Math.ceil(leaseMs / 3)
  // A transaction that a paused host left open holds the lock of the log.
  const logPool = new pg.Pool({
    connectionString,
    pipeline: true,
    keepAlive: true,
    max: 8,
    idle_in_transaction_session_timeout: boundMs,
  })
  logPool.on('connect', bear)
  const runsPool = new JobPool({ connectionString, keepAlive: true, ...sharedRunsPool(boundMs) })
  const runs = createSharedRuns({
    pool: runsPool,
    database: createPostgresDatabase(runsPool, boundMs),
    leaseMs,
    maxConcurrentRuns,
  })
  try {
    const store = await createPostgresStore({ pool: logPool, ...runs.hooks })
    await runs.migrate()
    let closed: Promise<void> | undefined
    const close = async (): Promise<void> => {
      await runs.shared.stop()
      await store.close?.()
      await runsPool.end()
    }
    return {
      ...store,
      shared: runs.shared,
      close() {
        closed ??= close()
        return closed
      },
    }
  } catch (error) {
    await Promise.all([logPool, runsPool].map((pool) => pool.ended || pool.end()))
    throw error
  }
}

/** What breaks a connection is an error of the call that uses it; on one that nobody uses it is none. */
function bear(client: PoolClient): void {
  client.on('error', () => {})
}

/** Bears what graphile-worker does when a database falls silent. */
class JobPool extends pg.Pool {
  constructor(config: PoolConfig) {
    super(config)
    this.on('error', () => {})
    this.on('connect', bear)
  }

  /** With a callback it asks for the connection that listens, which it may release twice and in an unknown state. */
  override connect(): Promise<PoolClient>
  override connect(listen: Listen): void
  override connect(listen?: Listen): Promise<PoolClient> | undefined {
    if (listen === undefined) return super.connect()
    super.connect((error, client, release) => {
      let released = false
      listen(error, client, () => {
        if (!released) release(true)
        released = true
      })
    })
  }
}

type Listen = (error: Error | undefined, client: PoolClient | undefined, release: (error?: unknown) => void) => void

function assertInteger(field: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return
  throw new Failure('INVALID_INPUT', `${field} must be an integer from ${least} to ${most}, got ${value}.`, {
    details: { field },
  })
}
