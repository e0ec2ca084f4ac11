/** Values on the lines below their names: members of an object, defaults of a variable, lists, what a debugger prints. */
import { type Detection, isBlank, type Source, STARVED } from './boundary.js'
import { isSecretKind } from './call.js'
import { quotedEnd } from './extent.js'
import { type Name, namedValue, plainValue, ruleOf } from './named-value.js'
import { looksGiven, looksMixed } from './plausible.js'

/** What stands between the name and the quote before its value. */
const NESTED: readonly RegExp[] = [
  // `"db_password": {`, and `"value": "x"` on one of the next lines.
  /^["']?\s{0,4}[:=]\s{0,4}\{\s{0,80}(?:["']?\w{1,30}["']?\s{0,4}[:=]\s{0,4}["']?[\w.-]{0,40}["']?,?\s{1,80}){0,3}["']?value["']?\s{0,4}[:=]\s{0,4}(["'])/,
  // `["password"]=>` and `string(3) "x"`.
  /^["']?(?::\w{1,60})?\]?\s?=>\s{1,80}string\(\d{1,5}\) (["'])/,
  // `api_key: Some(` and the text below.
  /^["']?\s?[:=]\s?Some\(\s{1,80}(["'])/,
]
/** `variable "db_password" {` and its default; `"random_password"` and its result. */
const BLOCK =
  /^["'] ?(?:["'][\w-]{1,60}["'] ?)?\{(?:[^{}"]|"[^"\n]{0,120}"(?=[^\n]*\n)){0,400}?\b(?:default|result|value)\s{0,12}=\s{0,4}(")/

export function detectNested(source: Source, { from, to, kind }: Name): Detection {
  const { text } = source
  if (!isSecretKind(kind)) return undefined
  let last = source.lineEnd(to)
  if (last > to + 60) return undefined
  while (last > to && isBlank(text.charCodeAt(last - 1))) last--
  const sign = text.charCodeAt(last - 1)
  if (sign !== 123 && sign !== 62 && sign !== 40) return undefined
  const line = text.slice(to, last)
  const isBlock = /\b(?:variable|resource|output) ["']$/.test(text.slice(Math.max(0, from - 14), from))
  if (!/(?:[:=]\s{0,4}\{|=>|Some\()\s{0,8}$/.test(line) && !(isBlock && /\{\s{0,8}$/.test(line))) return undefined
  const window = text.slice(to, to + 700)
  if (!source.final && window.length < 700) return STARVED
  source.looks += 1
  for (const pattern of isBlock ? [BLOCK] : NESTED) {
    const found = pattern.exec(window)
    if (found !== null) return namedValue(source, plainValue(ruleOf(kind), kind, to + found[0].length, found[1]))
  }
  return undefined
}

/** `[` at the end of a line, and texts below it until `]`. */
export function detectLongList(source: Source, rule: string, start: number): Detection {
  const { text } = source
  if (!/^\[\s{0,8}$/.test(text.slice(start, Math.min(source.lineEnd(start), start + 10)))) return undefined
  const window = text.slice(start, start + 4_096)
  const list = /^\[\s{1,80}(["'])([^\]]{1,4000}?)\1,?\s{0,80}\]/.exec(window)
  if (list === null) return !source.final && window.length < 4_096 && !window.includes(']') ? STARVED : undefined
  const inner = list[2]
  if (inner === undefined || inner.startsWith('[REDACTED') || !(looksMixed(inner) || looksGiven(inner)))
    return undefined
  const from = start + list[0].indexOf(inner)
  return { rule, start: from, end: from + inner.length }
}

/** A blank behind the value, and what an arrow or `to` begins with. */
function isChangeAhead(text: string, end: number): boolean {
  let at = end
  while (at < end + 3 && text.charCodeAt(at) > 32) at++
  if (text.charCodeAt(at) > 32) return false
  while (at < end + 8 && isBlank(text.charCodeAt(at))) at++
  const code = text.charCodeAt(at)
  return code === 45 || code === 61 || code === 116 || code === 0x2192
}

/** `"x" -> "y"`, `from x to y`: what a secret was changed to. */
export function changedTo(source: Source, end: number): { start: number; end: number } | undefined {
  const { text } = source
  if (!isChangeAhead(text, end)) return undefined
  const sign = /^\\?["'`]?\s{1,4}(?:->|→|=>|to)\s{1,4}(\\?["'`]|)(?=[^\s"'`])(?!\w{2,8}:\/)/.exec(
    text.slice(end, end + 24),
  )
  if (sign === null) return undefined
  const start = end + sign[0].length
  const quote = sign[1]
  const stop = quote
    ? quotedEnd(source, start, quote)
    : start + (/^\S{1,4096}/.exec(text.slice(start, start + 4_096))?.[0].length ?? 0)
  if (stop === STARVED || stop <= start) return undefined
  const written = text.slice(start, stop)
  if (written.startsWith('[REDACTED') || (!quote && !looksMixed(written)) || /^\((?:known|sensitive)/.test(written))
    return undefined
  return { start, end: stop }
}
