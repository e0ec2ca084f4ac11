/** A count of runs performed at a time, whose limit may change meanwhile. */

export interface Slots {
  /** Resolves when one is free, which is then taken; at once when closed. */
  take(): Promise<void>
  give(): void
  resize(limit: number): void
  close(): void
  /** How many are taken. */
  taken(): number
}

export function createSlots(): Slots {
  const waiting: (() => void)[] = []
  let limit = 0
  let taken = 0

  function admit(): void {
    for (let next = waiting[0]; next !== undefined && taken < limit; next = waiting[0]) {
      waiting.shift()
      taken++
      next()
    }
  }

  return {
    take() {
      return new Promise((resolve) => {
        waiting.push(resolve)
        admit()
      })
    },
    give() {
      taken--
      admit()
    },
    resize(to) {
      limit = to
      admit()
    },
    close() {
      limit = Infinity
      admit()
    },
    taken: () => taken,
  }
}
