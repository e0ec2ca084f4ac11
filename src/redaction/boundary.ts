/** Where names and tokens begin and end in texts that were coloured, escaped or URL-encoded on their way. */
// biome-ignore-all lint/suspicious/noControlCharactersInRegex: control characters are part of what is sought

import type { KeyKind } from './key.js'

/** No decision looks further back than this, nor further ahead than {@link LOOK_AHEAD}: streams keep as much. */
export const LOOK_BACK = 512
export const LOOK_AHEAD = 48 * 1024
/** The longest value that is taken whole. */
const MAX_VALUE = 32 * 1024

const NAME_LENGTH = 128
/** What stands before a name at the start of its line is short. */
const LINE_LEAD = 96

/** What may stand for a break before a word, at the end of what precedes it. */
const ESCAPE_BEFORE =
  /(?:\x1b\[[\d;]{0,16}[A-Za-z]|\\(?:u001[bB]|x1[bB]|033|e)\[[\d;]{0,16}m|\\[nrtbfv]|%(?:25){0,2}[0-9A-Fa-f]{2}|\\u00[0-9A-Fa-f]{2}|\\x[0-9A-Fa-f]{2})$/

const isAlphanumeric = (code: number): boolean =>
  (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122)

/** What a pattern knows as a blank, line ends included. */
export const isBlank = (code: number): boolean =>
  code === 32 || (code >= 9 && code <= 13) || (code >= 0xa0 && /\s/.test(String.fromCharCode(code)))

/** Letters, digits, `_`, `-` and `.`: what names consist of. */
export const isNameCode = (code: number): boolean => isAlphanumeric(code) || code === 95 || code === 45 || code === 46

/** True when a token may begin at `index`: after a sign, an escape sequence or nothing. */
export function startsToken(text: string, index: number): boolean {
  if (index === 0) return true
  const before = text.charCodeAt(index - 1)
  if (!isAlphanumeric(before) && before !== 95) return before !== 45 || !isAlphanumeric(text.charCodeAt(index - 2))
  if (before === 95) return true
  return mayEscape(text, index) && ESCAPE_BEFORE.test(text.slice(Math.max(0, index - 24), index))
}

/** A quick look for the sign that an escape which ends at `index` would begin with, or for the bracket of a colour. */
function mayEscape(text: string, index: number): boolean {
  const second = text.charCodeAt(index - 2)
  if (second === 92 || second === 91) return true
  const third = text.charCodeAt(index - 3)
  if (third === 37 || (third === 120 && text.charCodeAt(index - 4) === 92)) return true
  if (third === 48 && text.charCodeAt(index - 6) === 92) return true
  if (!isColourCode(second)) return false
  let at = index - 3
  while (at >= index - 18 && isColourCode(text.charCodeAt(at))) at--
  return text.charCodeAt(at) === 91
}

const isColourCode = (code: number): boolean => (code >= 48 && code <= 57) || code === 59

/** Where the name begins that `index` is part of. */
export function nameStart(text: string, index: number, floor: number): number {
  const lowest = Math.max(floor, index - NAME_LENGTH)
  let start = index
  while (start > lowest && isNameCode(text.charCodeAt(start - 1))) start--
  return start === index ? start : behindEscape(text, start, index)
}

/** Where what begins at `start` begins when `\n`, `%26`, `\u0026` and colours before it are no part of it; `limit` at the latest. */
export function behindEscape(text: string, start: number, limit: number): number {
  if (start === 0) return start
  const before = text.charCodeAt(start - 1)
  if (before === 92 || before === 37 || before === 91) {
    const lead = /^(?:[nrtbfv]|u00[0-9A-Fa-f]{2}|x[0-9A-Fa-f]{2}|[0-9A-Fa-f]{2})/.exec(
      text.slice(start, start + 5),
    )?.[0]
    if (before === 92 && lead !== undefined && !/^[0-9A-F]{2}/i.test(lead)) return Math.min(limit, start + lead.length)
    if (before === 37 && /^[0-9A-Fa-f]{2}/.test(lead ?? '')) return Math.min(limit, start + 2)
    if (before === 91) return Math.min(limit, start + colourTail(text, start))
  }
  if (before === 59) return Math.min(limit, start + colourTail(text, start))
  return start
}

/** The length of the `0m` of a colour that began before `start`; 0 when there is none. */
function colourTail(text: string, start: number): number {
  const tail = /^\d{0,3}m/.exec(text.slice(start, start + 4))?.[0]
  if (tail === undefined) return 0
  return ESCAPE_BEFORE.test(text.slice(Math.max(0, start - 24), start + tail.length)) ? tail.length : 0
}

export function nameEnd(text: string, index: number): number {
  const highest = Math.min(text.length, index + NAME_LENGTH)
  let end = index
  // `password.........x`: no name has two dots in a row.
  while (
    end < highest &&
    isNameCode(text.charCodeAt(end)) &&
    (text.charCodeAt(end) !== 46 || text.charCodeAt(end + 1) !== 46)
  )
    end++
  return end
}

/** Where the line that `index` is in begins, as far back as anybody may look; -1 when that is further. */
export function lineStart({ text, isOneLine }: Source, index: number): number {
  const lowest = Math.max(0, index - LINE_LEAD)
  if (isOneLine(lowest, index)) return lowest === 0 ? 0 : -1
  for (let at = index; at > lowest; at--) if (text.charCodeAt(at - 1) === 10) return at
  return lowest === 0 ? 0 : -1
}

/** A text under examination, with what is known about it. */
export interface Source {
  readonly text: string
  /** Nothing before it may be replaced any more. */
  floor: number
  /** Names before it were judged already. */
  judged: number
  /** False while more of the text may follow. */
  readonly final: boolean
  readonly judge: (name: string) => KeyKind
  /** Where the line ends, as far ahead as anybody may look. Asking in ascending order reads the text once in all. */
  lineEnd(index: number): number
  /** True when it is known already that no line ends from one index up to the other. */
  isOneLine(from: number, to: number): boolean
  /** How often something was looked at closely. */
  looks: number
  /** Ends of runs that were looked for before, by what ends them. */
  runs: Map<unknown, Run> | undefined
  /** What was judged before: a text that asks often asks for the same few values. */
  verdicts: Map<string, boolean>[] | undefined
}

/** Between `from` and `to` nothing ends the run; at `to` something does when `ended`. */
interface Run {
  from: number
  to: number
  ended: boolean
}

/**
 * Where the run that `start` is in ends, at `limit` at the latest. `stopIn` answers the first end between two indexes, or -1,
 * and must judge every index by itself: what one call read, the next need not read again.
 */
export function runEnd(
  source: Source,
  start: number,
  limit: number,
  stopIn: (from: number, to: number) => number,
  kind: unknown,
): number {
  source.runs ??= new Map()
  const { runs } = source
  let run = runs.get(kind)
  if (run === undefined || start < run.from || start > run.to) {
    run = { from: start, to: start, ended: false }
    runs.set(kind, run)
  }
  if (!run.ended && run.to < limit) {
    const stop = stopIn(run.to, limit)
    run.ended = stop !== -1
    run.to = run.ended ? stop : limit
  }
  return Math.min(run.to, limit)
}

export function createSource(
  text: string,
  { floor, judged, final, judge }: Pick<Source, 'floor' | 'judged' | 'final' | 'judge'>,
): Source {
  let from = 0
  let newline = -1
  return {
    text,
    floor,
    judged,
    final,
    judge,
    looks: 0,
    runs: undefined,
    verdicts: undefined,
    isOneLine: (first, last) => from <= first && newline >= last,
    lineEnd(index) {
      if (newline < index) {
        newline = text.indexOf('\n', index)
        if (newline === -1) newline = text.length
        from = index
      } else if (index < from) {
        const nearer = text.slice(index, from).indexOf('\n')
        if (nearer !== -1) newline = index + nearer
        from = index
      }
      return Math.min(newline, index + MAX_VALUE)
    },
  }
}

/** A stretch to replace. */
export interface Found {
  rule: string
  start: number
  end: number
  /** Quotes to put around the placeholder, so that JSON stays JSON. */
  quote?: string
  /** The next of several that one word told: cells of a column, codes below a heading. */
  next?: Found | undefined
}

/** Answered by a detector that needs the lines behind the end of a text that is not final. */
export const STARVED = Symbol('starved')

export type Detection = Found | typeof STARVED | undefined
/** Looks at a word at `start` … `end` of the source. */
export type Detector = (source: Source, start: number, end: number) => Detection

/** False where a detector would look at nothing: a text without a word that may count holds nothing to be found. */
export type MayCount = (text: string, start: number, end: number) => boolean

/** A word and what is asked where it ends; with a code, only where that follows. */
export type Row = readonly [word: string, detect: Detector, before?: number | undefined, mayCount?: MayCount]
