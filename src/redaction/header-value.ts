/** The values of headers, which are more than one word. */
// biome-ignore-all lint/suspicious/noControlCharactersInRegex: control characters are part of what is sought
import { type Detection, type Source, STARVED } from './boundary.js'
import { quotedEnd, trimEnd, wrappedEnd } from './extent.js'
import { isPlausible, isSentence, looksMixed } from './plausible.js'

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
    const listed = /^\[(?:\w{3,12} )?([^\s\]"']{8,4096})\]/.exec(text.slice(start, start + 4_200))
    if (listed?.[1] === undefined || !looksMixed(listed[1].slice(0, 400))) return undefined
    return { rule, start: start + 1, end: start + listed[0].length - 1 }
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
  if (many && /=\s?"?[\w+/%-]{16,}/.test(written.slice(0, 1_000)))
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
  if (!isPlausible(scheme === '' ? credentials : firstWords(credentials, 1), 'password', surroundings)) return undefined
  if (isSentence(credentials.slice(0, 60)) || (single.length < 6 && !/\d/.test(single))) return undefined
  const wrapped = quote === undefined && !many && stop === limit ? wrappedEnd(source, start, stop) : stop
  if (wrapped === STARVED) return wrapped
  return { rule, start, end: trimEnd(text, start, wrapped) }
}

function firstWords(text: string, count: number): string {
  const words = text.slice(0, 400).split(/(\s+)/)
  return words.slice(0, 2 * count - 1).join('')
}

/** A header runs to the end of its line, or to the quote that was open before its name. */
export function headerEnd(source: Source, start: number, from: number): number {
  const { text } = source
  const end = source.lineEnd(start)
  const open = /(\\?["'`])$/.exec(text.slice(Math.max(0, from - 3), from))?.[1]
  const line = text.slice(start, end)
  const stop =
    open === undefined
      ? line.search(MANY.test(line.slice(0, 20)) ? /\\[nr]|\u001b/ : /\\[nr]|["'`](?:\s|$|,|\})|\x1b/)
      : line.indexOf(open)
  return trimEnd(text, start, stop === -1 ? end : start + stop)
}
