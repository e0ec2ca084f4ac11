/** One pass over a text: each word found asks its own detectors, and nothing else is looked at twice. */
import { detectAssignment } from './assignment.js'
import { createAutomaton } from './automaton.js'
import { createSource, type Detector, type Found, LOOK_BACK, type Row, type Source, STARVED } from './boundary.js'
import type { KeyKind } from './key.js'
import { endsInWords } from './key-block.js'
import { PROVIDER_RULES } from './provider-rules.js'
import { PLACEHOLDER, TEXT_RULES } from './text-rules.js'

/** A host's own format. */
export interface Rule {
  /** Of the placeholder: `[REDACTED:<id>]`; lower-case letters, digits and hyphens. */
  id: string
  /** Occurs in every match, at its start; ASCII case is ignored here, not in the pattern. */
  word: string
  /** Sought exactly where the word begins, in the 512 characters from there on. */
  pattern: RegExp
}

/** Where a scan stands. Offsets are into the text given. */
export interface Position {
  /** Words that end at or before it were looked at. */
  at: number
  floor: number
  judged: number
  /** How crowded the text before `seen` is with words that had to be looked at closely. */
  crowd: number
  seen: number
}

/** `at`: nothing that counts ends before or there. */
export const createPosition = (at = 0): Position => ({ at, floor: 0, judged: 0, crowd: 0, seen: 0 })

/**
 * A text in which there is something to look at every few characters, on and on, was made to keep a redactor busy. More
 * than `CROWDED` looks ahead of one in `SPARSE` characters, the rest of each such line is withheld unread.
 */
const CROWDED = 384
const SPARSE = 24

export interface Scan {
  /** Replaces from `position` on, and moves it to where it stopped. `emit` gets the stretches in ascending order. */
  run(text: string, position: Position, options: { limit: number; final: boolean; emit(found: Found): void }): void
  /** Behind the first word of a rule that may count; -1 when there is none: nothing can be found then. */
  first(text: string): number
}

const MAX_WORD = 40
const SKIP: Detector = () => undefined

/** Which names are secret, beside what their words say. */
export interface KeyNames {
  secret?: readonly string[] | undefined
  harmless?: readonly string[] | undefined
}

