/** The latest bytes of two interleaved streams in fixed memory, however small the pieces in which they come. */
import type { OutputStream } from './frames.js'

export interface Ring {
  /** The oldest bytes give way. */
  push(stream: OutputStream, bytes: Buffer): void
  /** What is held of one stream, oldest first. */
  read(stream: OutputStream): Buffer
  size(): number
  /** Bytes that still fit without any giving way. */
  room(): number
}

const MARKS = { stdout: 1, stderr: 2 }

export function createRing(capacity: number): Ring {
  // Allocated with the first byte: most programs print less than the first ring holds.
  let held: { bytes: Buffer; marks: Buffer } | undefined
  let next = 0
  let size = 0
  return {
    push(stream, bytes) {
      const last = bytes.subarray(Math.max(0, bytes.length - capacity))
      if (last.length === 0) return
      held ??= { bytes: Buffer.alloc(capacity), marks: Buffer.alloc(capacity) }
      const first = last.copy(held.bytes, next)
      held.marks.fill(MARKS[stream], next, next + first)
      last.copy(held.bytes, 0, first)
      held.marks.fill(MARKS[stream], 0, last.length - first)
      next = (next + last.length) % capacity
      size = Math.min(capacity, size + last.length)
    },
    read(stream) {
      if (!held) return Buffer.alloc(0)
      const found = Buffer.alloc(size)
      let length = 0
      for (let index = 0; index < size; index++) {
        const at = (next - size + index + capacity) % capacity
        if (held.marks[at] === MARKS[stream]) found[length++] = held.bytes[at] as number
      }
      return found.subarray(0, length)
    },
    size: () => size,
    room: () => capacity - size,
  }
}
