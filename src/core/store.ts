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

/** A run that was queued and has not finished, with what is needed to execute it. */
export interface OpenRun {
  run_id: string
  session_id: string
  /** Opaque to the store: the run's intents, sealed. */
  payload: Uint8Array
}

/** What a request with this key was answered, for its retries. */
export interface KeptAnswer {
  /** Opaque: names the route, the session and the caller's Idempotency-Key. */
  key: string
  /** Hash of the request; another request under the same key is refused. */
  request_hash: string
  /** JSON of the answer. */
  body: string
  /** RFC 3339 UTC with milliseconds; from then on the key is free again. */
  expires_at: string
}

/** What is kept in the same transaction as events. */
export interface AppendOptions {
  /** The run that these events queue. It stays open until an event `run.finished` of it is appended. */
  opens?: OpenRun
  answer?: KeptAnswer
}

export interface Store {
  /**
   * Adds events, all or none; resolves when they are as durable as this store makes them. Rejects with a Failure
   * CONFLICT when the chain does not end right before the first of them (somebody else appended), and with
   * IDEMPOTENCY_MISMATCH when the answer's key is taken by one that has not expired.
   */
  append(events: readonly StoredEvent[], options?: AppendOptions): Promise<void>
  /** The last event of a chain; undefined for a chain that does not exist. */
  head(sessionId: string): Promise<Head | undefined>
  query(query: EventQuery): Promise<PositionedEvent[]>
  /** Ids of chains in ascending order, those after `after`. */
  chains(page: { after?: string; limit: number }): Promise<string[]>
  /** Runs that are open, in the order in which they were opened; those with a position above `after`. */
  openRuns(page: { after?: number; limit: number }): Promise<(OpenRun & { position: number })[]>
  openRun(runId: string): Promise<OpenRun | undefined>
  /** The answer kept under a key at the time `now` (RFC 3339 UTC with milliseconds); undefined when none has been, or it expired. */
  answer(key: string, now: string): Promise<Omit<KeptAnswer, 'key'> | undefined>
  /** What is appended outlives the process, so that runs which only wait can wait for the next one. */
  durable?: boolean
  /** Present when several hosts share the store: runs are then claimed from it, not executed where they were accepted. */
  shared?: SharedRuns
  /** What was found damaged when the store was opened, and mended: for `log.repaired` events. */
  repairs?(): Repair[]
  close?(): Promise<void>
}

export interface Repair {
  /** The chain that it concerns; null when it concerns the whole log. */
  session_id: string | null
  /** What was wrong and what was done about it. */
  what: string
}

/** How hosts that share a store divide its runs. An append of a host whose lease is over is refused with UNAVAILABLE. */
export interface SharedRuns {
  /**
   * Registers this host and begins to claim runs. `perform` is called with each, of one session with one at a time in the
   * order accepted, on all hosts together; it is called again, here or elsewhere, when it rejects or its host's lease ends.
   */
  start(options: {
    perform(run: OpenRun): Promise<void>
    /** At most so many at a time. */
    concurrency: number
    /** The lease is over: others settle what this host was executing. Its runs must stop; it is a new host from here on. */
    onLost(): void
    onError(error: unknown): void
  }): Promise<void>
  /** Claims nothing more, waits for what is being performed, and gives up the lease. */
  stop(): Promise<void>
  /** What `GET /v1/health` tells. */
  state(): Promise<{ host_id: string; hosts: number; backlog: number }>
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
