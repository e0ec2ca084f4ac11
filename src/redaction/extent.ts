/** Where a value ends: at its closing quote, else at what its surroundings say, never at the first odd character. */
import { runEnd, type Source, STARVED } from './boundary.js'

const MAX_LINES = 20
const MULTILINE = 4_096

/**
 * Where the text in `quote` that began before `start` ends: at its closing quote. A quote that only closes on a later
 * line counts when nothing but an end can stand behind it; otherwise the line was cut, and its end is the value's.
 */
export function quotedEnd(source: Source, start: number, quote: string): number | typeof STARVED {
  const { text } = source
  const end = source.lineEnd(start)
  const closing = closingQuote(text, start, end, quote)
  if (closing !== -1) return closing
  if (end >= text.length || text.charCodeAt(end) !== 10) return end
  if (quote.length > 1) return end
  const until = Math.min(text.length, end + MULTILINE)
  let lineEnd = end
  for (let lines = 0; lines < MAX_LINES && lineEnd < until; lines++) {
    const next = text.indexOf('\n', lineEnd + 1)
    if (next === -1 && !source.final && text.length - end < MULTILINE) return STARVED
    const stop = next === -1 || next > until ? until : next
    const found = closingQuote(text, lineEnd + 1, stop, quote)
    if (found !== -1) return /^[ \t]*(?:[,;)\]}]|\r?\n|$)/.test(text.slice(found + 1, found + 12)) ? found : end
    lineEnd = stop
  }
  return end
}

export function closingQuote(text: string, start: number, end: number, quote: string): number {
  const last = quote.charCodeAt(quote.length - 1)
  if (quote.length === 1) return closingSign(text, start, end, last)
  if (quote.charCodeAt(0) === 92 && (last === 34 || last === 39 || last === 96)) {
    return closingEscaped(text, start, end, quote)
  }
  const at = text.slice(start, end).indexOf(quote)
  return at === -1 ? -1 : start + at
}

/** SQL, YAML and batch files double a quote that is part of the value, and shells write `'\''`. */
function closingSign(text: string, start: number, end: number, sign: number): number {
  for (let index = start; index < end; index++) {
    const code = text.charCodeAt(index)
    if (code === 92) index++
    if (code !== sign) continue
    if (sign === 39 && text.startsWith("\\''", index + 1)) index += 3
    else if (text.charCodeAt(index + 1) === sign && index > start && isInside(text.charCodeAt(index + 2))) index++
    else return index
  }
  return -1
}

const isInside = (code: number): boolean => code > 32 && !OUTSIDE.has(code)
const OUTSIDE: ReadonlySet<number> = new Set([...'"\'`,;:)]}>&|\\'].map((sign) => sign.charCodeAt(0)))

/** `\"` ends a text whose quotes are escaped as often; a quote of the value itself is escaped once more. */
function closingEscaped(text: string, start: number, end: number, quote: string): number {
  const sign = quote.charAt(quote.length - 1)
  const level = Math.round(Math.log2(quote.length))
  const line = text.slice(start, end)
  for (let at = line.indexOf(sign); at !== -1; at = line.indexOf(sign, at + 1)) {
    let slashes = at
    while (slashes > 0 && line.charCodeAt(slashes - 1) === 92) slashes--
    const count = at - slashes
    // An outer text ends here.
    if (count === 0) return start + at
    if (count >= quote.length - 1 && (count >> level) % 2 === 0) return start + at - (quote.length - 1)
  }
  return -1
}

/** How an unquoted value is written. */
export interface Writing {
  /** In a query string or a form: `&` ends it. */
  query: boolean
  /** URL-encoded as a whole: `%26` ends it. */
  encoded: boolean
  /** An element of XML: `<` ends it. */
  element: boolean
  /** Runs to the end of its line: `.env`, YAML, INI. */
  wholeLine: boolean
}

