/** A program's streams over a connection taken over from the engine: input in, output out, decoded live. */

import type { Duplex } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger, RequestOptions } from '../core/provider.js'
import type { StopSignal } from '../core/stop.js'
import type { Engine } from './engine.js'
import { createFrameParser, type OutputStream, type StreamParser } from './frames.js'

export interface AttachOptions {
  stdin: string | undefined
  signal: StopSignal
  onPiece: (stream: OutputStream, bytes: Buffer) => void
}

export interface Attached {
  /**
   * For after the program's end: resolves when the engine has closed the output, when nothing has come for `idleMs`, or
   * after `longestMs`. Rejects when what came is not framed output.
   */
  drained(bounds: { idleMs: number; longestMs: number }): Promise<void>
  /** Closes the connections. */
  close(): void
}

/**
 * Must have resolved before the container is started, or its first output can be missed. Input has a connection of its
 * own: a program that exits without reading it breaks that connection, and would take unread output along.
 */
export async function attach(engine: Engine, id: string, { stdin, signal, onPiece }: AttachOptions): Promise<Attached> {
  const output = await engine.upgrade('containerAttach', { id, query: { stream: 1, stdout: 1, stderr: 1 }, signal })
  let latest = performance.now()
  const parser = createFrameParser((stream, bytes) => {
    latest = performance.now()
    onPiece(stream, bytes)
  })
  const ended = drain(output, parser)
  // Awaited only once the program has ended.
  ended.catch(() => {})
  let input: Duplex | undefined
  if (stdin !== undefined) {
    try {
      input = await engine.upgrade('containerAttach', { id, query: { stream: 1, stdin: 1 }, signal })
    } catch (error) {
      output.destroy()
      throw error
    }
    input.on('error', () => {})
    input.resume()
    input.end(stdin)
  }
  return {
    async drained({ idleMs, longestMs }) {
      let open = true
      const closing = ended.finally(() => {
        open = false
      })
      // Nobody awaits it when there is no time to wait, and it may still fail.
      closing.catch(() => {})
      const since = performance.now()
      latest = since
      while (open && performance.now() - latest < idleMs && performance.now() - since < longestMs) {
        await Promise.race([closing, delay(idleMs, undefined, { ref: false })])
      }
      // What the engine began to send and never finished is missing; nobody asked for it when there was no time to wait.
      if (open && longestMs > 0) parser.end()
    },
    close() {
      output.destroy()
      input?.destroy()
    },
  }
}

function drain(socket: Duplex, parser: StreamParser): Promise<void> {
  return new Promise((resolve, reject) => {
    const attempt = (parse: () => void) => {
      try {
        parse()
      } catch (error) {
        socket.destroy()
        reject(error)
      }
    }
    socket.on('data', (chunk: Buffer) => attempt(() => parser.push(chunk)))
    socket.once('error', reject)
    socket.once('end', () => {
      attempt(parser.end)
      resolve()
    })
    // Also when we close it ourselves, in the middle.
    socket.once('close', resolve)
  })
}

/** Hands output to the caller as text while it arrives. A caller that throws is told to the logger once, and left out. */
export function createLiveOutput(
  onOutput: RequestOptions['onOutput'],
  logger: Logger | undefined,
): { push(stream: OutputStream, bytes: Buffer): void; end(): void } {
  const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() }
  let listener = onOutput
  function emit(stream: OutputStream, text: string): void {
    if (text === '') return
    const leaveOut = (cause: unknown) => {
      listener = undefined
      logger?.error('onOutput threw and is not called again for this program', { cause })
    }
    try {
      // An async listener is a listener too; its rejection must not be nobody's.
      Promise.resolve(listener?.(stream, text)).catch(leaveOut)
    } catch (cause) {
      leaveOut(cause)
    }
  }
  return {
    push(stream, bytes) {
      if (listener) emit(stream, decoders[stream].decode(bytes, { stream: true }))
    },
    end() {
      emit('stdout', decoders.stdout.decode())
      emit('stderr', decoders.stderr.decode())
    },
  }
}
