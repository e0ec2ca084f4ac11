/** The tables of the SQL store: an ordered list of migrations, forward only. */
import { Failure } from '../core/failure.js'
import type { Database, Query } from './sql-database.js'

type Dialect = Database['dialect']

/** Types of which a chain has few events: they are looked for among many others. */
export const RARE_TYPES = ['session.created', 'policy.replaced', 'skill.registered', 'log.repaired']

const MIGRATIONS: ((dialect: Dialect) => string[])[] = [
  ({ integer, text, bytes, keyOnly }) => [
    // One row: the position given out last. Its lock makes appends of several hosts commit in the order of positions.
    `CREATE TABLE skillgate_log_end (id ${integer} PRIMARY KEY, position ${integer} NOT NULL)`,
    'INSERT INTO skillgate_log_end (id, position) VALUES (1, 0)',
    `CREATE TABLE skillgate_events (
      position ${integer} PRIMARY KEY,
      block ${integer} NOT NULL,
      session_id ${text} NOT NULL,
      seq ${integer} NOT NULL,
      event_id ${text} NOT NULL,
      ts ${text} NOT NULL,
      run_id ${text},
      type ${text} NOT NULL,
      prev_hash ${text} NOT NULL,
      hash ${text} NOT NULL,
      body ${bytes} NOT NULL
    )`,
    // Chains are found in two steps, in which blocks they have events and where in a block: an index of all events by
    // chain would write one page of the disk for each append, at another place for each chain.
    'CREATE INDEX skillgate_events_block ON skillgate_events (block, session_id, position)',
    `CREATE TABLE skillgate_chain_blocks (
      session_id ${text} NOT NULL,
      block ${integer} NOT NULL,
      PRIMARY KEY (session_id, block)
    ) ${keyOnly}`,
    'CREATE INDEX skillgate_events_run ON skillgate_events (run_id, position) WHERE run_id IS NOT NULL',
    'CREATE INDEX skillgate_events_type ON skillgate_events (type, position)',
    `CREATE INDEX skillgate_events_rare ON skillgate_events (session_id, type, position)
      WHERE ${RARE_TYPES.map((type) => `type = '${type}'`).join(' OR ')}`,
    `CREATE TABLE skillgate_chains (session_id ${text} PRIMARY KEY) ${keyOnly}`,
    // Where in the log a span of ten minutes lies. An index of times would cost each event, and time does not decide order.
    `CREATE TABLE skillgate_spans (begins ${text} PRIMARY KEY, lowest ${integer} NOT NULL, highest ${integer} NOT NULL)`,
    `CREATE TABLE skillgate_open_runs (
      run_id ${text} PRIMARY KEY,
      position ${integer} NOT NULL,
      session_id ${text} NOT NULL,
      payload ${bytes} NOT NULL
    )`,
    'CREATE INDEX skillgate_open_runs_position ON skillgate_open_runs (position)',
    `CREATE TABLE skillgate_answers (
      key ${text} PRIMARY KEY,
      request_hash ${text} NOT NULL,
      body ${text} NOT NULL,
      expires_at ${text} NOT NULL
    )`,
    'CREATE INDEX skillgate_answers_expires_at ON skillgate_answers (expires_at)',
  ],
]

/** How many positions make a block. */
export const BLOCK = 512

/** Brings the tables to the newest form. Two hosts may do so at once. Throws for tables that a newer skillgate made. */
export function migrate(database: Database): Promise<void> {
  const { dialect } = database
  return database.transaction(async (query) => {
    if (dialect.migrationLock !== undefined) await query(dialect.migrationLock)
    await query(`CREATE TABLE IF NOT EXISTS skillgate_schema (version ${dialect.integer} PRIMARY KEY)`)
    const version = await readVersion(query)
    for (const [index, statements] of MIGRATIONS.entries()) {
      if (index < version) continue
      for (const statement of statements(dialect)) await query(statement)
      await query('INSERT INTO skillgate_schema (version) VALUES (?)', [index + 1])
    }
  })
}

/** For readers that must change nothing: throws unless the tables have exactly the newest form. */
export async function assertMigrated(query: Query): Promise<void> {
  const version = await readVersion(query)
  if (version === MIGRATIONS.length) return
  throw new Failure(
    'UNAVAILABLE',
    `The log has schema ${version}, and this skillgate reads ${MIGRATIONS.length}. Open it once for writing, which migrates it.`,
    { retriable: false },
  )
}

async function readVersion(query: Query): Promise<number> {
  const [row] = await query('SELECT max(version) AS version FROM skillgate_schema')
  const version = Number(row?.version ?? 0)
  if (version <= MIGRATIONS.length) return version
  throw new Failure(
    'UNAVAILABLE',
    `The log has schema ${version}, which a newer skillgate wrote; this one knows schemas up to ${MIGRATIONS.length}. Install the newer one. Nothing was changed.`,
    { retriable: false },
  )
}
