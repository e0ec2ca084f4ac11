/** Looks at the end of a log when it is opened, and mends what a half-copied or restored database left there. */
import type { Repair } from '../core/store.js'
import type { Database, Query, Row } from './sql-database.js'
import { BLOCK } from './sql-schema.js'

/** So many of the last positions are looked at: what is older was, when it was the end. */
const LOOKED_AT = 1_000

/** Mends, and answers what was wrong. Nothing that tells what happened is removed; only what is derived from events is. */
export function repair(database: Database): Promise<Repair[]> {
  return database.transaction(async (query) => [
    ...(await mendEnd(query)),
    ...(await mendChains(query)),
    ...(await mendOpenRuns(query)),
  ])
}

/** Positions are given out behind the last event, or the next append would meet one that is taken. */
async function mendEnd(query: Query): Promise<Repair[]> {
  // Also the lock of the log: no other host appends meanwhile.
  const [end] = await query('UPDATE skillgate_log_end SET position = position + 0 RETURNING position')
  const [last] = await query('SELECT max(position) AS position FROM skillgate_events')
  const highest = Number(last?.position ?? 0)
  if (end !== undefined && Number(end.position) >= highest) return []
  if (end === undefined) await query('INSERT INTO skillgate_log_end (id, position) VALUES (1, ?)', [highest])
  else await query('UPDATE skillgate_log_end SET position = ?', [highest])
  const what = `The end of the log was kept as ${end === undefined ? 'nothing' : Number(end.position)}, before its last event at ${highest}; it was set to that.`
  return [{ session_id: null, what }]
}

/** What tells where a chain's events are, for the last events: without it they would be there and not be found. */
async function mendChains(query: Query): Promise<Repair[]> {
  const rows = await query(
    `SELECT DISTINCT session_id, block FROM skillgate_events AS events
      WHERE position > (SELECT max(position) FROM skillgate_events) - ?
        AND (block <> position / ${BLOCK}
          OR NOT EXISTS (SELECT 1 FROM skillgate_chain_blocks AS blocks
            WHERE blocks.session_id = events.session_id AND blocks.block = events.block)
          OR NOT EXISTS (SELECT 1 FROM skillgate_chains AS chains WHERE chains.session_id = events.session_id))`,
    [LOOKED_AT],
  )
  for (const { session_id } of rows) {
    await query(`UPDATE skillgate_events SET block = position / ${BLOCK} WHERE session_id = ?`, [String(session_id)])
    await query(
      `INSERT INTO skillgate_chain_blocks (session_id, block)
        SELECT DISTINCT session_id, block FROM skillgate_events WHERE session_id = ? ON CONFLICT DO NOTHING`,
      [String(session_id)],
    )
    await query('INSERT INTO skillgate_chains (session_id) VALUES (?) ON CONFLICT DO NOTHING', [String(session_id)])
  }
  const ids = new Set(rows.map(({ session_id }) => String(session_id)))
  return [...ids].map((session_id) => ({
    session_id,
    what: 'The chain had events that the index of chains did not know; it was written again.',
  }))
}

/** Not `type =`, for which all events of that type would be gone through. */
const HAS_FINISHED = `events.type || '' = 'run.finished'`

/** An open run that the log says has finished would be executed again. */
async function mendOpenRuns(query: Query): Promise<Repair[]> {
  const finished = await query(
    `SELECT run_id, session_id FROM skillgate_open_runs AS open_runs WHERE EXISTS
      (SELECT 1 FROM skillgate_events AS events WHERE events.run_id = open_runs.run_id AND ${HAS_FINISHED})`,
  )
  for (const { run_id } of finished) await query('DELETE FROM skillgate_open_runs WHERE run_id = ?', [String(run_id)])
  // What such a run was to do is known to nobody any more; its events stay as they are, and end without a result.
  const lost = await query(
    `SELECT DISTINCT run_id, session_id FROM skillgate_events AS queued
      WHERE type = 'run.queued' AND position > (SELECT max(position) FROM skillgate_events) - ?
        AND NOT EXISTS (SELECT 1 FROM skillgate_open_runs AS open_runs WHERE open_runs.run_id = queued.run_id)
        AND NOT EXISTS (SELECT 1 FROM skillgate_events AS events
          WHERE events.run_id = queued.run_id AND ${HAS_FINISHED})
        AND NOT EXISTS (SELECT 1 FROM skillgate_events AS said
          WHERE said.session_id = queued.session_id AND said.type = 'log.repaired' AND said.position > queued.position)`,
    [LOOKED_AT],
  )
  return [
    ...finished.map(named('was kept as open although it has finished; it is no longer open.')),
    ...lost.map(named('was queued and has not finished, but what it was to execute is lost; it will not be executed.')),
  ]
}

const named =
  (what: string) =>
  ({ run_id, session_id }: Row): Repair => ({ session_id: String(session_id), what: `The run ${run_id} ${what}` })
