/** The engine's stream framing: eight bytes of header `[stream, 0, 0, 0, length as big-endian u32]`, then the payload. */
import { Failure } from '../core/failure.js'

export type OutputStream = 'stdout' | 'stderr'

const HEADER_BYTES = 8
/** 0 is what was written to standard input and echoed; engines count it as output. */
const STREAMS: readonly (OutputStream | undefined)[] = ['stdout', 'stdout', 'stderr']

export interface StreamParser {
  /** Throws UPSTREAM_ERROR when the bytes are not what they should be. */
  push(chunk: Buffer): void
  /** To be called when nothing more comes. Throws UPSTREAM_ERROR when something is missing. */
  end(): void
}

/**
 * Splits a framed body into payload pieces, in arrival order, whatever the boundaries of its chunks. A piece is handed on
 * as it comes: a frame is never collected, so a bogus length allocates nothing.
 */
export function createFrameParser(onPiece: (stream: OutputStream, piece: Buffer) => void): StreamParser {
  const header = Buffer.alloc(HEADER_BYTES)
  let headerBytes = 0
  let stream: OutputStream = 'stdout'
  let left = 0
  const open = (bytes: Buffer, at: number) => {
    stream = streamOf(bytes, at)
    left = bytes.readUInt32BE(at + 4)
  }
  return {
    push(chunk) {
      let at = 0
      while (at < chunk.length) {
        if (left > 0) {
          const piece = chunk.subarray(at, at + left)
          at += piece.length
          left -= piece.length
          onPiece(stream, piece)
          continue
        }
        if (headerBytes === 0 && chunk.length - at >= HEADER_BYTES) {
          open(chunk, at)
          at += HEADER_BYTES
          continue
        }
        // Its header is divided between two chunks.
        const copied = chunk.copy(header, headerBytes, at, at + HEADER_BYTES - headerBytes)
        at += copied
        headerBytes += copied
        if (headerBytes < HEADER_BYTES) return
        headerBytes = 0
        open(header, 0)
      }
    },
    end() {
      if (left > 0 || headerBytes > 0) {
        throw new Failure(
          'UPSTREAM_ERROR',
          'The output that the engine sent ends in the middle, so some of it is missing. Look at the engine’s own log.',
          { retriable: false },
        )
      }
    },
  }
}

/** For a container with a terminal: the engine sends its bytes as they are, all on one stream. */
export function createRawParser(onPiece: (stream: OutputStream, piece: Buffer) => void): StreamParser {
  return { push: (chunk) => onPiece('stdout', chunk), end() {} }
}

function streamOf(header: Buffer, at: number): OutputStream {
  const stream = STREAMS[header.readUInt8(at)]
  if (stream === undefined || header.readUIntBE(at + 1, 3) !== 0) {
    throw new Failure(
      'UPSTREAM_ERROR',
      'The engine sent output that is not framed as its API promises. Check that a Docker Engine answers there.',
      { retriable: false },
    )
  }
  return stream
}
