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
  readonly postpone?: ((milliseconds: number) => void) | undefined
}

export interface Stop {
  readonly signal: StopSignal
  /** The same stop for whoever needs a real AbortSignal; made when first asked for. */
  abortSignal(): AbortSignal
  /** The first reason stays. */
  abort(reason: Failure): void
}

/** Under this key the options of a request carry the stop that their `signal` stands for. */
const STOP: unique symbol = Symbol('skillgate.stop')

export const stopSignalOf = (options: object): StopSignal | undefined => (options as { [STOP]?: Stop })[STOP]?.signal

/**
 * Gives the object an AbortSignal, made when it is first read. One getter for all of them: with one of its own, every
 * object would have a shape of its own, and whatever reads it would have to look its members up anew.
 */
export function withSignal<T extends object>(target: T, stop: Stop): T & { readonly signal: AbortSignal } {
  const carrier = target as T & { [STOP]: Stop; readonly signal: AbortSignal }
  carrier[STOP] = stop
  return Object.defineProperty(carrier, 'signal', SIGNAL)
}

const SIGNAL: PropertyDescriptor & ThisType<{ [STOP]: Stop }> = {
  enumerable: true,
  configurable: true,
  get() {
    return this[STOP].abortSignal()
  },
}

/** `postpone` moves the deadline that this stop stands for. */
export const createStop = (postpone?: StopSignal['postpone']): Stop => new LightStop(postpone)

/** A class, since closures and accessors made anew for each call would cost as much as what they save. */
class LightStop implements Stop, StopSignal {
  reason: Failure | undefined
  readonly postpone: StopSignal['postpone']
  /** One or two, for which a set would take longer. */
  readonly #listeners: (() => void)[] = []
  #controller: AbortController | undefined

  constructor(postpone: StopSignal['postpone']) {
    this.postpone = postpone
  }

  get signal(): StopSignal {
    return this
  }

  get aborted(): boolean {
    return this.reason !== undefined
  }

  throwIfAborted(): void {
    if (this.reason !== undefined) throw this.reason
  }

  addEventListener(_type: 'abort', listener: () => void): void {
    if (!this.#listeners.includes(listener)) this.#listeners.push(listener)
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    const at = this.#listeners.indexOf(listener)
    if (at !== -1) this.#listeners.splice(at, 1)
  }

  abortSignal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.reason !== undefined) this.#controller.abort(asDomException(this.reason))
    }
    return this.#controller.signal
  }

  abort(why: Failure): void {
    if (this.reason !== undefined) return
    this.reason = why
    this.#controller?.abort(asDomException(why))
    // One at a time: a listener may remove another.
    for (let next = this.#listeners.shift(); next !== undefined; next = this.#listeners.shift()) next()
  }
}

const asDomException = ({ code, message }: Failure): DOMException =>
  new DOMException(message, code === 'TIMEOUT' ? 'TimeoutError' : 'AbortError')