export function createScan(rules: readonly Rule[], judge: (name: string) => KeyKind, names: readonly string[]): Scan {
  const rows: readonly Row[] = [
    ['[redacted', SKIP],
    ...rules.map((rule) => [rule.word.toLowerCase(), detectorOf(rule)] as const),
    ...PROVIDER_RULES,
    ...TEXT_RULES,
    ...names.map((name) => [name.slice(-MAX_WORD), detectAssignment] as const),
  ]
  const judged = remembering(judge)
  const detectors = rows.map(([, detect]) => detect)
  const automaton = createAutomaton(
    rows.map(([word]) => word.toLowerCase()),
    (index) => (detectors[index] === detectAssignment ? -1 : rows[index]?.[2]),
  )
  const lengths = rows.map(([word]) => word.length)

  function run(
    text: string,
    position: Position,
    { limit, final, emit }: { limit: number; final: boolean; emit(found: Found): void },
  ): void {
    let source: Source | undefined
    let from = Math.max(position.floor, position.at - MAX_WORD)
    // What was found ahead of its word; the marks on the way to it come first, and may overlap it.
    let ahead: Found | undefined
    let { at, floor, crowd, seen } = position
    // Where it is to be asked again when what comes first on the way to it has not arrived.
    let asked: Omit<Position, 'floor'> = position
    for (let goesOn = false; ; ) {
      // Names that were judged already are passed: they would not be looked at.
      const passed = crowd > CROWDED ? 0 : (source?.judged ?? position.judged)
      const end = automaton.next(text, from, ahead === undefined ? limit : ahead.start, goesOn, passed)
      if (end === -1) {
        if (ahead === undefined || source === undefined) break
        emit(ahead)
        source.floor = floor = from = at = ahead.end
        goesOn = false
        ahead = ahead.next
        continue
      }
      goesOn = true
      from = end
      if (end <= at || (text.charCodeAt(end - 1) === 10 && endsInWords(text, end - 1))) continue
      source ??= createSource(text, { floor, judged: position.judged, final, judge: judged })
      const crowdBefore = crowd
      const seenBefore = seen
      const judgedBefore = source.judged
      const gap = end > seen ? end - seen : 0
      // A crowd is over when there is room between its words again.
      if (crowd > 0 && (crowd <= CROWDED || gap > SPARSE)) crowd = Math.max(0, crowd - gap / SPARSE)
      seen += gap
      const looks = source.looks
      const found = crowd > CROWDED ? restOfLine(source, end) : detect(source, end, automaton.words())
      crowd += source.looks - looks
      if (found === STARVED) {
        if (ahead === undefined) asked = { at: end, crowd: crowdBefore, seen: seenBefore, judged: judgedBefore }
        at = asked.at - 1
        Object.assign(position, { ...asked, at, floor, judged: Math.min(asked.judged, at) })
        return
      }
      if (found !== undefined && ahead === undefined && found.start > end && found.end > found.start) {
        ahead = found
        asked = { at: end, crowd: crowdBefore, seen: seenBefore, judged: judgedBefore }
      } else if (found !== undefined && (ahead === undefined || found.start < ahead.start)) {
        if (found.end > found.start) emit(found)
        if (ahead === undefined && found.next !== undefined) {
          ahead = found.next
          asked = { at: end, crowd: crowdBefore, seen: seenBefore, judged: judgedBefore }
        }
        if (found.rule === 'crowded') seen = found.end
        source.floor = floor = from = found.end
        goesOn = false
        if (ahead !== undefined && found.end > ahead.start) {
          ahead = found.end < ahead.end ? { ...ahead, start: found.end } : ahead.next
        }
      }
      at = ahead === undefined ? from : asked.at
    }
    Object.assign(position, { at: Math.max(at, limit), floor, crowd, seen, judged: source?.judged ?? position.judged })
  }

  function detect(source: Source, end: number, words: readonly number[]): Found | typeof STARVED | undefined {
    for (const word of words) {
      const start = end - (lengths[word] as number)
      if (start < source.floor) continue
      if (word === 0) {
        PLACEHOLDER.lastIndex = start
        if (PLACEHOLDER.test(source.text)) return { rule: '', start: PLACEHOLDER.lastIndex, end: PLACEHOLDER.lastIndex }
        continue
      }
      const judged = source.judged
      const found = (detectors[word] as Detector)(source, start, end)
      if (found === STARVED) {
        source.judged = judged
        return STARVED
      }
      if (found !== undefined && found.end > found.start && found.start >= source.floor) return found
    }
    return undefined
  }

  function first(text: string): number {
    let end = automaton.next(text, 0, text.length)
    while (end !== -1) {
      for (const word of automaton.words()) {
        if (rows[word]?.[3]?.(text, end - (lengths[word] as number), end) !== false) return end
      }
      end = automaton.next(text, end, text.length, true)
    }
    return -1
  }

  return { run, first }
}

/** Nothing behind the end of a line: what follows it may not have arrived yet. */
const restOfLine = (source: Source, end: number): Found | undefined =>
  source.text.charCodeAt(end - 1) === 10 ? undefined : { rule: 'crowded', start: end, end: source.lineEnd(end) }

const MAX_NAMES = 2_000
const MAX_NAME = 288

/** The same few names come again and again. */
function remembering(judge: (name: string) => KeyKind): (name: string) => KeyKind {
  const known = new Map<string, KeyKind>()
  return (name) => {
    const before = known.get(name)
    if (before !== undefined) return before
    const kind = judge(name)
    if (known.size >= MAX_NAMES) known.clear()
    // A piece of a text would keep the whole of it alive.
    if (name.length <= MAX_NAME) known.set(Buffer.from(name, 'latin1').toString('latin1'), kind)
    return kind
  }
}

function detectorOf({ id, pattern }: Rule): Detector {
  const sticky = new RegExp(pattern.source, [...new Set(`${pattern.flags.replaceAll('g', '')}y`)].join(''))
  return ({ text }, start) => {
    const window = text.slice(start, start + LOOK_BACK)
    sticky.lastIndex = 0
    const match = sticky.exec(window)
    return match === null ? undefined : { rule: id, start, end: start + match[0].length }
  }
}