const ELEMENT_END = /[<\r]/
const QUERY_END = /[&#\s"'<>`\\]|%26(?=[A-Za-z_][\w.-]{0,40}(?:%3[Dd]|=))/
const ENCODED_END = /%26|%2[Cc]|%3[Bb]|%0[AaDd]|%20|%2[27]|%7[Dd]|[&\s"'<>`\\]/
/** A comma, a semicolon or an ampersand ends a value when another field on its line or nothing follows. */
const FIELD_AHEAD =
  /[,;&|]+(?:amp;)?(?:lt;|$|\s|["'`\\)\]}]|[A-Za-z_][\w.-]{0,40}(?: [A-Za-z][\w.-]{0,20}){0,2}[^\S\n]?(?:["']?[^\S\n]?[=:]|%3[Dd]))/y
const AMPERSAND_AHEAD = /&+(?:amp;)?(?:lt;|$|\s|["'`\\)\]}]|[A-Za-z_][\w.-]{0,40}(?:=|%3[Dd]))/y
const QUOTE_AHEAD = /["'`](?:$|[\s,;:)\]}>|&+.<\\"'`])/y
const BRACKET_AHEAD = /[)\]}]+(?:$|[\s,;.:"'`|&<>\\)\]}])/y
const ANGLE_AHEAD = /<[/A-Za-z!]|>(?:$|\s|<|&|["'])/y
const ESCAPE_AHEAD = /\\(?:[nrt]|["'\\]|u001[bB]|u00[0-9a-f]{2}|x1[bB]|033\[|e\[)/y

/** Where the unquoted value that begins at `start` ends. */
export function unquotedEnd(source: Source, start: number, { query, encoded, element, wholeLine }: Writing): number {
  const { text } = source
  const end = source.lineEnd(start)
  if (element) return runEnd(source, start, end, (from, to) => firstIn(text, from, to, ELEMENT_END), ELEMENT_END)
  if (wholeLine) return beforeContinuation(text, start, trimEnd(text, start, commentStart(text, start, end)))
  if (encoded || query) {
    const stops = encoded ? ENCODED_END : QUERY_END
    return runEnd(source, start, end, (from, to) => firstIn(text, from, to, stops), stops)
  }
  return runEnd(source, start, end, (from, to) => plainEnd(text, from, to), plainEnd)
}

function plainEnd(text: string, start: number, end: number): number {
  for (let stop = nextStop(text, start, end); stop !== -1; stop = nextStop(text, stop + 1, end)) {
    // A colour within a value, as a search marks what it found.
    if (text.charCodeAt(stop) === 27 && /^\[(?!0?m)[\d;]{1,12}m\S/.test(text.slice(stop + 1, stop + 16))) continue
    const ahead = aheadOf(text.charCodeAt(stop))
    if (ahead === undefined) return stop
    ahead.lastIndex = stop
    if (ahead.test(text)) return stop
  }
  return -1
}

function nextStop(text: string, from: number, end: number): number {
  for (let index = from; index < end; index++) {
    const code = text.charCodeAt(index)
    if (code <= 32 || (code < 128 && STOPS[code] === 1) || code === 0x85 || code === 0xa0 || code === 0x2028)
      return index
    if (code === 37 && /^%0[AaDd]/.test(text.slice(index, index + 3))) return index
  }
  return -1
}

const STOPS = new Uint8Array(128)
for (const sign of '"\'`<>,;&|)]}\\') STOPS[sign.charCodeAt(0)] = 1

function aheadOf(code: number): RegExp | undefined {
  switch (code) {
    case 44:
    case 59:
    case 124:
      return FIELD_AHEAD
    case 38:
      return AMPERSAND_AHEAD
    case 34:
    case 39:
    case 96:
      return QUOTE_AHEAD
    case 41:
    case 93:
    case 125:
      return BRACKET_AHEAD
    case 60:
    case 62:
      return ANGLE_AHEAD
    case 92:
      return ESCAPE_AHEAD
    default:
      return undefined
  }
}

function firstIn(text: string, start: number, end: number, stops: RegExp): number {
  const at = text.slice(start, end).search(stops)
  return at === -1 ? -1 : start + at
}

/** ` # comment` is no part of a value. */
function commentStart(text: string, start: number, end: number): number {
  for (let index = start + 1; index < end; index++) {
    if (text.charCodeAt(index) === 35 && text.charCodeAt(index - 1) <= 32 && text.charCodeAt(index + 1) <= 32)
      return index
  }
  return end
}

/** ` \` at the end of a line of a shell is no part of a value either. */
const beforeContinuation = (text: string, start: number, end: number): number =>
  text.charCodeAt(end - 1) === 92 && end - 1 > start && text.charCodeAt(end - 2) <= 32
    ? trimEnd(text, start, end - 1)
    : end

export function trimEnd(text: string, start: number, end: number): number {
  let at = end
  while (at > start && text.charCodeAt(at - 1) <= 32) at--
  return at
}

/** Widths of terminals and of what folds long lines. */
const WIDTHS: ReadonlySet<number> = new Set([60, 64, 70, 72, 76, 78, 79, 80, 100, 120, 132])
const CONTINUED = /^[\w+/.~-]+={0,2}\r?$/

/** Where a token ends that a terminal or a shell broke into lines: at `end`, or on a line below. */
export function wrappedEnd(source: Source, start: number, end: number): number | typeof STARVED {
  const { text } = source
  if (text.charCodeAt(end) !== 10) return end
  const isShell = text.charCodeAt(end - 1) === 92
  const before = text.slice(Math.max(0, end - 220), end)
  const width = before.length - 1 - before.lastIndexOf('\n')
  if (!isShell && (width < 60 || width > 200 || end - start < 20 || !/[\w+/=.~-]{20}$/.test(before))) return end
  let last = end
  for (let lines = 0; lines < 100; lines++) {
    const next = text.indexOf('\n', last + 1)
    if (next === -1 && !source.final && text.length - last <= 400) return STARVED
    const row = text.slice(last + 1, next === -1 ? Math.min(text.length, last + 400) : next)
    if (isShell) {
      const word = /^[^\s"';|&]{1,400}/.exec(row)?.[0]
      return word === undefined || row !== word ? end : last + 1 + row.length
    }
    if (row.length > width || !CONTINUED.test(row)) break
    if (lines === 0 && row.length !== width && !(WIDTHS.has(width) && row.length > 7 && /\d/.test(row))) break
    last += 1 + row.length
    if (row.length < width || next === -1) break
  }
  return last
}
