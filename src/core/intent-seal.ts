/** Intents as a store keeps them for a run that waits: encrypted, since params may hold what the log must never show. */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import type { Intent } from './broker.js'
import { canonical, type Data } from './data.js'
import { signingKeyBytes } from './signing-key.js'

export interface IntentSeal {
  /** Whether the next process can have the same key. */
  readonly lasts: boolean
  seal(runId: string, intents: readonly Intent[]): Uint8Array
  /** Undefined for what was sealed under another key or for another run, or was spoiled since. */
  open(runId: string, payload: Uint8Array): Intent[] | undefined
}

const NONCE_BYTES = 12
const TAG_BYTES = 16

/** Random bytes cost less in larger amounts. */
function takeNonce(): Buffer {
  if (nonces.length === 0) nonces = randomBytes(256 * NONCE_BYTES)
  const nonce = nonces.subarray(0, NONCE_BYTES)
  nonces = nonces.subarray(NONCE_BYTES)
  return nonce
}
let nonces = Buffer.alloc(0)

/** Without a key one is made that ends with the process. Throws INVALID_INPUT for a key of fewer than 32 bytes. */
export function createIntentSeal(signingKey?: string | Uint8Array): IntentSeal {
  const key = Buffer.from(hkdfSync('sha256', signingKeyBytes(signingKey), '', 'skillgate intents 1', 32))

  return {
    lasts: signingKey !== undefined,
    seal(runId, intents) {
      const nonce = takeNonce()
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(runId))
      const text = cipher.update(canonical(intents as unknown as Data), 'utf8')
      return Buffer.concat([nonce, text, cipher.final(), cipher.getAuthTag()])
    },
    open(runId, payload) {
      try {
        const bytes = Buffer.from(payload)
        const cipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES), {
          authTagLength: TAG_BYTES,
        })
          .setAAD(Buffer.from(runId))
          .setAuthTag(bytes.subarray(-TAG_BYTES))
        const text = cipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES))
        return JSON.parse(Buffer.concat([text, cipher.final()]).toString('utf8')) as Intent[]
      } catch {
        return undefined
      }
    },
  }
}
