/** Waits for a condition that no event announces. */
import { setTimeout as delay } from 'node:timers/promises'

/** Polls until `condition` holds; false when `timeoutMs` passed without. */
export async function until(condition: () => boolean | Promise<boolean>, timeoutMs: number): Promise<boolean> {
  const end = performance.now() + timeoutMs
  while (!(await condition())) {
    if (performance.now() > end) return false
    await delay(20)
  }
  return true
}
