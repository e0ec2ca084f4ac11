/** Reads what a request carries, its JSON body and its query, as plain data with a bound on both. */
import { brief, Failure } from '../core/failure.js'

const MAX_BODY_BYTES = 1024 * 1024
const UTF8 = new TextDecoder('utf-8', { fatal: true })

/** The parsed body; undefined when there is none. Throws UNSUPPORTED_MEDIA_TYPE, PAYLOAD_TOO_LARGE or INVALID_INPUT. */
export async function readJson(request: Request): Promise<unknown> {
  const length = request.headers.get('content-length')
  if (Number(length ?? 0) > MAX_BODY_BYTES) throw tooLarge()
  const type = request.headers.get('content-type')
  if (type !== null) requireJson(type, request.headers.get('content-encoding'))
  const bytes = await readBytes(request, length !== null && /^\d+$/.test(length))
  if (bytes.length === 0) return undefined
  if (type === null) throw unsupported('Content-Type is missing')
  try {
    return JSON.parse(UTF8.decode(bytes))
  } catch (cause) {
    throw new Failure('INVALID_INPUT', 'The body is not JSON in UTF-8. Send one JSON object.', {
      details: { field: 'body' },
      cause,
    })
  }
}

function requireJson(type: string, encoding: string | null): void {
  if (!/^application\/json[ \t]*(?:;[ \t]*charset="?utf-8"?[ \t]*)?$/i.test(type)) {
    throw unsupported(`Content-Type ${JSON.stringify(brief(type, 60))} is not JSON`)
  }
  if (encoding !== null && encoding.toLowerCase() !== 'identity') {
    throw unsupported(`Content-Encoding ${JSON.stringify(brief(encoding, 60))} is not read here`)
  }
}

const unsupported = (problem: string): Failure =>
  new Failure('UNSUPPORTED_MEDIA_TYPE', `${problem}. Send application/json in UTF-8, not compressed.`)

const tooLarge = (): Failure =>
  new Failure('PAYLOAD_TOO_LARGE', `The body is larger than ${MAX_BODY_BYTES} bytes. Send less.`, {
    details: { max_bytes: MAX_BODY_BYTES },
  })

/** `bounded`: its length was declared and is allowed, and an HTTP server holds a body to its length. */
async function readBytes(request: Request, bounded: boolean): Promise<Uint8Array> {
  try {
    // Reading in one piece is far cheaper than a stream.
    const bytes = bounded ? new Uint8Array(await request.arrayBuffer()) : await readStream(request.body)
    if (bytes.byteLength > MAX_BODY_BYTES) throw tooLarge()
    return bytes
  } catch (error) {
    if (error instanceof Failure) throw error
    throw new Failure('ABORTED', 'The body broke off before its end.', { cause: error })
  }
}

/** Stops at the cap, wherever the stream would end. */
async function readStream(body: ReadableStream<Uint8Array> | null): Promise<Uint8Array> {
  if (body === null) return new Uint8Array()
  const reader = body.getReader()
  const chunks: Uint8Array[] = []
  let size = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return Buffer.concat(chunks, size)
    size += value.byteLength
    if (size > MAX_BODY_BYTES) {
      // Not awaited: what the sender still sends is of no interest.
      reader.cancel().catch(() => {})
      throw tooLarge()
    }
    chunks.push(value)
  }
}

/** The query's parameters by name. Throws INVALID_INPUT for one that is given twice: which of them counts would be a guess. */
export function readQuery(url: string): Record<string, string> {
  const query = Object.create(null) as Record<string, string>
  if (!url.includes('?')) return query
  const { searchParams } = new URL(url)
  for (const [name, value] of searchParams) {
    if (name in query) {
      throw new Failure('INVALID_INPUT', `The query gives ${JSON.stringify(brief(name, 60))} more than once.`, {
        details: { field: brief(name, 60) },
      })
    }
    query[name] = value
  }
  return query
}
