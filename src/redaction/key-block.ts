/** Private keys in PEM, PGP, SSH2 and PuTTY form: whole, truncated, with every line prefixed by a log, or escaped. */
// biome-ignore-all lint/suspicious/noControlCharactersInRegex: control characters are part of what is sought
import { type Detection, LOOK_AHEAD, type Source, STARVED, startsToken } from './boundary.js'

const RULE = 'private-key'
const BEGIN =
  /-{4,5} ?BEGIN [A-Z0-9 ]{0,40}(?:OpenVPN Static key V1|OpenVPN tls-crypt-v2 \w{1,10} key|PRIVATE KEY|ENCRYPTION KEY|SECRET KEY|PRIVATE)(?: BLOCK)? ?-{4,5}/y
const MAX_BLOCK = LOOK_AHEAD - 8_192
/** A line of the block behind whatever a logger put before it, up to 120 characters. */
const BODY =
  /^(?:[^\n]{0,120}?[\s|:>\]"'])?(?:[A-Za-z0-9+/]{16,}={0,2}|[A-Za-z0-9+/]{1,76}={1,2}|=[A-Za-z0-9+/]{4}|(?:Proc-Type|DEK-Info|Version|Comment|Hash|Charset|Private-MAC|X-\w+): .{0,200})(?:\\n)?["',\\]{0,3}(?:[ \t]?[+.&\\]|,"(?:stream|time)":[^\n]{0,120})?[ \t\r]*$/
/** What a block consists of where its lines are joined. */
const INLINE =
  /(?:["', ]{1,6}(?=[A-Za-z0-9+/]{20})|[A-Za-z0-9+/=]|\\+[nrt]|\\\\?\/|[ \t:,.]|&#(?:10|13|x[aAdD]);|\x1b\[[\d;]{0,10}m|%0[AaDd]|%2[BbFf]|%3[Dd]|-(?!---))*/y
const END = /-{4,5} ?END [A-Za-z0-9 -]{0,40}?-{4,5}/g

export function detectKeyBlock(source: Source, start: number): Detection {
  const { text } = source
  let from = start
  while (from > source.floor && from > start - 6 && text.charCodeAt(from - 1) === 45) from--
  BEGIN.lastIndex = from
  const begin = BEGIN.exec(text)
  if (begin === null) return undefined
  const highest = Math.min(text.length, from + MAX_BLOCK)
  let at = from + begin[0].length
  const firstEnd = source.lineEnd(at)
  INLINE.lastIndex = at
  INLINE.test(text.length > highest ? text.slice(0, highest) : text)
  const inline = Math.min(Math.max(at, INLINE.lastIndex), firstEnd)
  const closed = endMarker(text, inline, Math.min(firstEnd, inline + 80))
  if (closed !== -1) return { rule: RULE, start: from, end: closed }
  if (
    inline < firstEnd &&
    !/^(?:\\n)?["'`,;)\]}\\|\s]{0,8}(?:[+.&]\s{0,4}|,?"(?:stream|time)":[^\n]{0,120})?\r?$/.test(
      text.slice(inline, Math.min(firstEnd, inline + 160)),
    )
  ) {
    return { rule: RULE, start: from, end: inline }
  }
  // From here on line by line, until the end marker or a line that is no part of it.
  at = inline
  for (let line = firstEnd; ; ) {
    if (line >= highest || text.charCodeAt(line) !== 10) {
      return !source.final && text.length < from + MAX_BLOCK
        ? STARVED
        : { rule: RULE, start: from, end: Math.max(at, Math.min(line, highest)) }
    }
    const next = text.indexOf('\n', line + 1)
    if (next === -1 && !source.final && text.length < from + MAX_BLOCK) return STARVED
    const stop = next === -1 || next > highest ? highest : next
    const ended = endMarker(text, line + 1, stop)
    if (ended !== -1) return { rule: RULE, start: from, end: ended }
    const row = text.slice(line + 1, Math.min(stop, line + 400))
    if (!BODY.test(row) && !(/^\s*$/.test(row) && next !== -1)) return { rule: RULE, start: from, end: at }
    if (/\S/.test(row)) at = stop
    line = stop
  }
}

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
