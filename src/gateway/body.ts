/** Reads the body of a request to a gateway: JSON, up to a bound. */
import { Failure } from '../core/failure.js'
import { JSON_TYPE } from './wire.js'

/** A run's input of 1 MiB may be six times as long in JSON. */
const MAX_BODY_BYTES = 8 * 1024 * 1024

/** Throws UNSUPPORTED_MEDIA_TYPE, PAYLOAD_TOO_LARGE, INVALID_INPUT, or ABORTED when it broke off. */
export async function readBody(request: Request): Promise<unknown> {
  const type = request.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase()
  if (type !== JSON_TYPE || request.headers.has('content-encoding')) {
    throw new Failure('UNSUPPORTED_MEDIA_TYPE', `Send ${JSON_TYPE} in UTF-8, not compressed.`)
  }
  const bytes = await readBytes(request)
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    throw new Failure('INVALID_INPUT', 'The body is not JSON in UTF-8.', { details: { field: 'body' } })
  }
}

async function readBytes(request: Request): Promise<Uint8Array> {
  if (Number(request.headers.get('content-length') ?? 0) > MAX_BODY_BYTES) throw tooLarge()
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    for await (const chunk of request.body ?? []) {
      size += chunk.byteLength
      if (size > MAX_BODY_BYTES) throw tooLarge()
      chunks.push(chunk)
    }
  } catch (error) {
    if (error instanceof Failure) throw error
    throw new Failure('ABORTED', 'The body broke off before its end.', { cause: error })
  }
  return Buffer.concat(chunks, size)
}

/** Throws INVALID_INPUT for a route that takes none. */
export function refuseBody({ headers }: Request): void {
  const isThere = Number(headers.get('content-length') ?? 0) > 0 || headers.has('transfer-encoding')
  if (isThere)
    throw new Failure('INVALID_INPUT', 'This route takes no body. Leave it out.', { details: { field: 'body' } })
}

const tooLarge = (): Failure =>
  new Failure('PAYLOAD_TOO_LARGE', `The body is larger than ${MAX_BODY_BYTES} bytes. Send less.`, {
    details: { max_bytes: MAX_BODY_BYTES },
  })
