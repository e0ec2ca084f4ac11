/** Replay and validation: read the log and recompute its chain. Nothing here executes anything. */
import { createVerifier, type Event, readEvent, type StoredEvent } from './event.js'
import { readAll, type Store } from './store.js'

export interface Replay {
  run_id: string
  mode: 'safe'
  /** Whether the chain is intact from the run's first event to its last. */
  valid: boolean
  /** The run's events as recorded, outputs included. */
  events: Event[]
}

export interface AuditValidation {
  valid: boolean
  /** Position (from 0) in its chain of the first event that is not intact; -1 when all are. */
  invalid_index: number
  event_count: number
  /** The chain with the first fault. */
  session_id?: string
}

/** Verifies the segment of the chain that holds a run. `stored` are the run's own events, in order. */
export async function replay(
  store: Store,
  runId: string,
  stored: readonly (StoredEvent & { position: number })[],
): Promise<Replay> {
  const events = stored.map(readEvent)
  const first = stored[0]
  const last = stored.at(-1)
  if (first === undefined || last === undefined) return { run_id: runId, mode: 'safe', valid: false, events }
  const { session_id } = first
  // Its neighbours in the chain are held against it too: an end of the run that is missing shows in no other link.
  const [previous] = await store.query({ session_id, before: first.position, order: 'desc', limit: 1 })
  const [following] = await store.query({ session_id, after: last.position, limit: 1 })
  const isNext = createVerifier(previous)
  const own = new Set(stored.map(({ hash }) => hash))
  let valid = true
  const segment = readAll(store, { session_id, after: first.position - 1, before: last.position + 1 })
  for await (const event of segment) {
    valid &&= isNext(event)
    own.delete(event.hash)
  }
  if (following !== undefined) valid &&= isNext(following)
  return { run_id: runId, mode: 'safe', valid: valid && own.size === 0, events }
}

/** Verifies one chain from its first event to its last, in constant memory. */
export async function validateChain(store: Store, sessionId: string): Promise<AuditValidation> {
  const isNext = createVerifier(undefined)
  let count = 0
  let invalid = -1
  for await (const event of readAll(store, { session_id: sessionId })) {
    if (!isNext(event) && invalid < 0) invalid = count
    count += 1
  }
  const valid = invalid < 0
  return { valid, invalid_index: invalid, event_count: count, ...(!valid && { session_id: sessionId }) }
}

/** Verifies every chain; the first fault found is named, and all events are counted. */
export async function validateAll(store: Store): Promise<AuditValidation> {
  let total = 0
  let fault: AuditValidation | undefined
  let after = ''
  for (;;) {
    const ids = await store.chains({ after, limit: 200 })
    for (const id of ids) {
      const checked = await validateChain(store, id)
      total += checked.event_count
      if (!checked.valid) fault ??= checked
    }
    const last = ids.at(-1)
    if (last === undefined) break
    after = last
  }
  return { ...(fault ?? { valid: true, invalid_index: -1 }), event_count: total }
}
