/** Appends to the SQL store: those that arrive together share one transaction, and each is judged on its own. */
import type { Head, StoredEvent } from '../core/event.js'
import { Failure, isFailure } from '../core/failure.js'
import type { AppendOptions, KeptAnswer, OpenRun } from '../core/store.js'
import { leaseOver } from './hosts.js'
import { chunked, type Database, placeholders, type Query, selectIn, type Value } from './sql-database.js'
import { BLOCK } from './sql-schema.js'

/** What a store for several hosts adds to every transaction that appends. */
export interface AppendHooks {
  /** Asked when an append is: the lease that it belongs to. */
  lease?(): string | undefined
  /** Asked when the log is locked for this transaction, before anything is written: which of these leases hold until its end. */
  holding?(query: Query, leases: readonly string[]): Promise<ReadonlySet<string>>
  /** Told of the sessions in which this transaction opens or ends runs, after it has. */
  onRuns?(query: Query, sessionIds: readonly string[]): Promise<void>
}

interface Append extends AppendOptions {
  events: StoredEvent[]
  lease: string | undefined
  settle: { resolve(): void; reject(error: unknown): void }
}

/** The last event of a chain, and the block that it lies in. */
interface End extends Head {
  block: number
}

const MAX_GROUP = 256
const MAX_KNOWN_ENDS = 10_000

export function createAppender(database: Database, hooks: AppendHooks) {
  /** Ends of chains as the last commits left them; kept where nobody else appends. */
  const known = new Map<string, End>()
  let queue: Append[] = []
  let working: Promise<void> | undefined

  function append(events: readonly StoredEvent[], options: AppendOptions = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      // Copied, because it is written later, and the caller may change its own meanwhile.
      const copied = events.map((event) => ({ ...event }))
      queue.push({ ...options, events: copied, lease: hooks.lease?.(), settle: { resolve, reject } })
      working ??= work()
    })
  }

  async function work(): Promise<void> {
    while (queue.length > 0) {
      // Whoever else is about to append in this turn of the event loop comes along.
      await new Promise(setImmediate)
      const group = queue.slice(0, MAX_GROUP)
      queue = queue.slice(MAX_GROUP)
      await commit(group)
    }
    working = undefined
  }

  async function commit(group: readonly Append[]): Promise<void> {
    try {
      const { verdicts, ends } = await database.transaction((query) => write(query, hooks, group, known))
      if (known.size > MAX_KNOWN_ENDS) known.clear()
      if (database.exclusive) for (const [id, end] of ends) known.set(id, end)
      settle(group, verdicts)
    } catch (error) {
      known.clear()
      const failure = isFailure(error)
        ? error
        : new Failure('UNAVAILABLE', 'The log could not be written, and nothing was applied. Try again later.', {
            details: { applied: 'no' },
            cause: error,
          })
      settle(
        group,
        group.map(() => failure),
      )
    }
  }

  return { append, idle: async () => working }
}

function settle(group: readonly Append[], verdicts: readonly (Failure | undefined)[]): void {
  for (const [index, { settle }] of group.entries()) {
    const refused = verdicts[index]
    if (refused === undefined) settle.resolve()
    else settle.reject(refused)
  }
}

