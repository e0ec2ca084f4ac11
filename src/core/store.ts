/** The store interface: keeps events and finds them again. Conformance: `testStore` in skillgate/testing. */
import type { EventType, Head, StoredEvent } from './event.js'

/** Which events, in the order of their positions. All conditions hold together. */
export interface EventQuery {
  session_id?: string
  run_id?: string
  types?: readonly EventType[]
  /** Inclusive, RFC 3339 UTC with milliseconds. */
  since?: string
  /** Exclusive. */
  until?: string
  /** Positions above this one. */
  after?: number
  /** Positions below this one. */
  before?: number
  order?: 'asc' | 'desc'
  /** At most this many. */
  limit: number
}

/** `position` is the store's own: it grows in append order, within a chain always, and is only for paging. */
export interface PositionedEvent extends StoredEvent {
  position: number
}

export interface Store {
  /**
   * Adds events, all or none; resolves when they are as durable as this store makes them. Rejects with a Failure
   * CONFLICT when the chain does not end right before the first of them (somebody else appended).
   */
  append(events: readonly StoredEvent[]): Promise<void>
  /** The last event of a chain; undefined for a chain that does not exist. */
  head(sessionId: string): Promise<Head | undefined>
  query(query: EventQuery): Promise<PositionedEvent[]>
  /** Ids of chains in ascending order, those after `after`. */
  chains(page: { after?: string; limit: number }): Promise<string[]>
  close?(): Promise<void>
}

/** All events that a query matches, page by page. */
export async function* readAll(
  store: Store,
  query: Omit<EventQuery, 'limit' | 'order'>,
  pageSize = 500,
): AsyncGenerator<PositionedEvent> {
  let after = query.after
  for (;;) {
    const page = await store.query({ ...query, ...(after !== undefined && { after }), limit: pageSize })
    yield* page
    after = page.at(-1)?.position
    if (page.length < pageSize) return
  }
}
