/** Keeps a run's container until its outcome is recorded, then removes it: what was never recorded can be collected. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '../core/provider.js'
import type { Engine } from './engine.js'
import type { RunTicket } from './keeper.js'
import { removeContainer } from './run-container.js'

export interface Retention {
  /**
   * Without `recorded` the container is removed before this resolves, with its id when that failed. With it, this
   * resolves at once; the container goes when `recorded` resolves, and stays when it rejects.
   */
  dispose(
    container: { id: string; ticket: Pick<RunTicket, 'end' | 'leave'> },
    recorded: Promise<void> | undefined,
  ): Promise<string | undefined>
  /** Waits a while for what is still to be recorded, and for every removal that has begun. */
  close(): Promise<void>
}

/** How long a close waits for results that are on their way to the log. */
const RECORDING_MS = 3_000

export function createRetention(engine: Engine, logger: Logger | undefined): Retention {
  const waiting = new Set<Promise<void>>()
  const removing = new Set<Promise<unknown>>()
  let closed = false

  async function remove(id: string, ticket: Pick<RunTicket, 'end'>): Promise<string | undefined> {
    const removal = removeContainer(engine, id, logger)
    removing.add(removal)
    const left = await removal
    removing.delete(removal)
    ticket.end()
    return left
  }

  return {
    async dispose({ id, ticket }, recorded) {
      if (recorded === undefined) return remove(id, ticket)
      const kept = recorded
        .then(
          async () => {
            if (!closed) await remove(id, ticket)
          },
          () => ticket.leave(),
        )
        .finally(() => waiting.delete(kept))
      waiting.add(kept)
      return undefined
    },
    async close() {
      const patience = new AbortController()
      const over = delay(RECORDING_MS, undefined, { signal: patience.signal }).catch(() => {})
      await Promise.race([Promise.all(waiting), over])
      patience.abort()
      closed = true
      await Promise.all(removing)
    },
  }
}
