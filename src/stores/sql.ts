/** The durable store: one SQL text for SQLite and PostgreSQL, over the seam of `sql-database.ts`. */
import { Failure } from '../core/failure.js'
import type { KeptAnswer, OpenRun, Store } from '../core/store.js'
import { type AppendHooks, createAppender, LAST_POSITION } from './sql-append.js'
import type { Database, Row } from './sql-database.js'
import { isText, readEvents } from './sql-read.js'
import { repair } from './sql-repair.js'
import { assertMigrated, migrate } from './sql-schema.js'

export interface SqlStoreOptions extends AppendHooks {
  /** Changes nothing, not even the schema; `append` rejects. */
  readOnly?: boolean
}

/** Opens the store that a database holds, and makes its tables when they are not there. It closes the database with it. */
export async function createSqlStore(
  database: Database,
  { readOnly = false, ...hooks }: SqlStoreOptions = {},
): Promise<Store> {
  if (readOnly) await assertMigrated(database.query)
  else await migrate(database)
  const repairs = readOnly ? [] : await repair(database)
  const appender = createAppender(database, hooks)
  const { query } = database
  let closed: Promise<void> | undefined

  return {
    durable: true,
    async append(events, options) {
      if (readOnly) throw refusal('The log was opened for reading only.')
      if (closed !== undefined) throw refusal('The log is closed.')
      await appender.append(events, options)
    },
    query: (asked) => readEvents(query, asked),
    async head(sessionId) {
      if (!isText(sessionId)) return undefined
      const [last] = await query(`SELECT seq, hash FROM skillgate_events WHERE position = (${LAST_POSITION('?')})`, [
        sessionId,
        sessionId,
      ])
      return last && { seq: Number(last.seq), hash: String(last.hash) }
    },
    async chains({ after = '', limit }) {
      const rows = await query(
        'SELECT session_id FROM skillgate_chains WHERE session_id > ? ORDER BY session_id LIMIT ?',
        [after, limit],
      )
      return rows.map(({ session_id }) => String(session_id))
    },
    async openRuns({ after = 0, limit }) {
      const rows = await query(
        `SELECT run_id, session_id, payload, position FROM skillgate_open_runs
          WHERE position > ? ORDER BY position LIMIT ?`,
        [after, limit],
      )
      return rows.map((row) => ({ ...openRunOf(row), position: Number(row.position) }))
    },
    async openRun(runId) {
      if (!isText(runId)) return undefined
      const [row] = await query('SELECT run_id, session_id, payload FROM skillgate_open_runs WHERE run_id = ?', [runId])
      return row && openRunOf(row)
    },
    async answer(key, now): Promise<Omit<KeptAnswer, 'key'> | undefined> {
      if (!isText(key)) return undefined
      const [row] = await query(
        'SELECT request_hash, body, expires_at FROM skillgate_answers WHERE key = ? AND expires_at > ?',
        [key, now],
      )
      return (
        row && { request_hash: String(row.request_hash), body: String(row.body), expires_at: String(row.expires_at) }
      )
    },
    repairs: () => repairs,
    close() {
      closed ??= appender.idle().then(() => database.close())
      return closed
    },
  }
}

const refusal = (message: string): Failure =>
  new Failure('UNAVAILABLE', message, { retriable: false, details: { applied: 'no' } })

const openRunOf = ({ run_id, session_id, payload }: Row): OpenRun => ({
  run_id: String(run_id),
  session_id: String(session_id),
  payload: payload as Uint8Array,
})
