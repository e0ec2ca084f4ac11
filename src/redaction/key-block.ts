/** Private keys in PEM, PGP, SSH2 and PuTTY form: whole, truncated, with every line prefixed by a log, or escaped. */
// biome-ignore-all lint/suspicious/noControlCharactersInRegex: control characters are part of what is sought
import { behindEscape, type Detection, LOOK_AHEAD, type Source, STARVED, startsToken } from './boundary.js'

const RULE = 'private-key'
/** Blanks of a marker are encoded where the block is part of an address or a form. */
const KIND =
  /[A-Z0-9]{0,20}(?:(?: |%20|\+)[A-Z0-9]{1,20}){0,4}?(?: |%20|\+)?(?:OpenVPN(?: |%20|\+)(?:Static(?: |%20|\+)key(?: |%20|\+)V1|tls-crypt-v2(?: |%20|\+)\w{1,10}(?: |%20|\+)key)|(?:PRIVATE|ENCRYPTION|SECRET)(?: |%20|\+)KEY|PRIVATE)(?:(?: |%20|\+)BLOCK)?/
    .source
const BEGIN = new RegExp(`-{4,5} ?BEGIN(?: |%20|\\+)${KIND} ?-{4,5}`, 'y')
const END = /-{4,5} ?END[A-Za-z0-9 %+-]{0,60}?-{4,5}/g
const PRIVATE_END = new RegExp(`-{4,5} ?END(?: |%20|\\+)${KIND} ?-{4,5}`)
const MAX_BLOCK = LOOK_AHEAD - 8_192
/** The longest line of a block, with what a logger put around it. */
const MAX_ROW = 400
/** What may stand before a block on its line. */
const MAX_LEAD = 160
const COLOUR = /\x1b\[[\d;]{0,16}[A-Za-z]/g
/** What stands behind a line of the block: a sign of the language it is quoted in, or the other members of a logger's record. */
const BEHIND =
  /(?:\\+[nr])*["'`,;)\]}\\|]{0,8}(?:[ \t]?[+.&\\]|,?"[\w.@-]{1,40}":[^\n]{0,200}|[ \t][\w.@-]{1,40}=[^\n]{0,200})?[ \t\r]*$/
    .source
const HEADER = /(?:Proc-Type|DEK-Info|Version|Comment|Hash|Charset|MessageID|Private-MAC|X-\w{1,40}): .{0,200}/.source
/** A line of the block behind whatever a logger put before it, up to 120 characters. */
const BODY = new RegExp(
  `^(?:[^\\n]{0,120}?[\\s|:>\\]"']|[-+])??(?:${HEADER}|(?:[A-Za-z0-9+/]{16,}={0,2}|[A-Za-z0-9+/]{1,76}={1,2}|=[A-Za-z0-9+/]{4})${BEHIND})`,
)
/** What may stand behind the beginning of a block on its line. */
const BEHIND_BEGIN =
  /^(?:\\+[nr])*["'`,;)\]}\\|\s]{0,8}(?:[+.&\\]\s{0,4}|,?"[\w.@-]{1,40}":[^\n]{0,200}|[\w.@-]{1,40}=[^\n]{0,200})?\r?$/
/** What a block consists of where its lines are joined. */
const INLINE =
  /(?:\\+[nr](?:Version|Comment|Hash|Charset|MessageID): [^\\\n"]{0,120}(?=\\+[nr])|["', ]{1,6}(?=[A-Za-z0-9+/]{20})|[A-Za-z0-9+/=]|\\+[nrt]|\\+\/|\\+u00(?:0[aAdD]|2[bBfF]|3[dD])|[ \t:,.]|&#(?:10|13|43|47|61|x0?[aAdD]|x2[bBfF]|x3[dD]);|<br ?\/?>|\x1b\[[\d;]{0,10}m|%(?:25)?(?:0[AaDd]|2[BbFf]|3[Dd])|-(?!---))*/y

export function detectKeyBlock(source: Source, start: number): Detection {
  const { text } = source
  let from = start
  while (from > source.floor && from > start - 2 && text.charCodeAt(from - 1) === 45) from--
  BEGIN.lastIndex = from
  const begin = BEGIN.exec(text)
  if (begin === null) return undefined
  const highest = Math.min(text.length, from + MAX_BLOCK)
  const at = from + begin[0].length
  const firstEnd = source.lineEnd(at)
  INLINE.lastIndex = at
  INLINE.test(text.length > highest ? text.slice(0, highest) : text)
  const inline = Math.min(Math.max(at, INLINE.lastIndex), firstEnd)
  const closed = endMarker(text, inline, Math.min(firstEnd, inline + 80))
  if (closed !== -1) return { rule: RULE, start: from, end: closed }
  if (inline < firstEnd && !BEHIND_BEGIN.test(text.slice(inline, Math.min(firstEnd, inline + MAX_ROW)))) {
    return { rule: RULE, start: from, end: inline }
  }
  const lead = text.slice(Math.max(0, from - MAX_LEAD), from)
  const end = rowsEnd(source, inline, firstEnd, highest, shapeOf(lead.slice(lead.lastIndexOf('\n') + 1)))
  return end === STARVED ? STARVED : { rule: RULE, start: from, end }
}

/** Where a block ends whose first line ends at `line`: line by line, until the end marker or a line that is no part of it. */
function rowsEnd(
  source: Source,
  inline: number,
  first: number,
  highest: number,
  lead: string,
): number | typeof STARVED {
  const { text, final } = source
  let at = inline
  for (let line = first; ; ) {
    const mayGoOn = !final && text.length <= highest
    if (line >= highest || text.charCodeAt(line) !== 10)
      return mayGoOn ? STARVED : Math.max(at, Math.min(line, highest))
    const next = text.indexOf('\n', line + 1)
    if (next === -1 && mayGoOn) return STARVED
    const stop = next === -1 || next > highest ? highest : next
    const ended = endMarker(text, line + 1, stop)
    if (ended !== -1) return ended
    const row = text.slice(line + 1, Math.min(stop, line + MAX_ROW)).replace(COLOUR, '')
    if (BODY.test(row)) at = stop
    else if (next === -1 || !isEmptyRow(row, lead)) return at
    line = stop
  }
}

/** A logger puts the same before an empty line, but for the time; more may stand before the block. */
function isEmptyRow(row: string, lead: string): boolean {
  const shape = shapeOf(row.replace(/(?:\\+[nr])*"(?:,"[\w.@-]{1,40}":.*)?\}?\s*$/, ''))
  return lead.startsWith(shape) || lead.endsWith(shape)
}

const shapeOf = (lead: string): string => lead.replace(COLOUR, '').replace(/\d+/g, '0').trimEnd()

function endMarker(text: string, start: number, end: number): number {
  if (end - start < 10) return -1
  const line = text.slice(start, end)
  END.lastIndex = 0
  const match = END.exec(line)
  return match === null ? -1 : start + match.index + match[0].length
}

/** The body of a key whose first line was cut off: OpenSSH's magic word, or the head of PKCS #8 and #1. */
export function detectHeadlessKey(source: Source, start: number): Detection {
  const { text } = source
  if (!startsToken(text, start)) return undefined
  const limit = Math.min(text.length, start + MAX_BLOCK)
  let end =
    start +
    (/^[A-Za-z0-9+/]{40,}={0,2}/.exec(text.slice(start, Math.min(source.lineEnd(start), limit)))?.[0].length ?? 0)
  if (end === start) return undefined
  source.looks += 1
  while (end < limit && /^\r?\n/.test(text.slice(end, end + 2))) {
    const next = text.indexOf('\n', text.indexOf('\n', end) + 1)
    if (next === -1 && !source.final && text.length < start + MAX_BLOCK) return STARVED
    const from = text.indexOf('\n', end) + 1
    const row = text.slice(from, next === -1 ? limit : Math.min(next, limit)).trimEnd()
    if (!/^\s{0,16}(?:[A-Za-z0-9+/]{4,90}={0,2}|-{4,5} ?END [A-Z ]{1,40}-{4,5})$/.test(row)) break
    end = from + row.length
    if (row.includes('-END') || row.includes('- END')) break
  }
  return { rule: RULE, start, end }
}

const MAX_REMAINDER = 8_192
/** Known at once for so much of a long run. */
const STRIDE = 4_096

/** What is left of a key that was cut off at its beginning: lines of base64 down to its end marker; at the end of each line. */
export function detectKeyRemainder(source: Source, start: number): Detection {
  const { text, floor } = source
  const run = source.runs?.get(remainderEnd)
  if (run !== undefined && start >= run.from && start <= (run.ended ? run.to : run.to - MAX_REMAINDER - 1))
    return undefined
  const from = remainderStart(text, start, floor)
  if (from === -1) return undefined
  const end = remainderEnd(source, start)
  if (end === STARVED) return STARVED
  return end === -1 ? undefined : { rule: RULE, start: behindEscape(text, from, bodyEnd(text, start)), end }
}

/** Where the base64 of a key may begin that the line before `start` ends with, or -1. */
function remainderStart(text: string, start: number, floor: number): number {
  const to = bodyEnd(text, start)
  let from = to
  while (from > floor && from > to - MAX_ROW && isBodyCode(text.charCodeAt(from - 1))) from--
  const isPadded = text.charCodeAt(to) === 61
  if (to - from < (isPadded ? 8 : 40)) return -1
  const body = text.slice(from, to)
  return /\d/.test(body) && /[a-z]/.test(body) && /[A-Z]/.test(body) ? from : -1
}

/** False for the end of a line that no remainder of a key ends with. */
export const mayEndRemainder = (text: string, start: number): boolean =>
  !endsInWords(text, start) && remainderStart(text, start, 0) !== -1

/** A quick look at a few characters of a line that ends at `end`: no remainder of a key ends so. */
export function endsInWords(text: string, end: number): boolean {
  const last = text.charCodeAt(end - 1)
  if (!isBodyCode(last) || last === 109) return false
  return !(
    isBodyCode(text.charCodeAt(end - 6)) &&
    isBodyCode(text.charCodeAt(end - 12)) &&
    isBodyCode(text.charCodeAt(end - 24))
  )
}

const isBodyCode = (code: number): boolean =>
  (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || (code >= 47 && code <= 57) || code === 43

/** Where the base64 ends that a line ends with, but for its padding and what may stand behind it. */
function bodyEnd(text: string, end: number): number {
  let at = end
  while (at > end - 4 && isLineBlank(text.charCodeAt(at - 1))) at--
  if (text.charCodeAt(at - 1) === 109 && !isBodyCode(text.charCodeAt(at - 3)))
    at -= /\x1b\[[\d;]{0,8}m$/.exec(text.slice(Math.max(0, at - 11), at))?.[0].length ?? 0
  const signs = at
  while (at > signs - 3 && isQuoteOrComma(text.charCodeAt(at - 1))) at--
  if (at < signs && text.startsWith('\\n', at - 2)) at -= 2
  const padded = at
  while (at > padded - 2 && text.charCodeAt(at - 1) === 61) at--
  return at
}

const isLineBlank = (code: number): boolean => code === 13 || code === 32 || code === 9
const isQuoteOrComma = (code: number): boolean => code === 34 || code === 39 || code === 44 || code === 92

/** Where the end marker ends that the lines of base64 below lead to; -1 when they lead to none. Each is read once. */
function remainderEnd(source: Source, start: number): number | typeof STARVED {
  const { text } = source
  const limit = start + MAX_REMAINDER
  source.runs ??= new Map()
  const run = source.runs.get(remainderEnd)
  const isKnown = run !== undefined && start >= run.from && start <= run.to
  let at = isKnown ? run.to : start
  let isBody = true
  let isFar = false
  while (isBody && at <= limit + STRIDE) {
    const from = at + 1
    let end = from
    while (isBodyCode(text.charCodeAt(end))) end++
    if (end - from < 16 || end - from > MAX_ROW || text.charCodeAt(end) !== 10) {
      const row = text.slice(from, from + MAX_ROW)
      const newline = row.indexOf('\n')
      if (newline === -1 && !source.final && row.length < MAX_ROW) return STARVED
      const line = newline === -1 ? row : row.slice(0, newline)
      const marker = PRIVATE_END.exec(line)
      if (marker !== null && at <= limit) return from + marker.index + marker[0].length
      isFar = marker !== null
      isBody = !isFar && newline !== -1 && BODY.test(line.replace(COLOUR, ''))
      end = from + newline
    }
    if (isBody) at = end
  }
  // Ended by a marker that is too far from here, it counts for the lines that are nearer.
  source.runs.set(remainderEnd, { from: isKnown ? run.from : start, to: at, ended: !isBody && !isFar })
  return -1
}

/** PuTTY's `Private-Lines: n` and the lines behind it. */
export function detectPuttyKey(source: Source, _start: number, end: number): Detection {
  const rest = source.text.slice(end, end + 8_192)
  const body = /^\s{0,4}\d{1,3}\r?\n((?:[A-Za-z0-9+/=]{1,80}\r?\n?){1,100})/.exec(rest)
  if (body?.[1] === undefined) return !source.final && /^\s{0,4}\d{1,3}\s{0,2}$/.test(rest) ? STARVED : undefined
  if (!source.final && end + body[0].length >= source.text.length && rest.length < 8_192) return STARVED
  const start = end + body[0].length - body[1].length
  return { rule: RULE, start, end: start + body[1].trimEnd().length }
}

/** `-----BEGIN …` in base64, as Kubernetes and CI variables carry keys; certificates stay. */
export function detectEncodedKey(source: Source, start: number): Detection {
  source.looks += 1
  const head = Buffer.from(source.text.slice(start, start + 80), 'base64').toString('latin1')
  if (!/PRIVATE|ENCRYPTION KEY|SECRET/.test(head)) return undefined
  const limit = Math.min(source.text.length, start + 24_000)
  let end = start
  while (end < limit && /[A-Za-z0-9+/=]/.test(source.text[end] as string)) end++
  return { rule: RULE, start, end }
}
