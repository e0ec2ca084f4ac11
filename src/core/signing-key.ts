/** The secret by which a host knows again what it made: it authenticates labels, and encrypts what waits. */
import { randomBytes } from 'node:crypto'
import { Failure } from './failure.js'

export const MIN_KEY_BYTES = 32

/** Its bytes. Without one a key is made that ends with the process. Throws INVALID_INPUT for fewer than 32 bytes. */
export function signingKeyBytes(signingKey: string | Uint8Array = randomBytes(MIN_KEY_BYTES)): Buffer {
  const key = Buffer.from(signingKey)
  if (key.length >= MIN_KEY_BYTES) return key
  throw new Failure(
    'INVALID_INPUT',
    `signingKey has ${key.length} bytes. Give ${MIN_KEY_BYTES} or more, random ones.`,
    { details: { field: 'signingKey' } },
  )
}
