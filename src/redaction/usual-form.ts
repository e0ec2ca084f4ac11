/** The forms that most names and values have, told by a few characters: what is not among them is left to the patterns. */
import { isNameCode } from './boundary.js'

export const isLetter = (code: number): boolean => (code >= 97 && code <= 122) || (code >= 65 && code <= 90)
export const isDigit = (code: number): boolean => code >= 48 && code <= 57

/** What stands between a name and its value. */
export interface Assigned {
  /** Where the value begins, behind its quote. */
  start: number
  sign: string
  quote: string | undefined
  /** The quote behind the name. */
  keyQuote: string | undefined
}

/** `name=x`, `name: x`, `name="x"`, `"name":"x"`. */
export function usualForm(text: string, to: number): Assigned | undefined {
  const isQuoted = text.charCodeAt(to) === 34
  const sign = to + (isQuoted ? 1 : 0)
  const code = text.charCodeAt(sign)
  if (code !== 58 && code !== 61) return undefined
  let start = sign + 1
  while (start < sign + 9 && text.charCodeAt(start) === 32) start++
  const next = text.charCodeAt(start)
  const isQuote = next === 34 || next === 39
  // `b"x"`, `u'x'`, `r"x"` and the names of types before a quote need a closer look, as do `==`, `::` and escapes.
  const isPlain = isDigit(next) || (next >= 97 && next <= 122 && next !== 98 && next !== 117 && next !== 114)
  if (!isQuote && !isPlain) return undefined
  // `[name:protected] => x` of PHP.
  if (next === 112 && /^pr(?:otected|ivate)\]/.test(text.slice(start, start + 10))) return undefined
  return {
    start: start + (isQuote ? 1 : 0),
    sign: code === 58 ? ':' : '=',
    quote: isQuote ? String.fromCharCode(next) : undefined,
    keyQuote: isQuoted ? '"' : undefined,
  }
}

/** False where what stands behind the first word shows that no type (`token: string = 'x'`) stands there. */
export function mayBeTyped(text: string, start: number): boolean {
  let index = start
  const first = text.charCodeAt(start)
  if (first === 38 || first === 39) return true
  while (index <= start + 41 && isTypeCode(text.charCodeAt(index))) index++
  const sign = text.charCodeAt(index + 1)
  return text.charCodeAt(index) === 32 && (sign === 61 || sign === 124)
}

const isTypeCode = (code: number): boolean =>
  isNameCode(code) || code === 60 || code === 62 || code === 91 || code === 93 || code === 124
