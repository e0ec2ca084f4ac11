/** A limited number of turns, given in the order in which they were asked for. */
import type { StopSignal } from '../core/stop.js'

export interface Slots {
  /**
   * Resolves with the turn's release, which must be called once the work has ended; calling it again does nothing.
   * Rejects with the signal's reason while waiting, and whoever waits behind moves up.
   */
  acquire(signal: StopSignal): Promise<() => void>
}

/** `max` turns at once, from 1. */
export function createSlots(max: number): Slots {
  /** In the order of their coming, as a Set keeps it. */
  const waiting = new Set<() => void>()
  let taken = 0

  function take(): () => void {
    let held = true
    taken++
    return function release() {
      if (!held) return
      held = false
      taken--
      // Handed on at once: nobody who comes now can get in between.
      const [next] = waiting
      next?.()
    }
  }

  return {
    async acquire(signal) {
      signal.throwIfAborted()
      if (taken < max) return take()
      return new Promise((resolve, reject) => {
        const onTurn = () => {
          leave()
          resolve(take())
        }
        const onAbort = () => {
          leave()
          reject(signal.reason)
        }
        const leave = () => {
          waiting.delete(onTurn)
          signal.removeEventListener('abort', onAbort)
        }
        waiting.add(onTurn)
        signal.addEventListener('abort', onAbort, { once: true })
      })
    },
  }
}
