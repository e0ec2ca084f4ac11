/** The key of `skillgate serve` where SIGNING_KEY gives none: made once, and kept for the next start. */
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Failure } from '../core/failure.js'

const KEY_BYTES = 32

/**
 * Reads `signing.key` in the directory, or makes it, with mode 0600. Throws the file system's error, and INVALID_INPUT for
 * a file that is no key.
 */
export function keepSigningKey(directory: string): string {
  const path = join(directory, 'signing.key')
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  try {
    // Of two that start at once the first makes it, and both read it.
    writeFileSync(path, randomBytes(KEY_BYTES).toString('hex'), { mode: 0o600, flag: 'wx' })
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  }
  const key = readFileSync(path, 'utf8').trim()
  if (key.length >= KEY_BYTES) return key
  throw new Failure('INVALID_INPUT', `${path} holds no key. Remove it, or set SIGNING_KEY (openssl rand -hex 32).`, {
    details: { field: 'SIGNING_KEY' },
  })
}
