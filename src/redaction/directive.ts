/** Names that a blank assigns: `ENV DB_PASSWORD x`, `requirepass x`, `password 0 x`, `api_key   x` alone on a line. */
// biome-ignore-all lint/suspicious/noControlCharactersInRegex: control characters are part of what is sought
import { isNameCode, type Source } from './boundary.js'
import { leadOf } from './line-lead.js'
import type { Name } from './named-value.js'
import { looksGiven, looksMixed, looksOpaque } from './plausible.js'
import { isLetter } from './usual-form.js'

/** The lower-cased word in front of `from`, behind one blank and perhaps a quote; empty when there is none. */
export function wordBefore(text: string, from: number): string {
  if (from === 0) return ''
  let end = from
  const sign = text.charCodeAt(end - 1)
  if (sign === 34 || sign === 39 || sign === 96) end--
  if (text.charCodeAt(end - 1) !== 32 && text.charCodeAt(end - 1) !== 9) return ''
  let start = end - 1
  while (start > 0 && end - start < 14 && isLetter(text.charCodeAt(start - 1))) start--
  // The end of a longer one is no word.
  if (start > 0 && isNameCode(text.charCodeAt(start - 1))) return ''
  return text.slice(start, end - 1).toLowerCase()
}

/** Whose member it is: `"Jwt": { "Key": …`, `encrypt:` and `  key: …` below; empty when nobody says. */
export function ownerOf(text: string, from: number): string {
  const sign = text.charCodeAt(from - 1)
  if (sign !== 34 && sign !== 39 && sign !== 32) return ''
  if (sign === 32) {
    // A member of YAML is the first on its line.
    let at = from - 1
    while (at > from - 40 && text.charCodeAt(at) === 32) at--
    if (text.charCodeAt(at) !== 10) return ''
  }
  const before = text.slice(Math.max(0, from - 160), from)
  const found =
    /\b(jwt|encrypt|encryption|crypt|crypto|signing|bearer)\\?["']?\s{0,2}(?:[:=]>?\s{0,2}\{[^{}]{0,120}|:[ \t\r]*\n[ \t]+)$/i.exec(
      before,
    )
  return found?.[1] ?? ''
}

const ASSIGNING = new Set('env arg setenv setx set with'.split(' '))
const DIRECTIVE =
  /(?:^[ \t]*(?:ENV|ARG|setenv)[ \t]+|\bset -\w+[ \t]+|\bsetx[ \t]+|\b(?:configure|config) set[ \t]+(?:["']?\/\/\S{1,80}:)?|\blogin \S{1,40}\s+|\bWITH |\b(?:USER|ROLE) [^\s|]{1,40} )$/i

/** `PASSWORD elastic = x`. */
const NAMES_USER = /^[ \t][\w-]{1,40} = \S/

export function isDirective(source: Source, { name, from, to }: Name): boolean {
  const { text } = source
  if (/^(?:requirepass|masterauth)$/i.test(name)) return true
  if (NAMES_USER.test(text.slice(to, to + 48))) return false
  const isSet = text.charCodeAt(from - 1) === 58 || ASSIGNING.has(wordBefore(text, from))
  if (!isSet && text.charCodeAt(from - 1) > 32) return false
  const before = leadOf(source, from)?.text ?? text.slice(Math.max(0, from - 120), from)
  if (!isSet && !/login |user |role |set -/i.test(before)) return false
  return DIRECTIVE.test(before)
}

/** `keyPassword "x"`, `:password "x"`, `{ password "x"`: no sentence has such names, or begins so. */
export function isGivenQuoted(text: string, { name, from, kind }: Name): boolean {
  if (kind !== 'password' && kind !== 'secret') return false
  if (/[a-z][A-Z]|_/.test(name)) return true
  const before = /(^|[\n{;(]|:$)[ \t]{0,20}$/.exec(text.slice(Math.max(0, from - 24), from))?.[1]
  return before !== undefined && (kind === 'password' || /[{;(:]/.test(before))
}

/** What may stand before the name of a setting on its line: nothing, or what says where it belongs. */
const LEAD =
  /^(?:[\s>#+-]{0,40}|[ \t]*(?:enable|username \S{1,40}(?: privilege \d{1,2})?|neighbor \S{1,60}|\w+-server(?: host)?(?: \S{1,40})?|bind|radius\S{0,20}|tacacs\S{0,20}|fastcgi_param|uwsgi_param|env|crypto \w+|ip \w+|ppp \w+|line \w+|set|SetEnv|PassEnv|export|sentinel|define|proxy_set_header|request_header|add_header)[ \t]+)$/

const LAST_WORD =
  /^[ \t]{1,40}(?:[0-9] )?(["']?)([^\s"'\u001b]{4,300})\1;?\s*(?:\u001b\[[\d;]{0,16}[A-Za-z]\s*)?(?:#.*)?$/
const QUOTED_WORD = /^[ \t]{1,40}(?:[0-9] )?(\\?["']|)([^\s"'\\]{4,300})\1;?(?:\\[nr]|["'])/

/** `api_key   x` when nothing else stands on the line: where the value begins and ends. */
export function lineOfTwo(source: Source, from: number, to: number): { start: number; end: number } | undefined {
  const { text } = source
  const lead = leadOf(source, from)
  if (lead === undefined || !LEAD.test(lead.text)) return undefined
  const rest = text.slice(to, Math.min(source.lineEnd(to), to + 400))
  const found = (lead.isQuoted ? QUOTED_WORD : LAST_WORD).exec(rest)
  const value = found?.[2]
  if (found === null || value === undefined) return undefined
  const bare = value.replace(/;$/, '')
  if (/[:(]$/.test(bare) || /^(?:\[REDACTED|\$|<|%|\/\w|[\w.]+\()/.test(bare)) return undefined
  if (!looksMixed(bare) && !looksOpaque(bare) && !looksGiven(bare)) return undefined
  const start = to + rest.indexOf(value, 1)
  return { start, end: start + bare.length }
}
