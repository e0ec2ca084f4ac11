/** Events: what happened, sealed into one hash chain per session. Hash and form: docs/architecture.md, "The log". */
import { canonical, type DataObject, sha256 } from './data.js'
import { instant } from './instant.js'

export const EVENT_TYPES = [
  'session.created',
  'policy.replaced',
  'message.appended',
  'run.queued',
  'run.started',
  'policy.decided',
  'tool.started',
  'tool.finished',
  'run.cancel_requested',
  'run.finished',
  'skill.registered',
  'log.repaired',
] as const
export type EventType = (typeof EVENT_TYPES)[number]

/** The chain that registrations live in. */
export const REGISTRY = 'registry'
export const GENESIS_HASH = '0'.repeat(64)

/** One entry of a session's log. `seq` counts from 1 without gaps; `ts` is RFC 3339 UTC and never decides order. */
export interface Event {
  v: 1
  seq: number
  event_id: string
  ts: string
  session_id: string
  run_id?: string
  type: EventType
  data: DataObject
  /** The hash of the event before, 64 zeros for the first. */
  prev_hash: string
  /** hex(sha256(prev_hash ‖ RFC 8785 JSON of this event without `hash`)). */
  hash: string
}

/** An event as a store keeps it: the canonical bytes verbatim, and beside them what is searched for. */
export interface StoredEvent {
  session_id: string
  seq: number
  event_id: string
  ts: string
  run_id: string | null
  type: EventType
  prev_hash: string
  hash: string
  /** RFC 8785 JSON of the event without `hash`: exactly what was hashed. */
  body: string
}

/** What is about to be logged. */
export interface Draft {
  type: EventType
  run_id?: string
  data: Record<string, unknown>
}

/** The last link of a chain, to which the next event is tied. */
export interface Head {
  seq: number
  hash: string
}

/** A draft whose data is plain, and holds nothing that must not be logged. */
export type CleanDraft = Draft & { data: DataObject }

/** Ties drafts to the end of a chain. */
export function seal(
  sessionId: string,
  head: Head | undefined,
  drafts: readonly CleanDraft[],
  { now, newId }: { now: () => Date; newId: (kind: string) => string },
): StoredEvent[] {
  let { seq, hash } = head ?? { seq: 0, hash: GENESIS_HASH }
  const session = canonical(sessionId)
  return drafts.map(({ type, run_id, data }) => {
    seq += 1
    const event_id = newId('evt')
    const ts = instant(now().getTime())
    const prev_hash = hash
    const run = run_id === undefined ? '' : `"run_id":${canonical(run_id)},`
    // The members of an event in the order that RFC 8785 asks for.
    const body = `{"data":${canonical(data)},"event_id":${canonical(event_id)},"prev_hash":${canonical(prev_hash)},${run}"seq":${seq},"session_id":${session},"ts":"${ts}","type":"${type}","v":1}`
    hash = sha256(prev_hash + body)
    return { session_id: sessionId, seq, event_id, ts, run_id: run_id ?? null, type, prev_hash, hash, body }
  })
}

/** The event as a reader sees it: exactly what was hashed, and the hash. Without data when the store spoiled its body. */
export function readEvent({ body, hash, session_id, seq, event_id, ts, run_id, type, prev_hash }: StoredEvent): Event {
  const event = parseBody(body)
  if (event !== undefined) return Object.assign(event, { hash })
  return { v: 1, seq, event_id, ts, session_id, ...(run_id !== null && { run_id }), type, data: {}, prev_hash, hash }
}

function parseBody(body: string): Omit<Event, 'hash'> | undefined {
  try {
    const event = JSON.parse(body) as Omit<Event, 'hash'> | null
    return typeof event?.data === 'object' && event.data !== null ? event : undefined
  } catch {
    return undefined
  }
}

/** A check for the events of one chain in order, beginning after `head`: false for the first that is not intact. */
export function createVerifier(head: Head | undefined): (event: StoredEvent) => boolean {
  let { seq, hash } = head ?? { seq: 0, hash: GENESIS_HASH }
  return (stored) => {
    const intact = isIntact(stored, seq + 1, hash)
    seq = stored.seq
    hash = stored.hash
    return intact
  }
}

function isIntact(stored: StoredEvent, seq: number, prevHash: string): boolean {
  if (stored.seq !== seq || stored.prev_hash !== prevHash) return false
  if (sha256(stored.prev_hash + stored.body) !== stored.hash) return false
  const event = parseBody(stored.body)
  // What is searched for must be what was hashed, or an event could be hidden from queries without breaking the chain.
  return (
    event?.seq === stored.seq &&
    event.prev_hash === stored.prev_hash &&
    event.session_id === stored.session_id &&
    (event.run_id ?? null) === stored.run_id &&
    event.type === stored.type &&
    event.ts === stored.ts &&
    event.event_id === stored.event_id
  )
}
