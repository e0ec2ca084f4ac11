/** Looks in the log of a shared store for runs that other hosts want cancelled. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Store } from './store.js'

const TYPES = ['run.cancel_requested' as const]
const LOOK_MS = 500

/** What is asked for from now on is told to `onCancel`, once the answer is called and until the signal's abort. */
export async function watchCancelling(
  store: Store,
  onCancel: (runId: string) => void,
  signal: AbortSignal,
): Promise<() => Promise<void>> {
  const [newest] = await store.query({ types: TYPES, order: 'desc', limit: 1 })
  let after = newest?.position ?? 0
  return async () => {
    while (!signal.aborted) {
      await delay(LOOK_MS, undefined, { signal, ref: false }).catch(() => {})
      try {
        const found = await store.query({ types: TYPES, after, limit: 100 })
        for (const { run_id } of found) onCancel(run_id ?? '')
        after = found.at(-1)?.position ?? after
      } catch {
        // The next look finds it.
      }
    }
  }
}
