/** A light stop signal: what this package asks of an AbortSignal, which Node takes longer to make than to send a request. */
import type { Failure } from './failure.js'

export interface StopSignal {
  readonly aborted: boolean
  /** Undefined until it is aborted; then ABORTED or TIMEOUT. */
  readonly reason: Failure | undefined
  throwIfAborted(): void
  addEventListener(type: 'abort', listener: () => void, options?: { once: boolean }): void
  removeEventListener(type: 'abort', listener: () => void): void
  /** Moves the deadline behind it, for work that had to wait for its turn. Absent where no deadline can be moved. */
  postpone?(milliseconds: number): void
}

export interface Stop {
  readonly signal: StopSignal
  /** The same stop for whoever needs a real AbortSignal; made when first asked for. */
  abortSignal(): AbortSignal
  /** The first reason stays. */
  abort(reason: Failure): void
}

/** Under this key the options of a request carry the StopSignal that their `signal` stands for. */
export const STOP: unique symbol = Symbol('skillgate.stop')

export const stopSignalOf = (options: object): StopSignal | undefined => (options as { [STOP]?: StopSignal })[STOP]

/** `postpone` moves the deadline that this stop stands for. */
export function createStop(postpone?: StopSignal['postpone']): Stop {
  const listeners = new Set<() => void>()
  let reason: Failure | undefined
  let controller: AbortController | undefined
  const signal: StopSignal = {
    get aborted() {
      return reason !== undefined
    },
    get reason() {
      return reason
    },
    throwIfAborted() {
      if (reason !== undefined) throw reason
    },
    addEventListener: (_type, listener) => {
      listeners.add(listener)
    },
    removeEventListener: (_type, listener) => {
      listeners.delete(listener)
    },
    ...(postpone && { postpone }),
  }
  return {
    signal,
    abortSignal() {
      if (controller === undefined) {
        controller = new AbortController()
        if (reason !== undefined) controller.abort(asDomException(reason))
      }
      return controller.signal
    },
    abort(why) {
      if (reason !== undefined) return
      reason = why
      controller?.abort(asDomException(why))
      for (const listener of listeners) listener()
      listeners.clear()
    },
  }
}

const asDomException = ({ code, message }: Failure): DOMException =>
  new DOMException(message, code === 'TIMEOUT' ? 'TimeoutError' : 'AbortError')