/** Writes what can be appended, and answers for each append why it cannot, and where the chains end now. */
async function write(
  query: Query,
  hooks: AppendHooks,
  group: readonly Append[],
  known: ReadonlyMap<string, End>,
): Promise<{ verdicts: (Failure | undefined)[]; ends: Map<string, End> }> {
  const leases = new Set(group.flatMap(({ lease }) => lease ?? []))
  // Behind the first of them the log is locked, and the others see what it is locked with.
  const [reserved, holding, ends, taken] = await Promise.all([
    reserve(query, group),
    leases.size === 0 ? leases : hooks.holding?.(query, [...leases]),
    readEnds(query, group, known),
    readTaken(query, group),
  ])
  let position = reserved
  const events: Value[][] = []
  const blocks = new Map<string, Value[]>()
  const chains: string[] = []
  const open = new Map<string, (OpenRun & { position: number }) | undefined>()
  /** Those in which runs were opened or ended. */
  const sessions = new Set<string>()
  const answers: KeptAnswer[] = []
  const spans = new Map<string, [lowest: number, highest: number]>()

  const verdicts = group.map((append) => {
    const isOver = append.lease !== undefined && holding?.has(append.lease) !== true
    const refused = isOver ? leaseOver() : judge(append, ends, taken)
    if (refused !== undefined) return refused
    const { opens, answer } = append
    const first = position + 1
    for (const event of append.events) {
      position += 1
      if (event.seq === 1) chains.push(event.session_id)
      const block = Math.floor(position / BLOCK)
      if (ends.get(event.session_id)?.block !== block) {
        blocks.set(`${block} ${event.session_id}`, [event.session_id, block])
      }
      ends.set(event.session_id, { seq: event.seq, hash: event.hash, block })
      events.push(rowOf(event, position, block))
      const begins = spanOf(event.ts)
      spans.set(begins, [spans.get(begins)?.[0] ?? position, position])
    }
    if (opens !== undefined) open.set(opens.run_id, { ...opens, position: Math.max(first, position) })
    if (opens !== undefined) sessions.add(opens.session_id)
    for (const { type, run_id, session_id } of append.events) {
      if (type !== 'run.finished' || run_id === null) continue
      open.set(run_id, undefined)
      sessions.add(session_id)
    }
    if (answer !== undefined) {
      taken.set(answer.key, answer.expires_at)
      answers.push(answer)
    }
    return undefined
  })

  const spanRows = [...spans].map(([begins, [lowest, highest]]) => [begins, lowest, highest])
  await Promise.all([
    insert(query, 'skillgate_events', EVENT_COLUMNS, events),
    insert(query, 'skillgate_chain_blocks', ['session_id', 'block'], [...blocks.values()], 'ON CONFLICT DO NOTHING'),
    insert(
      query,
      'skillgate_chains',
      ['session_id'],
      chains.map((id) => [id]),
    ),
    insert(query, 'skillgate_spans', ['begins', 'lowest', 'highest'], spanRows, SPAN_GROWS),
    keepRuns(query, open),
    sessions.size > 0 ? hooks.onRuns?.(query, [...sessions]) : undefined,
    keepAnswers(query, answers, group),
  ])
  return { verdicts, ends }
}

const EVENT_COLUMNS = [
  'position',
  'block',
  'session_id',
  'seq',
  'event_id',
  'ts',
  'run_id',
  'type',
  'prev_hash',
  'hash',
  'body',
] as const

const rowOf = (event: StoredEvent, position: number, block: number): Value[] => [
  position,
  block,
  event.session_id,
  event.seq,
  event.event_id,
  event.ts,
  event.run_id,
  event.type,
  event.prev_hash,
  event.hash,
  Buffer.from(event.body),
]

/** The ten minutes that a time lies in: `2026-01-31T12:3`. */
export const spanOf = (time: string): string => time.slice(0, 15)

const SPAN_GROWS = 'ON CONFLICT (begins) DO UPDATE SET highest = excluded.highest'

/** Takes positions for the group, and with them the lock of the log. Answers the position before the first of them. */
async function reserve(query: Query, group: readonly Append[]): Promise<number> {
  // An append without events may open a run, which needs a place of its own too.
  const wanted = group.reduce((sum, { events }) => sum + Math.max(1, events.length), 0)
  const [end] = await query('UPDATE skillgate_log_end SET position = position + ? RETURNING position', [wanted])
  if (end === undefined) throw new Error('skillgate_log_end has no row')
  return Number(end.position) - wanted
}

/** The position of a chain's last event. */
export const LAST_POSITION = (chain: string): string =>
  `SELECT max(position) FROM skillgate_events AS inside WHERE inside.session_id = ${chain} AND inside.block =
    (SELECT max(block) FROM skillgate_chain_blocks AS blocks WHERE blocks.session_id = ${chain})`

async function readEnds(
  query: Query,
  group: readonly Append[],
  known: ReadonlyMap<string, End>,
): Promise<Map<string, End>> {
  const ends = new Map<string, End>()
  const unknown = new Set<string>()
  for (const { session_id } of group.flatMap(({ events }) => events)) {
    const end = known.get(session_id)
    if (end === undefined) unknown.add(session_id)
    else ends.set(session_id, end)
  }
  const rows = await selectIn(
    query,
    [...unknown],
    (list) => `SELECT session_id, seq, hash, block FROM (VALUES ${list}) AS wanted JOIN skillgate_events
      ON position = (${LAST_POSITION('column1')})`,
  )
  for (const { session_id, seq, hash, block } of rows) {
    ends.set(String(session_id), { seq: Number(seq), hash: String(hash), block: Number(block) })
  }
  return ends
}

