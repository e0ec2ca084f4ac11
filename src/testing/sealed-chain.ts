/** Sealed events to fill a store with: the same in every run. */
import { type CleanDraft, type StoredEvent, seal } from '../core/event.js'

const START = Date.UTC(2026, 0, 1)

/** Seals drafts onto a chain as the log does, with ids and times that are the same in every run. */
export function sealOnto(
  sessionId: string,
  after: StoredEvent | undefined,
  drafts: readonly CleanDraft[],
): StoredEvent[] {
  let count = after?.seq ?? 0
  return seal(sessionId, after && { seq: after.seq, hash: after.hash }, drafts, {
    now: () => new Date(START + count * 1_000),
    newId: (kind) => `${kind}_${sessionId}_${++count}`,
  })
}
