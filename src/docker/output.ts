/** Collects a program's output within a budget: the beginning and the end are kept, everything is counted. */
import type { RunOutcome } from '../core/run-spec.js'
import type { OutputStream } from './frames.js'
import { createRing } from './ring.js'

export interface Output {
  /** Returns false once more than `limit_bytes` have come. */
  push(stream: OutputStream, bytes: Buffer): boolean
  result(): Pick<RunOutcome, 'stdout' | 'stderr' | 'output'>
}

/** Both streams share `keep_bytes`: half for what came first, half for what came last. */
export function createOutput({ keep_bytes, limit_bytes }: { keep_bytes: number; limit_bytes: number }): Output {
  const head = createRing(Math.ceil(keep_bytes / 2))
  const tail = createRing(Math.floor(keep_bytes / 2))
  const total = { stdout: 0, stderr: 0 }

  function textOf(stream: OutputStream): string {
    const first = head.read(stream)
    const last = tail.read(stream)
    const left = total[stream] - first.length - last.length
    if (left === 0) return decode(Buffer.concat([first, last]))
    return `${decode(withoutCutEnd(first))}\n[… ${left} bytes left out …]\n${decode(withoutCutStart(last))}`
  }

  return {
    push(stream, bytes) {
      total[stream] += bytes.length
      const forHead = bytes.subarray(0, head.room())
      head.push(stream, forHead)
      tail.push(stream, bytes.subarray(forHead.length))
      return total.stdout + total.stderr <= limit_bytes
    },
    result() {
      const bytes_total = total.stdout + total.stderr
      const bytes_kept = head.size() + tail.size()
      return {
        stdout: textOf('stdout'),
        stderr: textOf('stderr'),
        output: { bytes_total, bytes_kept, truncated: bytes_kept < bytes_total },
      }
    },
  }
}

function decode(bytes: Buffer): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)
}

/** Drops a character that our own cut left unfinished: it is no error of the program's. */
function withoutCutEnd(bytes: Buffer): Buffer {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] as number
    if (byte < 0x80) return bytes
    if (byte >= 0xc0) {
      const needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2
      return needed > back ? bytes.subarray(0, bytes.length - back) : bytes
    }
  }
  return bytes
}

function withoutCutStart(bytes: Buffer): Buffer {
  let at = 0
  while (at < Math.min(3, bytes.length) && ((bytes[at] as number) & 0xc0) === 0x80) at++
  return bytes.subarray(at)
}
