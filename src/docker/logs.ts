/** A container's log as one text: both streams, in the order in which their bytes arrived. */

import { TextDecoder } from 'node:util'
import type { StopSignal } from '../core/stop.js'
import { createFrameParser, createRawParser, type OutputStream } from './frames.js'
import { fieldsOf, textOf } from './wire.js'

/** Collects chunks of the engine's log body; `end` throws UPSTREAM_ERROR when they end in the middle. `tty` is the container's Config.Tty: the content does not tell. */
export function createLogText({ tty }: { tty: boolean }): { push(chunk: Buffer): void; end(): string } {
  // One decoder for each stream: a character may be split across frames with the other stream's bytes in between.
  let decoders: Record<OutputStream, TextDecoder> | undefined
  let text = ''
  // Engines send a frame for each line; what one stream wrote without the other in between is decoded at once.
  let current: OutputStream = 'stdout'
  let pieces: Buffer[] = []
  const decode = () => {
    decoders ??= { stdout: createDecoder(), stderr: createDecoder() }
    if (pieces.length > 0) text += decoders[current].decode(Buffer.concat(pieces), { stream: true })
    pieces = []
  }
  const onPiece = (stream: OutputStream, piece: Buffer) => {
    if (stream !== current && pieces.length > 0) decode()
    current = stream
    pieces.push(piece)
  }
  const parser = tty ? createRawParser(onPiece) : createFrameParser(onPiece)
  return {
    push: parser.push,
    end() {
      parser.end()
      // Most programs write to one stream only.
      if (decoders === undefined) return Buffer.concat(pieces).toString('utf8')
      decode()
      return text + decoders.stdout.decode() + decoders.stderr.decode()
    },
  }
}

function createDecoder(): TextDecoder {
  return new TextDecoder('utf-8', { ignoreBOM: true })
}

const MAX_KNOWN = 1_000

/**
 * Tells which container a name or id means and whether it has a terminal. That never changes for a container, so a full
 * id is asked about once; a name may mean another container the next time, and is asked about every time.
 */
export function createTerminalLookup(
  inspect: (id: string, signal: StopSignal) => Promise<Record<string, unknown>>,
): (id: string, signal: StopSignal) => Promise<Terminal> {
  const known = new Map<string, Terminal>()
  return async (id, signal) => {
    const cached = known.get(id)
    if (cached !== undefined) return cached
    const { Id, Config } = await inspect(id, signal)
    const terminal = { id: textOf(Id), tty: fieldsOf(Config).Tty === true }
    if (known.size >= MAX_KNOWN) known.clear()
    known.set(terminal.id, terminal)
    return terminal
  }
}

interface Terminal {
  /** The full id. */
  id: string
  tty: boolean
}
