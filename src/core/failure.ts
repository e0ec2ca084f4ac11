/** The one error class and the one table of error codes, with their HTTP status and whether a retry can help. */

/** Every code skillgate answers with. No other file holds a status number. Documented in docs/http-api.md, "Errors". */
export const FAILURES = {
  INVALID_ACTION: { status: 400, retriable: false },
  INVALID_INPUT: { status: 400, retriable: false },
  PROVIDER_NOT_CONFIGURED: { status: 503, retriable: false },
  TIMEOUT: { status: 504, retriable: true },
  UPSTREAM_ERROR: { status: 502, retriable: true },

  EXIT_NONZERO: { status: 422, retriable: false },
  OUTPUT_LIMIT: { status: 422, retriable: false },
  IMAGE_NOT_FOUND: { status: 404, retriable: false },
  PLATFORM_MISMATCH: { status: 409, retriable: false },
  SIGNATURE_INVALID: { status: 403, retriable: false },
  POSTURE_MISMATCH: { status: 502, retriable: false },
  ENGINE_UNSUITABLE: { status: 503, retriable: false },

  UNKNOWN_TOOL: { status: 404, retriable: false },
  DENIED: { status: 403, retriable: false },
  APPROVAL_REQUIRED: { status: 403, retriable: false },
  NOT_FOUND: { status: 404, retriable: false },
  CONFLICT: { status: 409, retriable: false },
  ABORTED: { status: 499, retriable: false },
  INTERRUPTED: { status: 503, retriable: false },

  UNAUTHORIZED: { status: 401, retriable: false },
  FORBIDDEN_HOST: { status: 403, retriable: false },
  METHOD_NOT_ALLOWED: { status: 405, retriable: false },
  PAYLOAD_TOO_LARGE: { status: 413, retriable: false },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, retriable: false },
  IDEMPOTENCY_MISMATCH: { status: 422, retriable: false },
  RATE_LIMITED: { status: 429, retriable: true },
  UNAVAILABLE: { status: 503, retriable: true },
  INTERNAL: { status: 500, retriable: false },
} as const satisfies Record<string, { status: number; retriable: boolean }>

export type FailureCode = keyof typeof FAILURES

export interface FailureOptions {
  /** Overrides the table, e.g. an UPSTREAM_ERROR whose upstream status says that a retry cannot help. */
  retriable?: boolean | undefined
  /** Machine-readable facts for the caller: `field`, `status`, `in_progress` … Redacted before it leaves. */
  details?: Record<string, unknown> | undefined
  /** What was obtained before the failure (for example a program's output): `text` follows the message in a skill's result, `data` joins its metadata. */
  partial?: { text?: string; data?: Record<string, unknown> } | undefined
  /** The error behind this one. It goes to the host's logger only, never to a caller. */
  cause?: unknown
}

/**
 * An error with a code from {@link FAILURES}. The message says what was wrong, with which value, and what to do next.
 *
 * @example
 * ```ts
 * import { Failure } from 'skillgate'
 *
 * throw new Failure('INVALID_INPUT', 'limit must be at least 1, got 0. Send an integer from 1 to 100.', {
 *   details: { field: 'limit' },
 * })
 * ```
 */
export class Failure extends Error {
  override readonly name = 'Failure'
  readonly code: FailureCode
  readonly retriable: boolean
  readonly details: Record<string, unknown> | undefined
  readonly partial: FailureOptions['partial']

  constructor(code: FailureCode, message: string, { retriable, details, partial, cause }: FailureOptions = {}) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.retriable = retriable ?? FAILURES[code].retriable
    this.details = details
    this.partial = partial
  }
}

/** True for a Failure of this or of another copy of the package (a host may load two). */
export function isFailure(error: unknown): error is Failure {
  try {
    if (error instanceof Failure) return true
    return (
      error instanceof Error &&
      error.name === 'Failure' &&
      'code' in error &&
      Object.hasOwn(FAILURES, String(error.code))
    )
  } catch {
    // Anything can be thrown, a proxy with traps included.
    return false
  }
}

/** A text for a message, or how long it is. Not its beginning: half a secret is one that no redactor recognises. */
export const brief = (text: string, most = 80): string => (text.length > most ? `[${text.length} characters]` : text)

/** Says what an unexpected value is, short enough for a message: `"abc" (string)`, `[7] (array)`. */
export function describe(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (value === null) return 'null'
  try {
    const kind = Array.isArray(value) ? 'array' : typeof value
    if (kind === 'function' || kind === 'symbol') return `a ${kind}`
    const text = kind === 'bigint' || kind === 'number' ? String(value) : (JSON.stringify(value) ?? String(value))
    return `${brief(text)} (${kind})`
  } catch {
    return 'an object that is not JSON'
  }
}
