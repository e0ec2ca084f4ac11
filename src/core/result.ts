/** Builds the `{ result, metadata }` that leaves a skill: redacted, capped, stamped. */
import { type Redactor, type Removed, sanitizeUntrusted } from '../redaction/index.js'
import { Failure } from './failure.js'
import { instant } from './instant.js'
import type { SkillResult } from './tool.js'

const MAX_TEXT_BYTES = 1024 * 1024
const MAX_VALUES = 50_000
const MAX_LENGTH = 8 * 1024 * 1024
const MAX_MESSAGE_LENGTH = 4_000

export function successResult(
  { action, layer, text, data }: { action: string; layer: string; text: string; data: Record<string, unknown> },
  redactor: Redactor,
): SkillResult {
  const removed: Removed = {}
  const { result, truncated } = capText(redactor.text(sanitized(text, removed)))
  const shown = redactor.value(data, { maxValues: MAX_VALUES, maxLength: MAX_LENGTH, removed })
  if (typeof shown !== 'object') {
    throw new Failure(
      'UPSTREAM_ERROR',
      'The provider answered more than 8 MiB or 50000 values, or what cannot be read as data. Ask for less.',
      { retriable: false },
    )
  }
  const stamped = { untrusted: true, success: true as const, action, layer, timestamp: instant(Date.now()) }
  // Between two requests, spreading them into one literal takes eight times as long.
  const metadata = Object.assign({}, shown, stamped)
  if (truncated !== undefined) Object.assign(metadata, truncated)
  if (isAny(removed)) Object.assign(metadata, { removed_characters: removed })
  return { result, metadata }
}

export function failureResult(failure: Failure, action: string | undefined, redactor: Redactor): SkillResult {
  const { code, retriable, details, partial } = failure
  // Cut only what is redacted already: a cut through a secret would leave a part that no rule recognises.
  const removed: Removed = {}
  const message = shorten(redactor.text(sanitized(failure.message, removed)))
  const output = partial?.text ? `\n\n${redactor.text(sanitized(partial.text, removed))}` : ''
  const { result, truncated } = capText(`Error: ${message}${output}`)
  const limits = { maxValues: MAX_VALUES, maxLength: MAX_LENGTH, removed }
  const data = redactor.value(partial?.data ?? {}, limits)
  const hasDetails = details !== undefined && Object.keys(details).length > 0
  return {
    result,
    metadata: {
      ...(typeof data === 'object' ? data : { withheld: data }),
      ...truncated,
      // What a program printed or a provider said; an error of skillgate's own words is none of it.
      ...((partial !== undefined || code === 'UPSTREAM_ERROR') && told(removed)),
      success: false,
      ...(action !== undefined && { action }),
      error: {
        code,
        message,
        retriable,
        ...(hasDetails && { details: redactor.value(details, limits) as Record<string, unknown> }),
      },
      timestamp: instant(Date.now()),
    },
  }
}

/**
 * Results hold what containers, labels and engines say: data, never instructions. What drives a terminal or hides in a
 * text is removed before secrets are looked for, since it would hide them too.
 */
const sanitized = (text: string, removed: Removed): string =>
  sanitizeUntrusted(text, { maxLength: Number.POSITIVE_INFINITY, removed }).text

const told = (removed: Removed): { untrusted: true; removed_characters?: Removed } => ({
  untrusted: true,
  ...(isAny(removed) && { removed_characters: removed }),
})

function isAny(removed: Removed): boolean {
  for (const _ in removed) return true
  return false
}

const shorten = (text: string): string =>
  text.length > MAX_MESSAGE_LENGTH ? `${text.slice(0, MAX_MESSAGE_LENGTH)}…`.toWellFormed() : text

/** Keeps the head and the tail of a text too long; how much is missing is said beside the text, which could be forged. */
function capText(text: string): {
  result: string
  truncated?: { truncated: { bytes_total: number; bytes_kept: number } }
} {
  if (text.length * 3 <= MAX_TEXT_BYTES) return { result: text }
  const bytes = Buffer.from(text, 'utf8')
  if (bytes.length <= MAX_TEXT_BYTES) return { result: text }
  const half = MAX_TEXT_BYTES / 2
  const head = new TextDecoder().decode(bytes.subarray(0, half)).replace(/\uFFFD+$/, '')
  const tail = new TextDecoder().decode(bytes.subarray(bytes.length - half)).replace(/^\uFFFD+/, '')
  const kept = Buffer.byteLength(head) + Buffer.byteLength(tail)
  return {
    result: `${head}\n[… ${bytes.length - kept} bytes left out …]\n${tail}`,
    truncated: { truncated: { bytes_total: bytes.length, bytes_kept: kept } },
  }
}
