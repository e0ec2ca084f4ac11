/** Reads what a gateway answered, bounded: one JSON document, or the lines of a live run. */

import { z } from 'zod'
import { brief } from '../core/failure.js'
import type { RequestOptions } from '../core/provider.js'
import { malformed } from './refusal.js'
import { LINES_TYPE } from './wire.js'

/** Of one answer, and of one line; the largest is a run's kept output. */
const MAX_ANSWER_BYTES = 32 * 1024 * 1024
const NEWLINE = 10

type Chunks = AsyncIterable<Buffer>
type Listeners = Pick<RequestOptions, 'onOutput' | 'onProgress'>

const Line = z.union([
  z.object({ output: z.object({ stream: z.enum(['stdout', 'stderr']), text: z.string() }) }),
  z.object({
    progress: z.object({
      stage: z.literal('pull'),
      image: z.string(),
      status: z.string().max(100),
      bytes_done: z.number().optional(),
      bytes_total: z.number().optional(),
    }),
  }),
  z.object({ answer: z.unknown() }),
  z.object({ error: z.unknown() }),
])

/** How the answer ended: what a provider answers, or what stands where the error should. */
export type Ending = { answer: unknown } | { error: unknown }

/** Reads to the answer's end. Leaving early, by an error, cuts the connection. */
export async function readAnswer(
  { status, type, body }: { status: number; type: string; body: Chunks },
  address: string,
  listeners: Listeners,
): Promise<Ending> {
  const kind = type.split(';')[0]?.trim().toLowerCase()
  if (status === 200 && kind === LINES_TYPE) return readLines(body, address, listeners)
  const bytes = await readWhole(body, address)
  const isJson = kind === 'application/json'
  if (status !== 200) return { error: isJson ? errorIn(bytes) : undefined }
  if (isJson) return { answer: parse(bytes, address) }
  throw malformed(address, `it is ${kind ? JSON.stringify(brief(kind, 60)) : 'of no type'} and not JSON`)
}

async function readWhole(body: Chunks, address: string): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size > MAX_ANSWER_BYTES) throw oversized(address)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, size)
}

async function readLines(body: Chunks, address: string, listeners: Listeners): Promise<Ending> {
  let pending: Buffer[] = []
  let size = 0
  for await (const chunk of body) {
    let rest = chunk
    for (let end = rest.indexOf(NEWLINE); end >= 0; end = rest.indexOf(NEWLINE)) {
      const ending = readLine(Buffer.concat([...pending, rest.subarray(0, end)]), address, listeners)
      if (ending !== undefined) return ending
      pending = []
      size = 0
      rest = rest.subarray(end + 1)
    }
    size += rest.length
    if (size > MAX_ANSWER_BYTES) throw oversized(address)
    pending.push(rest)
  }
  throw malformed(address, 'it ended before it said how the run ended')
}

function readLine(bytes: Buffer, address: string, { onOutput, onProgress }: Listeners): Ending | undefined {
  const { success, data: line } = Line.safeParse(parse(bytes, address))
  if (!success) throw malformed(address, 'one of its lines is none of the protocol')
  if ('output' in line) onOutput?.(line.output.stream, line.output.text)
  else if ('progress' in line) onProgress?.(line.progress as Parameters<NonNullable<typeof onProgress>>[0])
  else return line as Ending
  return undefined
}

function parse(bytes: Buffer, address: string): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch (cause) {
    throw malformed(address, 'it is not JSON', cause)
  }
}

function errorIn(bytes: Buffer): unknown {
  try {
    return (JSON.parse(bytes.toString('utf8')) as { error?: unknown } | null)?.error
  } catch {
    return undefined
  }
}

const oversized = (address: string) =>
  malformed(address, `it is larger than ${MAX_ANSWER_BYTES} bytes, and was cut off`)
