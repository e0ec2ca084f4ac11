/** One request and its answer over undici's own dispatch: without a stream object for each answer, which cost a fifth of a call. */

import type { Duplex } from 'node:stream'
import type { Dispatcher } from 'undici'
import { Failure } from '../core/failure.js'
import type { StopSignal } from '../core/stop.js'

export interface ExchangeRequest {
  method: 'GET' | 'POST' | 'DELETE'
  path: string
  body?: unknown
  /** Asks to take the connection over. */
  upgrade?: 'tcp'
  signal: StopSignal
}

export type Headers = Record<string, string | string[] | undefined>

export interface ExchangeHandler {
  onStatus(status: number, headers: Headers): void
  /** A throw ends the exchange with that error. */
  onChunk(chunk: Buffer): void
  /** The connection was taken over; from here on it is the handler's. */
  onUpgrade?(socket: Duplex): void
}

/** Answers with a status below 200, which may come before the one that counts. */
const MAX_PRELIMINARY = 100

const endlessly = (): Failure =>
  new Failure(
    'UPSTREAM_ERROR',
    'The engine announces its answer again and again and does not send it. Check that a Docker Engine answers there.',
    { retriable: false },
  )

/** Resolves when the whole answer was handed on, or the connection taken over; rejects with the signal's reason, or the error of the connection. */
export function exchange(dispatcher: Dispatcher, request: ExchangeRequest, handler: ExchangeHandler): Promise<void> {
  const { method, path, body, upgrade, signal } = request
  return new Promise((resolve, reject) => {
    const sent: Dispatcher.DispatchOptions = { method, path }
    if (upgrade !== undefined) sent.upgrade = upgrade
    if (body !== undefined) {
      sent.body = JSON.stringify(body)
      sent.headers = { 'content-type': 'application/json' }
    }
    dispatcher.dispatch(sent, new Exchange(signal, handler, resolve, reject))
  })
}

/** A class, since its functions made anew for each call would cost more than what they do. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly #signal: StopSignal
  readonly #handler: ExchangeHandler
  readonly #resolve: () => void
  readonly #reject: (error: unknown) => void
  readonly #onAbort = () => this.#abort()
  #controller: Dispatcher.DispatchController | undefined
  #preliminary = 0

  constructor(signal: StopSignal, handler: ExchangeHandler, resolve: () => void, reject: (error: unknown) => void) {
    this.#signal = signal
    this.#handler = handler
    this.#resolve = resolve
    this.#reject = reject
    signal.addEventListener('abort', this.#onAbort, { once: true })
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#signal.aborted) this.#abort()
  }

  onRequestUpgrade(_controller: unknown, _status: unknown, _headers: unknown, socket: Duplex): void {
    this.#settled()
    // Nobody waits for it any more.
    if (this.#signal.aborted || this.#handler.onUpgrade === undefined) socket.destroy()
    else this.#handler.onUpgrade(socket)
    this.#resolve()
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: Headers): void {
    if (status >= 200) this.#handler.onStatus(status, headers)
    else if (++this.#preliminary > MAX_PRELIMINARY) controller.abort(endlessly())
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    try {
      this.#handler.onChunk(chunk)
    } catch (error) {
      controller.abort(error as Error)
    }
  }

  onResponseEnd(): void {
    this.#settled()
    this.#resolve()
  }

  onResponseError(_controller: unknown, error: Error): void {
    this.#settled()
    this.#reject(error)
  }

  #abort(): void {
    const reason = this.#signal.reason ?? new Error('aborted')
    this.#controller?.abort(reason)
    // While the connection is still being made there is nothing to abort yet.
    this.#reject(reason)
  }

  #settled(): void {
    this.#signal.removeEventListener('abort', this.#onAbort)
  }
}
