/** Reads of the SQL store: each condition finds an index, and a page costs what it holds. */
import { EVENT_TYPES, type EventType } from '../core/event.js'
import type { EventQuery, PositionedEvent } from '../core/store.js'
import { spanOf } from './sql-append.js'
import type { Query, Row, Value } from './sql-database.js'
import { BLOCK, RARE_TYPES } from './sql-schema.js'

/** Events that match, in the order of their positions. */
export async function readEvents(query: Query, { types, ...asked }: EventQuery): Promise<PositionedEvent[]> {
  const known = types?.filter((type) => EVENT_TYPES.includes(type)) ?? [undefined]
  if (known.length === 0 || !isText(asked.session_id) || !isText(asked.run_id)) return []
  const wanted = await withinSpan(query, asked)
  if (wanted === undefined) return []
  const { session_id } = wanted
  const isByBlock = session_id !== undefined && known.some((type) => isFoundByBlock(type, wanted))
  return isByBlock ? readByBlocks(query, known, wanted, session_id) : readAtOnce(query, known, wanted)
}

type Types = readonly (EventType | undefined)[]
type Conditions = Omit<EventQuery, 'types'>

const FIRST_BLOCKS = 2
const MOST_BLOCKS = 1_000

/**
 * As many blocks of a chain at a time as the page seems to need: a database that has no statistics of its tables yet would
 * otherwise sort the whole chain for its first page.
 */
async function readByBlocks(
  query: Query,
  types: Types,
  { limit, order = 'asc', after = 0, before = Number.MAX_SAFE_INTEGER, ...wanted }: Conditions,
  session_id: string,
): Promise<PositionedEvent[]> {
  const found: PositionedEvent[] = []
  let read = 0
  let count = FIRST_BLOCKS
  for (;;) {
    const blocks = await query(
      `SELECT block FROM skillgate_chain_blocks WHERE session_id = ? AND block >= ? AND block <= ?
        ORDER BY block ${order === 'asc' ? 'ASC' : 'DESC'} LIMIT ?`,
      [session_id, blockOf(after), blockOf(before), count],
    )
    const last = blocks.at(-1)?.block
    if (last === undefined) return found
    const begin = Number(last) * BLOCK
    const within =
      order === 'asc'
        ? { after, before: Math.min(before, begin + BLOCK) }
        : { after: Math.max(after, begin - 1), before }
    found.push(...(await readAtOnce(query, types, { ...wanted, ...within, order, limit: limit - found.length })))
    if (found.length >= limit || blocks.length < count) return found
    if (order === 'asc') after = begin + BLOCK - 1
    else before = begin
    read += blocks.length
    const perBlock = Math.max(found.length, 1) / read
    count = Math.min(MOST_BLOCKS, Math.ceil((1.2 * (limit - found.length)) / perBlock))
  }
}

const blockOf = (position: number): number => Math.floor(position / BLOCK)

async function readAtOnce(query: Query, types: Types, wanted: Conditions): Promise<PositionedEvent[]> {
  const direction = wanted.order === 'desc' ? 'DESC' : 'ASC'
  const selects = types.map((type) => select(type, wanted, direction))
  const [only] = selects
  // Each type on its own, and the lists merged: a database asked for several at once would sort all that match.
  const sql =
    selects.length === 1 && only !== undefined
      ? only.sql
      : `${selects.map((one) => `SELECT * FROM (${one.sql}) AS one`).join(' UNION ALL ')} ORDER BY position ${direction} LIMIT ?`
  const values = selects.flatMap((one) => one.values)
  const rows = await query(sql, selects.length === 1 ? values : [...values, wanted.limit])
  return rows.map(eventOf)
}

/** A run and a rare type of a chain have an index of their own; all else of a chain is found by its blocks. */
const isFoundByBlock = (type: EventType | undefined, { session_id, run_id }: Conditions): boolean =>
  session_id !== undefined && run_id === undefined && !RARE_TYPES.includes(type ?? '')

const COLUMNS = 'position, events.session_id, seq, event_id, ts, run_id, type, prev_hash, hash, body'

function select(
  type: EventType | undefined,
  wanted: Conditions,
  direction: 'ASC' | 'DESC',
): { sql: string; values: Value[] } {
  const { session_id, run_id, since, until, after, before, limit } = wanted
  const byBlock = isFoundByBlock(type, wanted)
  const block = (position: number | undefined) => position && blockOf(position)
  const conditions: [condition: string, value: Value | undefined][] = [
    [byBlock ? 'blocks.session_id = ?' : 'events.session_id = ?', session_id],
    ['blocks.block >= ?', byBlock ? block(after) : undefined],
    ['blocks.block <= ?', byBlock ? block(before) : undefined],
    ['run_id = ?', run_id],
    ['ts >= ?', since],
    ['ts < ?', until],
    ['position > ?', after],
    ['position < ?', before],
  ]
  const given = conditions.filter(([, value]) => value !== undefined)
  // A run's events are few: behind an expression its index is used, and not that of types.
  const ofType = type === undefined ? [] : [`${run_id === undefined ? 'type' : "type || ''"} = '${type}'`]
  // The type stands in the text, because the index of rare types is found only for a condition that is known beforehand.
  const where = [...given.map(([condition]) => condition), ...ofType]
  const from = byBlock
    ? `skillgate_chain_blocks AS blocks JOIN skillgate_events AS events
        ON events.block = blocks.block AND events.session_id = blocks.session_id`
    : 'skillgate_events AS events'
  const order = byBlock ? `blocks.block ${direction}, position ${direction}` : `position ${direction}`
  return {
    sql: `SELECT ${COLUMNS} FROM ${from} ${where.length === 0 ? '' : `WHERE ${where.join(' AND ')}`}
      ORDER BY ${order} LIMIT ?`,
    values: [...given.map(([, value]) => value as Value), limit],
  }
}

/** Times become positions between which they lie; undefined when none does. */
async function withinSpan<T extends Pick<EventQuery, 'since' | 'until' | 'after' | 'before'>>(
  query: Query,
  asked: T,
): Promise<T | undefined> {
  const { since, until } = asked
  if (since === undefined && until === undefined) return asked
  const [span] = await query(
    `SELECT min(lowest) AS lowest, max(highest) AS highest FROM skillgate_spans WHERE begins >= ? AND begins <= ?`,
    [since === undefined ? '' : spanOf(since), until === undefined ? ':' : spanOf(until)],
  )
  if (span === undefined || span.lowest === null) return undefined
  const after = Math.max(asked.after ?? 0, Number(span.lowest) - 1)
  // Without an end, what is appended meanwhile may be found as well.
  if (until === undefined) return { ...asked, after }
  return { ...asked, after, before: Math.min(asked.before ?? Number.MAX_SAFE_INTEGER, Number(span.highest) + 1) }
}

function eventOf(row: Row): PositionedEvent {
  return {
    session_id: row.session_id as string,
    seq: Number(row.seq),
    event_id: row.event_id as string,
    ts: row.ts as string,
    run_id: row.run_id as string | null,
    type: row.type as EventType,
    prev_hash: row.prev_hash as string,
    hash: row.hash as string,
    body: textOf(row.body),
    position: Number(row.position),
  }
}

function textOf(bytes: unknown): string {
  const { buffer, byteOffset, byteLength } = bytes as Uint8Array
  return Buffer.from(buffer, byteOffset, byteLength).toString()
}

/** Whether a database can keep this text. What it cannot keep it does not hold, and PostgreSQL refuses to look for. */
export function isText(text: string | undefined): boolean {
  return text === undefined || (text.isWellFormed() && !text.includes('\0'))
}