async function readTaken(query: Query, group: readonly Append[]): Promise<Map<string, string>> {
  const keys = new Set(group.flatMap(({ answer }) => (answer === undefined ? [] : [answer.key])))
  const rows = await selectIn(
    query,
    [...keys],
    (list) => `SELECT key, expires_at FROM (VALUES ${list}) AS wanted JOIN skillgate_answers ON key = column1`,
  )
  return new Map(rows.map(({ key, expires_at }) => [String(key), String(expires_at)]))
}

function judge(
  { events, answer }: Append,
  ends: ReadonlyMap<string, Head>,
  taken: ReadonlyMap<string, string>,
): Failure | undefined {
  const own = new Map<string, Head>()
  for (const event of events) {
    const end = own.get(event.session_id) ?? ends.get(event.session_id)
    if (event.seq !== (end?.seq ?? 0) + 1 || (end !== undefined && event.prev_hash !== end.hash)) {
      return new Failure('CONFLICT', `Event ${event.seq} does not follow the end of chain ${event.session_id}.`)
    }
    own.set(event.session_id, event)
  }
  const expires = answer && taken.get(answer.key)
  if (expires === undefined || expires <= nowOf(events)) return undefined
  return new Failure('IDEMPOTENCY_MISMATCH', 'This key has been used.')
}

/** The time at which events are appended is that of the last of them: a store has no clock of its own. */
const nowOf = (events: readonly StoredEvent[]): string => events.at(-1)?.ts ?? ''

async function insert(
  query: Query,
  table: string,
  columns: readonly string[],
  rows: readonly (readonly Value[])[],
  onConflict = '',
): Promise<void> {
  const chunks = [...chunked(rows)]
  await Promise.all(
    chunks.map((chunk) => {
      const values = placeholders(chunk.length, columns.length)
      return query(`INSERT INTO ${table} (${columns.join(', ')}) VALUES ${values} ${onConflict}`, chunk.flat())
    }),
  )
}

async function keepRuns(
  query: Query,
  open: ReadonlyMap<string, (OpenRun & { position: number }) | undefined>,
): Promise<void> {
  const opened = [...open.values()].filter((run) => run !== undefined)
  const rows = opened.map(({ run_id, position, session_id, payload }) => [run_id, position, session_id, payload])
  const again = `ON CONFLICT (run_id) DO UPDATE
    SET position = excluded.position, session_id = excluded.session_id, payload = excluded.payload`
  const finished = [...open].flatMap(([id, run]) => (run === undefined ? [id] : []))
  await Promise.all([
    insert(query, 'skillgate_open_runs', ['run_id', 'position', 'session_id', 'payload'], rows, again),
    selectIn(query, finished, (list) => `DELETE FROM skillgate_open_runs WHERE run_id IN (VALUES ${list})`),
  ])
}

async function keepAnswers(query: Query, answers: readonly KeptAnswer[], group: readonly Append[]): Promise<void> {
  if (answers.length === 0) return
  // The last answer for a key stands when one that expired at once came before it in the same group.
  const byKey = new Map(answers.map((answer) => [answer.key, answer]))
  const rows = [...byKey.values()].map(({ key, request_hash, body, expires_at }) => [
    key,
    request_hash,
    body,
    expires_at,
  ])
  const again = `ON CONFLICT (key) DO UPDATE
    SET request_hash = excluded.request_hash, body = excluded.body, expires_at = excluded.expires_at`
  const now = nowOf(group.find(({ answer }) => answer !== undefined)?.events ?? [])
  await Promise.all([
    insert(query, 'skillgate_answers', ['key', 'request_hash', 'body', 'expires_at'], rows, again),
    // More than come in, so that the expired ones become fewer, and few, so that nobody waits for it.
    query(
      `DELETE FROM skillgate_answers WHERE key IN
        (SELECT key FROM skillgate_answers WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)`,
      [now, 2 * rows.length],
    ),
  ])
}
