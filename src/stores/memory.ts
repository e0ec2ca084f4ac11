/** A store in memory: for tests and for hosts that need no log after they end. */

import type { StoredEvent } from '../core/event.js'
import { Failure } from '../core/failure.js'
import type { AppendOptions, EventQuery, KeptAnswer, OpenRun, PositionedEvent, Store } from '../core/store.js'

/**
 * Creates a store that forgets everything when the process ends.
 *
 * @example
 * ```ts
 * import { createGate } from 'skillgate'
 * import { createMemoryStore } from 'skillgate/stores/memory'
 *
 * const gate = createGate({ skills: [], store: createMemoryStore() })
 * ```
 */
export function createMemoryStore(): Store {
  const all: PositionedEvent[] = []
  const bySession = new Map<string, PositionedEvent[]>()
  const byRun = new Map<string, PositionedEvent[]>()
  const open = new Map<string, OpenRun & { position: number }>()
  const answers = createAnswers()

  async function append(events: readonly StoredEvent[], { opens, answer }: AppendOptions = {}): Promise<void> {
    const ends = new Map<string, StoredEvent | undefined>()
    for (const event of events) {
      const end = ends.has(event.session_id) ? ends.get(event.session_id) : bySession.get(event.session_id)?.at(-1)
      if (event.seq !== (end?.seq ?? 0) + 1 || (end !== undefined && event.prev_hash !== end.hash)) {
        throw new Failure('CONFLICT', `Event ${event.seq} does not follow the end of chain ${event.session_id}.`)
      }
      ends.set(event.session_id, event)
    }
    if (answer !== undefined) answers.keep(answer, events)
    if (opens !== undefined) open.set(opens.run_id, { ...opens, position: all.length + events.length })
    for (const event of events) {
      const kept = Object.freeze({ ...event, position: all.length + 1 })
      all.push(kept)
      listOf(bySession, event.session_id).push(kept)
      if (event.run_id !== null) listOf(byRun, event.run_id).push(kept)
      if (event.run_id !== null && event.type === 'run.finished') open.delete(event.run_id)
    }
  }

  async function query({ order = 'asc', limit, ...conditions }: EventQuery): Promise<PositionedEvent[]> {
    const { run_id, session_id, after = 0, before = Infinity } = conditions
    const source = run_id !== undefined ? byRun.get(run_id) : session_id !== undefined ? bySession.get(session_id) : all
    const found: PositionedEvent[] = []
    if (source === undefined) return found
    const step = order === 'asc' ? 1 : -1
    let index = order === 'asc' ? firstAbove(source, after) : firstAbove(source, before - 1) - 1
    for (; found.length < limit; index += step) {
      const event = source[index]
      if (event === undefined || event.position <= after || event.position >= before) break
      if (matches(event, conditions)) found.push(event)
    }
    return found
  }

  return {
    append,
    query,
    async head(sessionId) {
      const last = bySession.get(sessionId)?.at(-1)
      return last && { seq: last.seq, hash: last.hash }
    },
    async chains({ after = '', limit }) {
      return [...bySession.keys()]
        .filter((id) => id > after)
        .sort()
        .slice(0, limit)
    },
    async openRuns({ after = 0, limit }) {
      return [...open.values()].filter(({ position }) => position > after).slice(0, limit)
    },
    openRun: async (runId) => open.get(runId),
    answer: async (key, now) => answers.find(key, now),
  }
}

/** Answers by key, in the order in which they were kept, which is about that in which they expire. */
function createAnswers() {
  const kept = new Map<string, KeptAnswer>()
  const find = (key: string, now: string): KeptAnswer | undefined => {
    const found = kept.get(key)
    return found !== undefined && found.expires_at > now ? found : undefined
  }
  return {
    find,
    keep(answer: KeptAnswer, events: readonly StoredEvent[]) {
      const now = events.at(-1)?.ts ?? ''
      if (find(answer.key, now) !== undefined) {
        throw new Failure('IDEMPOTENCY_MISMATCH', 'This key has been used.')
      }
      for (const [key, { expires_at }] of kept) {
        if (expires_at > now) break
        kept.delete(key)
      }
      kept.delete(answer.key)
      kept.set(answer.key, answer)
    },
  }
}

function matches(event: PositionedEvent, { session_id, types, since, until }: Omit<EventQuery, 'limit'>): boolean {
  return (
    (session_id === undefined || event.session_id === session_id) &&
    (types === undefined || types.includes(event.type)) &&
    (since === undefined || event.ts >= since) &&
    (until === undefined || event.ts < until)
  )
}

/** Index of the first event whose position is above the given one. */
function firstAbove(events: readonly PositionedEvent[], position: number): number {
  let low = 0
  let high = events.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((events[middle]?.position ?? 0) <= position) low = middle + 1
    else high = middle
  }
  return low
}

function listOf(map: Map<string, PositionedEvent[]>, key: string): PositionedEvent[] {
  const list = map.get(key) ?? []
  map.set(key, list)
  return list
}
