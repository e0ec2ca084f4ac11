/** Secrets below their names: columns of tables, codes below a heading, the data of a Secret, the next line. */
import { type Detection, type Found, lineStart, type Source, STARVED } from './boundary.js'
import { chained, isSecretKind } from './call.js'
import { leadLength } from './line-lead.js'
import type { Name } from './named-value.js'
import { ruleOf } from './named-value.js'
import { isPlausible, looksGiven, looksMixed, looksOpaque } from './plausible.js'

const MAX_ROWS = 200
const MAX_LINE = 1_000

interface Line {
  start: number
  text: string
}

/** The lines below the one that `index` is in; `STARVED` when the last of them may still grow. */
function linesBelow(
  source: Source,
  index: number,
  isPart: (line: string, count: number) => boolean,
): Line[] | typeof STARVED {
  const { text } = source
  const lines: Line[] = []
  let end = source.lineEnd(index)
  while (lines.length < MAX_ROWS) {
    if (end >= text.length || text.charCodeAt(end) !== 10) break
    const newline = text.indexOf('\n', end + 1)
    const stop = newline === -1 ? text.length : newline
    const line = { start: end + 1, text: text.slice(end + 1, Math.min(stop, end + 1 + MAX_LINE)) }
    if (newline === -1 && !source.final) return STARVED
    if (!isPart(line.text, lines.length)) return lines
    lines.push(line)
    if (newline === -1) return lines
    end = newline
  }
  return !source.final && end >= text.length && lines.length < MAX_ROWS ? STARVED : lines
}

interface Column {
  from: number
  to: number
  index: number
}

/** The header's cell that the name stands in; undefined when its line is no header. */
type Cut = (line: string) => { from: number; to: number }[]

const byBar: Cut = (line) => cells(line, /\s*[|│┃]\s*/g)
const byTab: Cut = (line) => cells(line, /\t+/g)
const byComma: Cut = (line) => csvCells(line, ',')
const bySemicolon: Cut = (line) => csvCells(line, ';')
const byBlanks: Cut = (line) => cells(line, / {2,}/g)

function cells(line: string, between: RegExp): { from: number; to: number }[] {
  const found: { from: number; to: number }[] = []
  let from = 0
  for (const match of line.matchAll(between)) {
    found.push({ from, to: match.index })
    from = match.index + match[0].length
  }
  found.push({ from, to: line.trimEnd().length })
  return found
}

function csvCells(line: string, comma: string): { from: number; to: number }[] {
  const found: { from: number; to: number }[] = []
  const end = line.trimEnd().length
  for (let at = 0; at <= end; ) {
    if (line.charAt(at) === '"') {
      let close = line.indexOf('"', at + 1)
      while (close !== -1 && line.charAt(close + 1) === '"') close = line.indexOf('"', close + 2)
      if (close === -1) close = end
      found.push({ from: at + 1, to: close })
      at = close + 2
    } else {
      const next = line.indexOf(comma, at)
      const to = next === -1 ? end : Math.min(next, end)
      found.push({ from: at, to })
      at = to + 1
    }
  }
  return found
}

const HEADER: readonly (readonly [kind: 'bar' | 'tab' | 'comma' | 'semicolon' | 'blanks', line: RegExp, cut: Cut])[] = [
  ['bar', /^[ \t]*[|│┃]?[^|│┃\n]{1,60}[|│┃][^\n]*$/, byBar],
  ['tab', /^[\w .-]{1,40}(?:\t+[\w .-]{1,40})+\s*$/, byTab],
  ['comma', /^"?[\w .-]{1,40}"?(?:,"?[\w .-]{0,40}"?)+\s*$/, byComma],
  ['semicolon', /^"?[\w .-]{1,40}"?(?:;"?[\w .-]{0,40}"?)+\s*$/, bySemicolon],
  ['blanks', /^ {0,4}\w[\w.-]{0,40}(?: \w{1,20})?(?: {2,}\w[\w.-]{0,40}(?: \w{1,20})?)+\s*$/, byBlanks],
]

