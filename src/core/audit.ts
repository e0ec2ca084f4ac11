/** Audit queries: which events, page by page. */
import { z } from 'zod'
import { EVENT_TYPES, type Event, type EventType, readEvent } from './event.js'
import { describe, Failure } from './failure.js'
import { type PageRequest, readPage } from './page.js'
import type { Store } from './store.js'

export interface AuditQuery extends PageRequest {
  session_id?: string
  run_id?: string
  type?: EventType
  /** RFC 3339, inclusive. */
  since?: string
  /** RFC 3339, exclusive. */
  until?: string
}

export interface AuditPage {
  events: Event[]
  next_cursor: string | null
}

/** Events that match, oldest first. Throws INVALID_INPUT for an unknown type or a malformed time. */
export async function readAudit(
  store: Store,
  { session_id, run_id, type, since, until, ...page }: AuditQuery,
): Promise<AuditPage> {
  if (type !== undefined && !EVENT_TYPES.includes(type)) {
    throw new Failure('INVALID_INPUT', `type ${describe(type)} is no event type. Types: ${EVENT_TYPES.join(', ')}.`, {
      details: { field: 'type' },
    })
  }
  const conditions = {
    ...(session_id !== undefined && { session_id }),
    ...(run_id !== undefined && { run_id }),
    ...(type !== undefined && { types: [type] }),
    ...(since !== undefined && { since: parseTime('since', since) }),
    ...(until !== undefined && { until: parseTime('until', until) }),
  }
  const { items, next_cursor } = await readPage(store, conditions, page, 500, readEvent)
  return { events: items, next_cursor }
}

/** Parsed before a Date is made of it, for which February has 30 days. */
const Time = z.union([z.iso.date(), z.iso.datetime({ offset: true })])

function parseTime(field: string, value: string): string {
  const time = new Date(Time.safeParse(value).success ? value : Number.NaN)
  // Times are compared as texts, and outside the years 0000-9999 a text has another form.
  const text = Number.isNaN(time.getTime()) ? '' : time.toISOString()
  if (text.length === 24) return text
  throw new Failure(
    'INVALID_INPUT',
    `${field} ${describe(value)} is not a time. Send RFC 3339, e.g. 2026-01-31T12:00:00Z.`,
    { details: { field } },
  )
}
