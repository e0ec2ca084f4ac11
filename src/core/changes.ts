/** Tells listeners within this process that something named by an id has changed. */

export interface Changes {
  tell(id: string): void
  /** Calls back until the returned function is called. A listener that throws hinders nobody. */
  listen(id: string, listener: () => void): () => void
}

export function createChanges(): Changes {
  const listeners = new Map<string, Set<() => void>>()
  return {
    tell(id) {
      for (const listener of listeners.get(id) ?? []) {
        try {
          listener()
        } catch {}
      }
    },
    listen(id, callback) {
      // An own function for each: the same callback may listen twice.
      const listener = (): void => callback()
      const known = listeners.get(id) ?? new Set()
      listeners.set(id, known.add(listener))
      return () => {
        known.delete(listener)
        if (known.size === 0 && listeners.get(id) === known) listeners.delete(id)
      }
    },
  }
}