/** A name in the first line of a table: the cells below it. */
export function detectColumn(source: Source, { from, to, kind }: Name): Detection {
  const { text } = source
  if (!isSecretKind(kind)) return undefined
  const begin = lineStart(source, from)
  const end = source.lineEnd(to)
  if (begin === -1 || end - begin > 400 || text.charCodeAt(end) !== 10) return undefined
  const header = text.slice(begin, end)
  for (const [shape, line, cut] of HEADER) {
    if (!line.test(header)) continue
    const columns = cut(header)
    const index = columns.findIndex((column) => begin + column.from <= from && from < begin + column.to)
    const column = columns[index]
    if (column === undefined || columns.length < 2 || column.to - column.from > 60) continue
    // The heading of a column is a name; `auth-1  | apiKey:` is a line that somebody printed.
    if (shape === 'bar' && !/^["'`*]{0,3}[\w .()/-]+["'`*]{0,3}$/.test(header.slice(column.from, column.to).trim()))
      continue
    if (!isSecretKind(source.judge(header.slice(column.from, column.to).trim()))) return undefined
    const rows = linesBelow(source, from, (row) => isRow(shape, row, columns.length))
    if (rows === STARVED) return rows
    const found = rows.flatMap(
      (row) => cellBelow(source, row, { ...column, index }, cut, shape, kind === 'password') ?? [],
    )
    if (found.length > 0) return chained(found.map((cell) => ({ rule: ruleOf(kind), ...cell })))
  }
  return undefined
}

function isRow(shape: string, row: string, columns: number): boolean {
  if (shape === 'bar') return /[|│┃]/.test(row) || /^[\s+|=:─┼├┤━-]+$/.test(row)
  if (shape === 'tab') return row.includes('\t')
  if (shape === 'blanks') return /\S {2,}\S/.test(row) || /^[\s=-]+$/.test(row)
  return (shape === 'comma' ? csvCells(row, ',') : csvCells(row, ';')).length === columns
}

function cellBelow(
  source: Source,
  row: Line,
  { index, from }: Column,
  cut: Cut,
  shape: string,
  password: boolean,
): Pick<Found, 'start' | 'end'> | undefined {
  if (/^[\s+|=:─┼├┤━-]*$/.test(row.text)) return undefined
  const columns = cut(row.text)
  const cell = columns[index]
  const found = shape === 'blanks' ? (columns.find((one) => one.from === from) ?? cell) : cell
  if (found === undefined) return undefined
  const lead = /^["'`\s]*/.exec(row.text.slice(found.from, found.to))?.[0].length ?? 0
  const start = row.start + found.from + lead
  const end = row.start + found.from + row.text.slice(found.from, found.to).replace(/["'`\s]+$/, '').length
  const written = source.text.slice(start, end)
  if (start < source.floor || end - start < 4 || written.startsWith('[REDACTED')) return undefined
  if (
    /^(?:text|varchar.*|string|null|true|false|yes|no|not null|\(null\)|required|optional|on|off|password|token|secret)$/i.test(
      written,
    )
  )
    return undefined
  if (!looksMixed(written) && !looksOpaque(written) && !looksGiven(written)) {
    // A word of letters may be a password in a column of passwords; a sentence, a type or a state is none.
    if (!password || /[A-Z\s]/.test(written) || shape === 'blanks') return undefined
    if (!isPlausible(written, 'password', { quoted: false, loose: true, tight: false, mentioned: true }))
      return undefined
  }
  return { start, end }
}

/** `"kind":"Secret","data":{"any":"x"}` on one line. */
const JSON_DATA =
  /^\\?"[^{}\n]{0,400}(?:\{[^{}\n]{0,800}\}[^{}\n]{0,100}){0,2}\\?"(?:data|stringData)\\?"\s?:\s?\{([^{}\n]{0,4000})\}/

export function detectSecretJson(source: Source, _start: number, end: number): Detection {
  const line = source.text.slice(end, Math.min(source.lineEnd(end), end + 6_000))
  const members = JSON_DATA.exec(line)
  if (members?.[1] === undefined) return undefined
  source.looks += 1
  const offset = end + members[0].length - 1 - members[1].length
  return chained(
    [...members[1].matchAll(/(:\s?\\?")([^"\\]{4,4000})(?=\\?")/g)].flatMap((member) => {
      const from = offset + member.index + (member[1]?.length ?? 0)
      const written = member[2] ?? ''
      return written.startsWith('[REDACTED') || from < source.floor
        ? []
        : [{ rule: 'secret', start: from, end: from + written.length }]
    }),
  )
}

/** `Recovery codes:` and the like, with the codes on the lines below. */
export function detectCodes(source: Source, _start: number, end: number): Detection {
  const head = /^(?:\s?\([^()\n]{1,60}\)| (?:are|for)[^:\n]{0,60})?:?[ \t\r]*$/.exec(
    source.text.slice(end, Math.min(source.lineEnd(end), end + 120)),
  )
  if (head === null) return undefined
  source.looks += 1
  const CODE =
    /^[\s*•-]*(?:\d{1,2}[.)] +)?((?:[A-Za-z0-9]{4,16}(?:-[A-Za-z0-9]{4,16}){0,8}|\d{3,4} \d{3,4})(?:[ \t,]+[A-Za-z0-9-]{6,30})*)\s*$/
  const rows = linesBelow(source, end, (row, count) => CODE.test(row) || (count === 0 && row.trim() === ''))
  if (rows === STARVED) return rows
  return chained(
    rows.flatMap((row) => {
      const code = CODE.exec(row.text)?.[1]
      if (code === undefined || (!/\d/.test(code) && !/^[A-Z-]+$/.test(code) && rows.length < 3)) return []
      const start = row.start + row.text.indexOf(code)
      return start < source.floor ? [] : [{ rule: 'password', start, end: start + code.length }]
    }),
  )
}

/** `kind: Secret`: the values under `data` and `stringData`. */
export function detectSecretData(source: Source, start: number, end: number): Detection {
  const { text } = source
  if (!/^["']?[ \t\r]*(?:\n|$)/.test(text.slice(end, end + 8)) || lineStart(source, start) === -1) return undefined
  source.looks += 1
  const lines = linesBelow(source, end, (row) => !/^(?:---|kind:|\S*\$ )/.test(row))
  if (lines === STARVED) return lines
  let within = false
  return chained(
    lines.flatMap((line) => {
      if (/^\S/.test(line.text)) within = /^["']?(?:data|stringData)["']?:\s*$/.test(line.text)
      const member = within ? /^(\s+["']?[\w.-]{1,80}["']?:\s+)(["']?)([^\s"'|>][^"'\n]*?)\2\s*$/.exec(line.text) : null
      const written = member?.[3]
      if (member?.[1] === undefined || written === undefined || /^(?:\[REDACTED|\$|\{\{|<)/.test(written)) return []
      if (written.length < 4 || (!looksMixed(written) && !/={1,2}$/.test(written) && !looksGiven(written))) return []
      const from = line.start + member[1].length + (member[2] ?? '').length
      return from < source.floor ? [] : [{ rule: 'secret', start: from, end: from + written.length }]
    }),
  )
}

/** `Password for the elastic user:` at the end of a line, and the password alone on the next; fields of a form. */
export function detectBelow(source: Source, { name, from, to, kind }: Name): Detection {
  const { text } = source
  if (!isSecretKind(kind)) return undefined
  const end = source.lineEnd(to)
  const rest = text.slice(to, Math.min(end, to + 160))
  if (end - to > 160 || text.charCodeAt(end) !== 10) return undefined
  const isField = /\bform-data;[^\n]{0,80}name="?$/.test(text.slice(Math.max(0, from - 120), from))
  if (
    !isField &&
    !/^(?:[^"'{}[\]:=<>\n`(]|`(?:[^`\n]{0,80}`|(?![^`\n]{0,80}`))|\((?:[^()\n]{0,100}\)|(?![^()\n]{0,100}\)))){0,120}:[ \t\r]*$/.test(
      rest,
    )
  )
    return undefined
  const isHeading = !isField && name.length > 0 && /^["'*]{0,2}[:*]*[ \t\r]*$/.test(rest)
  source.looks += 1
  const lines = linesBelow(
    source,
    to,
    (line, count) => (count < 6 && (isField || count === 0 || !/\S/.test(line))) || (count === 1 && !isField),
  )
  if (lines === STARVED) return lines
  let index = 0
  while (
    index < lines.length &&
    (!/\S/.test(lines[index]?.text ?? '') || (isField && /^[\w-]+: /.test(lines[index]?.text ?? '')))
  )
    index++
  const line = lines[index]
  if (line === undefined || (isField && index === 0)) return undefined
  const lead = isField ? 0 : leadLength(line.text)
  const word = (isField ? /^()([^\r\n]{1,400})/ : /^(\s*["'`]?)([^\s"'`:=]{6,200})["'`]?\s*$/).exec(
    line.text.slice(lead),
  )
  const written = word?.[2]
  if (word?.[1] === undefined || written === undefined || /^(?:\[REDACTED|\$|<|--|%)/.test(written)) return undefined
  if (!isField && !looksMixed(written) && !looksOpaque(written)) return undefined
  if (isHeading && /^[\w.-]+\/|\.\w{2,4}$/.test(written)) return undefined
  const start = line.start + lead + word[1].length
  return start < source.floor ? undefined : { rule: ruleOf(kind), start, end: start + written.trimEnd().length }
}

/** The first password of Jenkins stands alone, two lines below the sentence, or behind it. */
export function detectUnlock(source: Source, _start: number, end: number): Detection {
  const { text, floor, final } = source
  const lineEnd = source.lineEnd(end)
  if (!final && lineEnd >= text.length && text.length < end + UNLOCK_WITHIN) return STARVED
  const rest = text.slice(end, Math.min(lineEnd, end + UNLOCK_WITHIN))
  if (/\S/.test(rest)) return unlockIn(rest, end)
  let isOver = false
  const lines = linesBelow(source, end, (line, count) => {
    if (isOver || count > 3) return false
    isOver = /\S/.test(line.slice(leadLength(line)))
    return true
  })
  if (lines === STARVED) return lines
  const line = lines.at(-1)
  if (line === undefined || line.start < floor) return undefined
  const lead = leadLength(line.text)
  return unlockIn(line.text.slice(lead), line.start + lead)
}

const UNLOCK_WITHIN = 80

function unlockIn(written: string, at: number): Detection {
  const [before, secret] = /^\s{0,20}([0-9a-f]{32,40})\b/.exec(written) ?? []
  if (before === undefined || secret === undefined) return undefined
  return { rule: 'password', start: at + before.length - secret.length, end: at + before.length }
}
