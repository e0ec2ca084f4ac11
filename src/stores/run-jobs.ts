/** The jobs by which hosts claim runs, in the tables of graphile-worker: one for the first open run of each session. */
import type { Query } from './sql-database.js'

export const JOB_SCHEMA = 'skillgate_jobs'
export const JOB = 'run'

/** An upper bound as large as the column: a run is never given up for having been tried often. */
const ATTEMPTS = 32_767

/**
 * Adds the job of the first open run of sessions that have none; without `sessionIds`, of all. It belongs into every
 * transaction that opens or ends runs, so a run gets its job when the one before it ended, and not earlier: the order
 * within a session is that of the log. Of two transactions that add the same job, one does, because its key is the run.
 */
export async function addJobs(query: Query, sessionIds?: readonly string[]): Promise<void> {
  const some = sessionIds === undefined ? '' : 'where session_id in (select json_array_elements_text(?::json))'
  await query(
    `select ${JOB_SCHEMA}.add_job(?, json_build_object('run_id', run_id), max_attempts := ?, job_key := run_id,
        job_key_mode := 'unsafe_dedupe')
      from (select distinct on (session_id) run_id from skillgate_open_runs ${some} order by session_id, position) as first
      where not exists (select from ${JOB_SCHEMA}.jobs where key = run_id)`,
    [JOB, ATTEMPTS, ...(sessionIds === undefined ? [] : [JSON.stringify(sessionIds)])],
  )
}

/**
 * Gives back what is claimed by hosts that are no longer there. The jobs are replaced, not only unlocked: a host that was
 * paused past its lease completes jobs by their ids alone, and must not find any.
 */
export async function reclaimJobs(query: Query): Promise<void> {
  // What failed because the database was away waits for e^attempts seconds, which may be hours.
  await query(
    `select ${JOB_SCHEMA}.reschedule_jobs(array(select id from ${JOB_SCHEMA}.jobs where task_identifier = ?
      and locked_by is null and run_at > now() + interval '2 seconds'), run_at := now(), attempts := 0)`,
    [JOB],
  )
  const orphans = await query(
    `select id, locked_by from ${JOB_SCHEMA}.jobs
      where task_identifier = ? and locked_by is not null and locked_by not in (select host_id from skillgate_hosts)`,
    [JOB],
  )
  if (orphans.length === 0) return
  const holders = [...new Set(orphans.map((job) => job.locked_by))]
  await query(`select ${JOB_SCHEMA}.force_unlock_workers(array(select json_array_elements_text(?::json)))`, [
    JSON.stringify(holders),
  ])
  await query(`select ${JOB_SCHEMA}.complete_jobs(array(select json_array_elements_text(?::json)::bigint))`, [
    JSON.stringify(orphans.map((job) => job.id)),
  ])
  await addJobs(query)
}

/** Claimed again after `delayMs`, by whichever host. False when the host's lease is over: the job is no longer its. */
export async function retryJob(query: Query, hostId: string, runId: string, delayMs: number): Promise<boolean> {
  const rows = await query(
    `select ${JOB_SCHEMA}.add_job(?, json_build_object('run_id', ?::text), max_attempts := ?, job_key := ?,
        run_at := now() + ?::int * interval '1 millisecond')
      from (select from skillgate_hosts where host_id = ? and expires_at > clock_timestamp() for key share) as mine`,
    [JOB, runId, ATTEMPTS, runId, delayMs, hostId],
  )
  return rows.length > 0
}
