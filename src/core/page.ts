/** Pages of events: how much, from where, in which order, and the cursor to the next page. */
import { describe, Failure } from './failure.js'
import { available } from './log.js'
import type { EventQuery, PositionedEvent, Store } from './store.js'

export interface PageRequest {
  /** 1-1000. */
  limit?: number
  /** `next_cursor` of the page before. */
  cursor?: string
}

const MAX_PAGE = 1_000

/** One page and the cursor to the next, null at the end. Throws INVALID_INPUT for a bad limit or cursor. */
export async function readPage<T>(
  store: Store,
  { order = 'asc', ...conditions }: Omit<EventQuery, 'limit' | 'after' | 'before'>,
  { limit, cursor }: PageRequest,
  defaultLimit: number,
  read: (event: PositionedEvent) => T,
): Promise<{ items: T[]; next_cursor: string | null }> {
  const size = limit ?? defaultLimit
  if (!Number.isInteger(size) || size < 1 || size > MAX_PAGE) {
    throw new Failure('INVALID_INPUT', `limit must be an integer from 1 to ${MAX_PAGE}, got ${describe(limit)}.`, {
      details: { field: 'limit' },
    })
  }
  const from = cursor === undefined ? {} : { [order === 'asc' ? 'after' : 'before']: readCursor(cursor) }
  const found = await available(store.query({ ...conditions, ...from, order, limit: size + 1 }))
  const page = found.slice(0, size)
  const last = page.at(-1)
  return {
    items: page.map(read),
    next_cursor: found.length > size && last !== undefined ? writeCursor(last.position) : null,
  }
}

const writeCursor = (position: number): string => Buffer.from(`p${position}`).toString('base64url')

function readCursor(cursor: string): number {
  const match = /^p(\d{1,15})$/.exec(Buffer.from(String(cursor).slice(0, 100), 'base64url').toString('latin1'))
  if (match !== null && writeCursor(Number(match[1])) === cursor) return Number(match[1])
  throw new Failure(
    'INVALID_INPUT',
    `cursor ${describe(cursor)} is not one that a page answered. Send next_cursor as it came.`,
    {
      details: { field: 'cursor' },
    },
  )
}
