/** Collects a program's output within a budget: the beginning and the end are kept, everything is counted. */
import { createHash } from 'node:crypto'
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
  const hashes = { stdout: createHash('sha256'), stderr: createHash('sha256') }

  /** A cut through a line could leave half a secret that no rule recognises, so cut lines go too. */
  function kept(stream: OutputStream): { text: string; bytes: number } {
    const first = head.read(stream)
    const last = tail.read(stream)
    if (first.length + last.length === total[stream]) {
      return { text: decode(Buffer.concat([first, last])), bytes: total[stream] }
    }
    const begin = withoutCutEnd(first.subarray(0, endOfLines(first)))
    const end = withoutCutStart(last.subarray(startOfLines(last)))
    const bytes = begin.length + end.length
    return { text: `${decode(begin)}\n[… ${total[stream] - bytes} bytes left out …]\n${decode(end)}`, bytes }
  }

  /** Of what came so far: more may come. */
  const digests = () => ({
    stdout: hashes.stdout.copy().digest('hex'),
    stderr: hashes.stderr.copy().digest('hex'),
  })

  return {
    push(stream, bytes) {
      total[stream] += bytes.length
      hashes[stream].update(bytes)
      const forHead = bytes.subarray(0, head.room())
      head.push(stream, forHead)
      tail.push(stream, bytes.subarray(forHead.length))
      return total.stdout + total.stderr <= limit_bytes
    },
    result() {
      const [stdout, stderr] = [kept('stdout'), kept('stderr')]
      const bytes_total = total.stdout + total.stderr
      const bytes_kept = stdout.bytes + stderr.bytes
      return {
        stdout: stdout.text,
        stderr: stderr.text,
        output: { bytes_total, bytes_kept, truncated: bytes_kept < bytes_total, sha256: digests() },
      }
    },
  }
}

/** Lines longer than this are cut where they are: they are no lines then. */
const MAX_LINE = 4096

function endOfLines(bytes: Buffer): number {
  const at = bytes.lastIndexOf(0x0a)
  return at >= 0 && bytes.length - at <= MAX_LINE ? at + 1 : bytes.length
}

function startOfLines(bytes: Buffer): number {
  const at = bytes.indexOf(0x0a)
  return at >= 0 && at < MAX_LINE ? at + 1 : 0
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
