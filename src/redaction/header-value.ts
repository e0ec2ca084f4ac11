/** The values of headers, which are more than one word. */
// biome-ignore-all lint/suspicious/noControlCharactersInRegex: control characters are part of what is sought
import { type Detection, isBlank, runEnd, type Source, STARVED } from './boundary.js'
import { quotedEnd, trimEnd, wrappedEnd } from './extent.js'
import { judgedValue } from './named-value.js'
import { isSentence, looksMixed } from './plausible.js'

/** Schemes whose credentials are several fields. */
const MANY = /^(?:digest|aws|oauth|hawk|signature|mac|acs|sharedkey|token\s+\w{1,20}=)/i

/** The value of an Authorization header, its scheme included. */
export function headerValue(
  source: Source,
  {
    rule,
    start,
    quote,
    from,
    text,
  }: { rule: string; start: number; quote: string | undefined; from: number; text: string },
): Detection {
  if (text.startsWith('[REDACTED', start)) return undefined
  // Go prints a list of one: `Authorization:[Bearer x]`.
  if (quote === undefined && text.charCodeAt(start) === 91) {
    const scheme = /^\w{3,12} /.exec(text.slice(start + 1, start + 14))?.[0] ?? ''
    const first = start + 1 + scheme.length
    const last = runEnd(
      source,
      first,
      Math.min(text.length, start + 4_200),
      (from, to) => itemEnd(text, from, to),
      itemEnd,
    )
    if (text.charCodeAt(last) !== 93 || last - first < 8 || last - first > 4_096 || last >= start + 4_200)
      return undefined
    return looksMixed(text.slice(first, Math.min(last, first + 400)))
      ? { rule, start: start + 1, end: last }
      : undefined
  }
  // A header's words are read one by one.
  source.looks += 2
  const many = MANY.test(text.slice(start, start + 20))
  const end =
    quote !== undefined
      ? quotedEnd(source, start, quote)
      : many
        ? headerEnd(source, start, from)
        : Math.min(source.lineEnd(start), start + 4_096)
  if (end === STARVED) return STARVED
  const written = text.slice(start, end)
  const single =
    /^(?:(?:bearer|basic|token|apikey|api-key|digest|negotiate|key|jwt|splunk|genie-?key|pass|ssws|dpop|ntlm|kerberos|[A-Za-z][\w-]{1,24}(?= [^\s"'`,;<>\\]{16}))[\s+:%20]{1,4})?[^\s"'`,;<>\\]{2,}/i.exec(
      written,
    )?.[0]
  if (single === undefined) return undefined
  if (many && /=\s?\\{0,7}"?[\w+/%-]{16,}/.test(written.slice(0, 1_000)))
    return { rule, start, end: trimEnd(text, start, end) }
  let stop = quote !== undefined || many ? end : start + single.length
  // Longer than what was looked at.
  const limit = source.lineEnd(start)
  while (stop === start + 4_096 && single.length === 4_096 && stop < limit) {
    const more = /^[^\s"'`,;<>\\]*/.exec(text.slice(stop, limit))?.[0].length ?? 0
    if (more === 0) break
    stop += more
  }
  const scheme =
    /^(?:bearer|basic|token|digest|negotiate|apikey|api-key|aws4\S*|key|jwt|ssws|dpop|ntlm|kerberos|[A-Za-z][\w-]{1,24}(?= [^\s"'`,;<>\\]{16}))[\s+:%20]{1,4}/i.exec(
      written,
    )?.[0] ?? ''
  const surroundings = { quoted: false, loose: true, tight: false, mentioned: false }
  // Whether it is prose shows in its first words; those far behind are another line's, or redacted next time.
  const credentials = firstWords(written.slice(scheme.length), 4)
  if (!judgedValue(source, scheme === '' ? credentials : firstWords(credentials, 1), 'password', surroundings))
    return undefined
  if (/^(?:<[\w -]{1,40}>|\$\{?\w|\{\{|\*{3}|\.{3})/.test(credentials)) return undefined
  if (isSentence(credentials.slice(0, 60)) || (single.length < 6 && !/\d/.test(single))) return undefined
  const wrapped = quote === undefined && !many && stop === limit ? wrappedEnd(source, start, stop) : stop
  if (wrapped === STARVED) return wrapped
  return { rule, start, end: trimEnd(text, start, wrapped) }
}

function itemEnd(text: string, start: number, end: number): number {
  const at = text.slice(start, end).search(/[\s\]"']/)
  return at === -1 ? -1 : start + at
}

/** The first words of the first 400 characters, and the blanks between them. */
function firstWords(text: string, count: number): string {
  const limit = Math.min(text.length, 400)
  let words = 1
  let isBetween = false
  for (let index = 0; index < limit; index++) {
    const isSpace = isBlank(text.charCodeAt(index))
    if (isSpace && !isBetween && words++ === count) return text.slice(0, index)
    isBetween = isSpace
  }
  return text.slice(0, limit)
}

/** A header runs to the end of its line, or to the quote that was open before its name. */
function headerEnd(source: Source, start: number, from: number): number {
  const { text } = source
  const end = source.lineEnd(start)
  const open = /(\\?["'`])$/.exec(text.slice(Math.max(0, from - 3), from))?.[1]
  if (open !== undefined) {
    const stop = text.slice(start, end).indexOf(open)
    return trimEnd(text, start, stop === -1 ? end : start + stop)
  }
  const stops = MANY.test(text.slice(start, start + 20)) ? MANY_END : ONE_END
  let stop = runEnd(source, start, end, (first, to) => endIn(text, first, to, stops), stops)
  const last = text.charCodeAt(end - 1)
  if (stop === end && stops === ONE_END && end > start && (last === 34 || last === 39 || last === 96)) stop = end - 1
  return trimEnd(text, start, stop)
}

const MANY_END = /\\[nr]|\u001b/
/** A quote at the end of the line counts as well. */
const ONE_END = /\\[nr]|["'`][\s,}]|\x1b/

/** Where the first of the stops begins before `end`, though it may reach behind it. */
function endIn(text: string, start: number, end: number, stops: RegExp): number {
  const at = text.slice(start, end + 1).search(stops)
  return at === -1 || start + at >= end ? -1 : start + at
}

/** Cookies: the whole line, unless nothing in it lets anybody in. */
export function cookieValue(
  source: Source,
  { rule, start, quote, from }: { rule: string; start: number; quote: string | undefined; from: number },
): Detection {
  const { text } = source
  if (text.startsWith('[REDACTED', start)) return undefined
  const line = text.slice(start, Math.min(source.lineEnd(start), start + 200))
  if (!/^[^\s=;]{1,100}=/.test(line) && !looksMixed(line.trim())) {
    source.looks += 1
    return undefined
  }
  if (/^\s*(?:samesite|path|domain|secure|httponly|max-age|expires)\b/i.test(line)) return undefined
  // `session=; Max-Age=0`, `sessionid=deleted`, and what was redacted by somebody else.
  if (
    /^\s*[\w.-]{1,60}=(?:\[REDACTED\]|deleted|"")?(?:;|$)/.test(line) &&
    !/;\s*[\w.-]{1,60}=\S{12}/.test(line.replace(/expires=[^;]*/i, ''))
  )
    return undefined
  // `theme=dark; Path=/`: too short to let anybody in.
  if (
    !/sess|sid|auth|token|user|key|id=/i.test(line) &&
    /^[\w-]{1,40}=[\w-]{0,6}(?:;\s*(?:(?:path|domain|samesite|max-age|expires)=[^;]{0,60}|secure|httponly|[\w-]{1,40}=(?:[\w-]{0,6}|[A-Za-z]{1,12}\/[A-Za-z_]{1,20})))*$/i.test(
      line,
    )
  )
    return undefined
  const end = quote === undefined ? headerEnd(source, start, from) : quotedEnd(source, start, quote)
  if (end === STARVED) return end
  return end > start ? { rule, start, end } : undefined
}
