/**
 * Text that came from containers, labels or an engine, made fit to be shown: what drives a terminal, hides or reorders
 * characters is removed and counted. It says nothing about secrets, and makes no text trustworthy.
 */
// biome-ignore-all lint/suspicious/noControlCharactersInRegex: control characters are part of what is sought
// biome-ignore-all lint/suspicious/noMisleadingCharacterClass: invisible characters are sought one by one

/** What was removed, by kind; kinds that did not occur are left out. */
export interface Removed {
  /** Terminal control sequences: CSI, OSC (titles, links, clipboard), DCS, APC, PM, SOS and the short escapes. */
  terminal?: number
  /** C0 and C1 control characters other than tab, line feed and a carriage return before one. */
  control?: number
  /** Characters that reorder what stands around them. */
  bidirectional?: number
  /** Zero-width and other invisible characters. */
  invisible?: number
  /** Unicode tag characters, which carry hidden ASCII. */
  tag?: number
}

export interface UntrustedText {
  untrusted: true
  text: string
  removed: Removed
  /** Present when the text was longer than `maxLength`: characters in all, before it was cut. */
  truncated_from?: number
}

const SUSPICIOUS =
  /[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2028\u2029\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb]|\udb40[\udc00-\uddef]/
const STRING_SEQUENCE = /(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]{0,65536}(?:\x07|\x1b\\|\x9c)?/g
const CONTROL_SEQUENCE = /(?:\x1b\[|\x9b)[\x30-\x3f]{0,256}[\x20-\x2f]{0,16}[\x40-\x7e]?/g
const SHORT_ESCAPE = /\x1b[\x20-\x2f]{0,4}[\x30-\x7e]?/g
const CONTROL = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]|\r(?!\n)/g
const BIDIRECTIONAL = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g
const INVISIBLE =
  /[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u2060-\u2065\u206a-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb]|\udb40[\udd00-\uddef]/g
const TAG = /\udb40[\udc00-\udc7f]/g

const STEPS: readonly (readonly [keyof Removed, RegExp])[] = [
  ['terminal', STRING_SEQUENCE],
  ['terminal', CONTROL_SEQUENCE],
  ['terminal', SHORT_ESCAPE],
  ['tag', TAG],
  ['bidirectional', BIDIRECTIONAL],
  ['invisible', INVISIBLE],
  ['control', CONTROL],
]

/** False when {@link sanitizeUntrusted} would leave the text as it is. */
export const isSanitary = (text: string): boolean => !SUSPICIOUS.test(text)

/**
 * Removes from a text what a reader cannot see and a terminal would obey. Line and paragraph separators become line
 * feeds. At most `maxLength` characters are kept, from the start; the rest is reported, not hidden. What is removed is
 * counted in `removed`, if given, beside what it holds already.
 *
 * @example
 * ```ts
 * import { sanitizeUntrusted } from 'skillgate/redaction'
 *
 * sanitizeUntrusted('ok\u001b]52;c;cm0gLXJm\u0007') // { untrusted: true, text: 'ok', removed: { terminal: 1 } }
 * ```
 */
export function sanitizeUntrusted(
  input: string,
  { maxLength = 1024 * 1024, removed = {} }: { maxLength?: number; removed?: Removed } = {},
): UntrustedText {
  let text = input
  if (!isSanitary(input)) {
    text = text.replace(/[\u2028\u2029]/g, '\n')
    for (const [kind, pattern] of STEPS) {
      text = text.replace(pattern, () => {
        removed[kind] = (removed[kind] ?? 0) + 1
        return ''
      })
    }
  }
  if (text.length <= maxLength) return { untrusted: true, text, removed }
  return { untrusted: true, text: text.slice(0, maxLength).toWellFormed(), removed, truncated_from: text.length }
}
