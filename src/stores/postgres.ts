/** The store of hosts that have a PostgreSQL: the whole log in its tables, shared when several hosts use it. */
import { Failure, isFailure } from '../core/failure.js'
import type { Store } from '../core/store.js'
import { createSqlStore } from './sql.js'
import type { AppendHooks } from './sql-append.js'
import type { Database, Row } from './sql-database.js'

/** What is used of `pg.Pool`, so that the host's own version fits. */
export interface Pool {
  options?: { connectionTimeoutMillis?: number | undefined }
  connect(): Promise<PoolClient>
  on(event: 'error', listener: () => void): unknown
  end(): Promise<void>
}

export interface PoolClient {
  /** True for a client that sends what it is asked without waiting for the answer before. */
  readonly pipeline?: boolean
  query(query: { text: string; values?: unknown[]; name?: string }): Promise<{ rows: Row[] }>
  on(event: 'error', listener: () => void): unknown
  off(event: 'error', listener: () => void): unknown
  /** True destroys the connection instead of keeping it for the next one. */
  release(destroy?: boolean): void
}

export interface PostgresStoreOptions extends AppendHooks {
  /**
   * A `pg.Pool` of the host's. The store ends it when it is closed. Made with `pipeline: true` (pg 8.23 and later), an
   * append takes three round trips instead of a dozen.
   */
  pool: Pool
  /** How long a read or a commit may take, connecting included, until it fails with UNAVAILABLE. */
  timeoutMs?: number
  /** For reading beside the hosts that write: nothing is changed, and `append` rejects with UNAVAILABLE. */
  readOnly?: boolean
}

/**
 * Opens the log in a PostgreSQL database, and makes its tables (`skillgate_…`) when they are not there. What it
 * acknowledged is on the server's disk, whatever its `synchronous_commit` is set to. Throws a Failure UNAVAILABLE when
 * the server does not answer, when a newer skillgate made the tables, or when there are none to read.
 *
 * @example
 * ```ts
 * import pg from 'pg'
 * import { createGate } from 'skillgate'
 * import { createPostgresStore } from 'skillgate/stores/postgres'
 *
 * const pool = new pg.Pool({ connectionString: 'postgres://skillgate@localhost/skillgate', pipeline: true })
 * const gate = createGate({ skills: [], store: await createPostgresStore({ pool }) })
 * ```
 */
export function createPostgresStore({ pool, timeoutMs = 5_000, ...options }: PostgresStoreOptions): Promise<Store> {
  return createSqlStore(createPostgresDatabase(pool, timeoutMs), options)
}

/** A number that nobody else locks: the bytes of "skillgat". */
const MIGRATION_LOCK = '8316857051265851764'

interface Phase {
  committing: boolean
}

/** `timeoutMs` bounds each call and each transaction. */
export function createPostgresDatabase(pool: Pool, timeoutMs: number): Database {
  // The pool replaces an idle connection that broke. Without a listener its breaking would end the process.
  pool.on('error', ignore)
  // A connection that never comes about would keep its place in the pool for ever.
  if (pool.options !== undefined) pool.options.connectionTimeoutMillis ||= timeoutMs
  const name = createNames()
  let begin: string | undefined

  /** A connection for one piece of work, and an end to it after the time, whatever the server does or does not. */
  async function connected<T>(work: (client: PoolClient, phase: Phase) => Promise<T>): Promise<T> {
    const phase: Phase = { committing: false }
    let client: PoolClient | undefined
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`PostgreSQL did not answer within ${timeoutMs} ms.`)), timeoutMs)
    })
    const connecting = pool.connect()
    try {
      client = await Promise.race([connecting, late])
      client.on('error', ignore)
      const result = await Promise.race([work(client, phase), late])
      client.off('error', ignore)
      client.release()
      return result
    } catch (error) {
      // What was asked on it may still be under way, and nobody may commit it now.
      if (client !== undefined) client.release(true)
      else connecting.then((unused) => unused.release(true)).catch(ignore)
      throw isFailure(error) ? error : unavailable(error, phase)
    } finally {
      clearTimeout(timer)
    }
  }

  return {
    dialect: {
      integer: 'bigint',
      text: 'text COLLATE "C"',
      bytes: 'bytea',
      keyOnly: '',
      migrationLock: `SELECT pg_advisory_xact_lock(${MIGRATION_LOCK})`,
    },
    query: (sql, values) =>
      connected((client) => inOrder(client)({ text: numbered(sql), values: [...(values ?? [])] })),
    transaction: (work) =>
      connected(async (client, phase) => {
        begin ??= await beginning(client)
        const ask = inOrder(client)
        const [, result] = await Promise.all([
          ask({ text: begin }),
          // Prepared by name, because the same few statements come again and again.
          work((sql, values = []) => ask({ ...name(sql), values: [...values] })),
        ])
        phase.committing = true
        await client.query({ text: 'COMMIT' })
        return result
      }),
    close: () => pool.end(),
  }
}

/** The isolation and the durability that the log relies on, whatever the database's own defaults are. */
async function beginning(client: PoolClient): Promise<string> {
  const [row] = (await client.query({ text: 'SHOW synchronous_commit' })).rows
  const begin = 'BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE'
  return row?.synchronous_commit === 'off' ? `${begin}; SET LOCAL synchronous_commit = on` : begin
}

/** Asks a client one thing after the other; one that can, before the answer to the one before. */
function inOrder(client: PoolClient): (query: { text: string; values?: unknown[]; name?: string }) => Promise<Row[]> {
  if (client.pipeline) return async (query) => (await client.query(query)).rows
  let last: Promise<unknown> = Promise.resolve()
  return (query) => {
    const mine = last.then(async () => (await client.query(query)).rows)
    last = mine
    // Who asked learns of it; those who waited for it do as well.
    last.catch(ignore)
    return mine
  }
}

/** Numbers the placeholders as PostgreSQL wants them. */
function numbered(sql: string): string {
  let count = 0
  return sql.replaceAll('?', () => `$${++count}`)
}

function createNames(): (sql: string) => { text: string; name: string } {
  const named = new Map<string, { text: string; name: string }>()
  return (sql) => {
    const known = named.get(sql) ?? { text: numbered(sql), name: `skillgate_${named.size + 1}` }
    named.set(sql, known)
    return known
  }
}

/** PostgreSQL's code for a table that is not there. */
const UNDEFINED_TABLE = '42P01'

function unavailable(cause: unknown, { committing }: Phase): Failure {
  if ((cause as { code?: unknown } | undefined)?.code === UNDEFINED_TABLE) {
    const message = 'This database does not hold a log of skillgate. Name the one that its hosts write to.'
    return new Failure('UNAVAILABLE', message, { retriable: false, details: { applied: 'no' }, cause })
  }
  const applied = committing ? 'unknown' : 'no'
  const outcome = committing
    ? 'The connection was lost during the commit, so whether it was applied is unknown'
    : 'Nothing was applied'
  return new Failure('UNAVAILABLE', `The log in PostgreSQL cannot be used. ${outcome}. Try again later.`, {
    details: { applied },
    cause,
  })
}

const ignore = (): void => {}
