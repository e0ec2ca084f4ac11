/** Leases of the hosts that share a database: who is alive by the database's clock, and how many runs each may perform. */
import { Failure } from '../core/failure.js'
import type { Query } from './sql-database.js'

export const leaseOver = (): Failure =>
  new Failure(
    'UNAVAILABLE',
    "This host's lease is over, so others settle its runs, and nothing was applied. It takes a new one by itself: try again.",
    { details: { applied: 'no' } },
  )

/** How many runs a host may perform. */
interface Allotment {
  /** Reserved for it: with those of the others never above the limit in total. */
  slots: number
  /** Its part of the limit in total. A host that holds more lets it go as its runs end. */
  share: number
}

export interface Hosts {
  create(query: Query): Promise<void>
  /** A lease for a host that has none. Ids are never used again, so an id is its holder's fencing token. */
  register(query: Query, hostId: string, concurrency: number): Promise<Allotment>
  /** Undefined when the lease is over. `used`: how many runs it performs at least until it is answered. */
  renew(query: Query, hostId: string, concurrency: number, used: number): Promise<Allotment | undefined>
  leave(query: Query, hostId: string): Promise<void>
  /** Forgets hosts whose lease is over: from here on nothing that they append is taken. */
  bury(query: Query): Promise<void>
  /** Those of the ids whose lease is not over, and will not be taken from them before this transaction ends. */
  holding(query: Query, hostIds: readonly string[]): Promise<ReadonlySet<string>>
}

/** One at a time over all hosts, so that what each reserves is counted by the next. */
const ALONE = `select pg_advisory_xact_lock(hashtext('skillgate.hosts'))`

export function createHosts({ leaseMs, total }: { leaseMs: number; total: number | undefined }): Hosts {
  async function renew(query: Query, hostId: string, concurrency: number, used: number) {
    await query(ALONE)
    const rows = await query(
      `with asked as (select ?::text as host, ?::int as lease_ms, ?::int as concurrency, ?::int as total, ?::int as used),
        others as (select count(*) as hosts, coalesce(sum(slots), 0)::int as slots from skillgate_hosts, asked where host_id <> host),
        part as (select *, least(concurrency, ceil(total / (hosts + 1.0))::int) as share from asked, others)
      update skillgate_hosts set expires_at = clock_timestamp() + lease_ms * interval '1 millisecond',
        slots = greatest(used, least(share, total - part.slots))
      from part where host_id = host and expires_at > clock_timestamp() returning skillgate_hosts.slots, share`,
      [hostId, leaseMs, concurrency, total ?? null, used],
    )
    return rows[0] as unknown as Allotment | undefined
  }

  return {
    renew,
    async create(query) {
      await query(ALONE)
      await query(
        'create table if not exists skillgate_hosts (host_id text primary key, expires_at timestamptz not null, slots int not null)',
      )
      await query(
        'create index if not exists skillgate_open_runs_session on skillgate_open_runs (session_id, position)',
      )
    },
    async register(query, hostId, concurrency) {
      await query(
        `insert into skillgate_hosts (host_id, expires_at, slots) values (?, clock_timestamp() + interval '1 minute', 0)`,
        [hostId],
      )
      return (await renew(query, hostId, concurrency, 0)) ?? { slots: 0, share: 0 }
    },
    async leave(query, hostId) {
      await query('delete from skillgate_hosts where host_id = ?', [hostId])
    },
    // An append holds the rows of its hosts; one that was paused in the middle is not waited for, but found at the next turn.
    async bury(query) {
      await query(
        `delete from skillgate_hosts where host_id in
          (select host_id from skillgate_hosts where expires_at <= clock_timestamp() for update skip locked)`,
      )
    },
    async holding(query, hostIds) {
      const rows = await query(
        `select host_id from skillgate_hosts where host_id in (select json_array_elements_text(?::json))
          and expires_at > clock_timestamp() for key share`,
        [JSON.stringify(hostIds)],
      )
      return new Set(rows.map(({ host_id }) => host_id as string))
    },
  }
}
