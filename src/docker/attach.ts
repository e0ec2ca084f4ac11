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
  /** True when the engine has closed the output, which before the start means that none will come. */
  closed(): boolean
  /**
   * For after the program's end: waits until the engine has closed the output, nothing has come for `idleMs`, or
   * `longestMs` have passed. Resolves with a warning when some output may be missing. Rejects when what came is no framed
   * output or ends in the middle.
   */
  drained(bounds: { idleMs: number; longestMs: number }): Promise<string | undefined>
  /** Closes the connections. */
  close(): void
}

/** Engines tell of the end of the output and of the program at about the same time. */
const EARLY_MS = 1_000

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
  let closedAt: number | undefined
  const ended = drain(output, parser).finally(() => {
    closedAt = performance.now()
  })
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
    closed: () => closedAt !== undefined,
    async drained({ idleMs, longestMs }) {
      const since = performance.now()
      latest = since
      while (closedAt === undefined && performance.now() - latest < idleMs && performance.now() - since < longestMs) {
        await Promise.race([ended, delay(idleMs, undefined, { ref: false })])
      }
      if (closedAt !== undefined) {
        // A program may close its own output and go on, so this alone is no failure.
        await ended
        return since - closedAt > EARLY_MS ? 'the engine closed the output before the program ended' : undefined
      }
      // Nobody asked for the rest when there was no time to wait.
      if (longestMs === 0) return undefined
      parser.end()
      return 'the engine did not close the output, so the end of it may be missing'
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
