/** Values of more than a word: lists, blocks of YAML, lines that belong to one value as a whole. */
// biome-ignore-all lint/suspicious/noControlCharactersInRegex: control characters are part of what is sought
import { type Detection, lineStart, type Source, STARVED } from './boundary.js'
import { type KeyKind, saysLittle } from './key.js'
import { isSentence, looksGiven, looksMixed, looksOpaque } from './plausible.js'

/** In `.env`, YAML and INI a value runs to the end of its line, unless another field stands on it. */
export function isWholeLine(source: Source, from: number, start: number, equals: boolean): boolean {
  const { text } = source
  const line = lineStart(source, from)
  if (line === -1) return false
  const lead = text.slice(line, from)
  if (
    !/^(?:[ \t]*(?:-[ \t]+)?["']?|(?:export|ENV|ARG|set|declare -x|-e|--env)[ \t]+["']?|[ \t]*#[ \t]*|\$env:|(?:[a-z][\w-]*\.){1,6})$/i.test(
      lead,
    )
  )
    return false
  const rest = text.slice(start, Math.min(source.lineEnd(start), start + 400))
  if (/["'`]\s*[,)}\]]*\s*$/.test(rest)) return false
  const shell =
    equals &&
    text.charCodeAt(start - 1) === 61 &&
    /^\S+[ \t]+(?:[A-Za-z./-]|\[REDACTED|\d>|&&|\|)/.test(rest) &&
    !/^\S+[ \t]+#/.test(rest)
  if (shell) return false
  return (
    !/(?:[\s,;|]|&(?=[\w.~%+=&;-]*(?:\s|$)))[A-Za-z_][\w.-]*(?:=|:[ \t]|":)/.test(rest) &&
    !/\\[nr]|\x1b|\\u001b|\\x1b|\\033|<\/|[,;]$/.test(rest)
  )
}

/** `["a", "b"]` under a secret name is a list of secrets. */
export function listValue(source: Source, rule: string, start: number, kind: KeyKind, isTight = false): Detection {
  const line = source.text.slice(start, Math.min(source.lineEnd(start), start + 4_096))
  const list = /^\[\s*((\\?["'])(?:[^\]\n]*?)\2)\s*\]/.exec(line)
  // `X-Api-Key:[x]`, as Go prints a map of lists.
  const only = isTight ? /^\[([^\s"'[\]{}][^[\]{}"'\n]{4,4000})\]/.exec(line)?.[1] : undefined
  if (
    only !== undefined &&
    !only.startsWith('[REDACTED') &&
    only.split(' ').some((word) => looksMixed(word) || looksOpaque(word))
  )
    return { rule, start: start + 1, end: start + 1 + only.length }
  if (list?.[1] === undefined || list[2] === undefined) return undefined
  const inner = list[1].slice(list[2].length, -list[2].length)
  const from = start + line.indexOf(list[1]) + list[2].length
  if (saysLittle(kind) && !inner.split(/[\s,"'\\]+/).some(looksOpaque)) return undefined
  const items = inner.split(/\\?["']\s*,\s*\\?["']/)
  if (inner === '' || inner.startsWith('[REDACTED') || items.every((item) => isSentence(item))) return undefined
  if (!looksMixed(inner) && !items.some(looksGiven)) return undefined
  return { rule, start: from, end: from + inner.length }
}

/** A YAML block (`password: |`): the lines below that are indented further. */
export function blockValue(source: Source, rule: string, from: number, start: number): Detection {
  const { text } = source
  const end = source.lineEnd(start)
  if (!/^[|>][-+\d]{0,2}\s*$/.test(text.slice(start, end)) || text.charCodeAt(end) !== 10) return undefined
  const line = lineStart(source, from)
  const indent = line === -1 ? 0 : (/^[ -]*/.exec(text.slice(line, from))?.[0].length ?? 0)
  let first = -1
  let last = end
  for (let lines = 0; lines < 100; lines++) {
    const next = text.indexOf('\n', last + 1)
    if (next === -1 && !source.final) return STARVED
    const row = text.slice(last + 1, next === -1 ? Math.min(text.length, last + 4_096) : next)
    const blanks = /^[ \t]*/.exec(row)?.[0].length ?? 0
    if (blanks <= indent && (/\S/.test(row) || next === -1)) break
    if (!/\S/.test(row)) {
      last += 1 + row.length
      continue
    }
    if (first === -1) first = last + 1 + blanks
    last += 1 + row.length
    if (next === -1) break
  }
  while (last > first && text.charCodeAt(last - 1) <= 32) last--
  return first === -1 || text.startsWith('[REDACTED', first) ? undefined : { rule, start: first, end: last }
}
