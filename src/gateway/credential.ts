/** The credential of a gateway's client: asked for when it is needed, sent, and kept out of every text. */
import { Failure, isFailure } from '../core/failure.js'
import { createRedactor, type Redactor } from '../redaction/index.js'

export type Credential = string | (() => string | Promise<string>)

/** Of a credential that changes, an answer that is on its way may still show the one before. */
const REMEMBERED = 4

export interface HeldCredential {
  /** The header's value. Rejects with UNAUTHORIZED when there is none to send. */
  bearer(): Promise<string>
  /** Knows what was sent. */
  redactor(): Redactor
}

/** Throws INVALID_INPUT for what cannot be a credential. */
export function createCredential(credential: Credential): HeldCredential {
  if (typeof credential === 'string') requireSendable(credential, 'INVALID_INPUT')
  else if (typeof credential !== 'function') {
    throw new Failure('INVALID_INPUT', 'credential must be a text, or a function that answers one.', {
      details: { field: 'credential' },
    })
  }
  let sent: string[] = []
  let redactor = createRedactor()

  function remember(value: string): void {
    if (sent[0] === value) return
    sent = [value, ...sent.filter((one) => one !== value)].slice(0, REMEMBERED)
    redactor = createRedactor({ registered: sent })
  }

  return {
    async bearer() {
      const value = typeof credential === 'string' ? credential : await ask(credential)
      remember(value)
      return `Bearer ${value}`
    },
    redactor: () => redactor,
  }
}

async function ask(credential: () => string | Promise<string>): Promise<string> {
  try {
    const value = await credential()
    requireSendable(value, 'UNAUTHORIZED')
    return value
  } catch (cause) {
    if (isFailure(cause)) throw cause
    // What the host's own function says may hold anything.
    throw new Failure('UNAUTHORIZED', 'The credential function failed, so nothing was sent.', { cause })
  }
}

/** Not the value: it is a secret, even a wrong one. */
function requireSendable(value: unknown, code: 'INVALID_INPUT' | 'UNAUTHORIZED'): void {
  if (typeof value === 'string' && /^[\x21-\x7e]{8,4096}$/.test(value)) return
  throw new Failure(code, 'The credential must be 8 to 4096 visible ASCII characters without blanks.', {
    details: { field: 'credential' },
  })
}
