/** The arguments behind a program as the program gets them: lists, colours and broken lines read as one plain line. */
// biome-ignore-all lint/suspicious/noControlCharactersInRegex: control characters are part of what is sought
import { type Source, STARVED } from './boundary.js'

/** No argument is sought further behind its program. */
const WINDOW = 600
/** A quote behind the program's name and another item behind it: `"mysql", "-p"`, `\"curl\" \"-u\"`. */
const LIST = /^(\\{0,3}["'])\s{0,8},?\s{0,40}\1/
/** Items of a YAML list on lines of their own. */
const ROWS = /^(?:["']?[ \t\r]{0,4}\n[ \t]{0,40}- )/
const PLAIN = /^[^\x1b\\\n]*$/

export interface ArgumentLine {
  /** Begins behind the program's name. In a list every item stands behind one blank and has none itself. */
  text: string
  /** Where the character at an index of `text` stands in the source. */
  at(index: number): number
  /** Where the line ends in the source. */
  end: number
  isList: boolean
}

export function argumentLine(source: Source, end: number): ArgumentLine | typeof STARVED {
  const { text } = source
  const window = text.slice(end, end + WINDOW)
  const stop = Math.min(source.lineEnd(end), end + WINDOW)
  const quote = LIST.exec(window)?.[1]
  if (quote !== undefined) return listed(source, end, window, quote)
  if (ROWS.test(window)) return rows(source, end, window)
  const line = text.slice(end, stop)
  if (PLAIN.test(line)) return { text: line, at: (index) => end + index, end: stop, isList: false }
  return shellLine(source, end, window)
}

const BLANK = /\s/g

/** Puts pieces of the source together, and remembers where each character stood. */
function createCollector(isList: boolean) {
  let line = ''
  const places: number[] = []
  const piece = (from: number, written: string) => {
    line += written
    for (let index = 0; index < written.length; index++) places.push(from + index)
  }
  return {
    piece,
    /** A blank that stands for what is at `place`; none behind another. */
    blank(place: number) {
      if (!line.endsWith(' ')) piece(place, ' ')
    },
    /** An item of a list, behind a blank of its own. */
    item(from: number, written: string) {
      piece(from - 1, ` ${written.replace(BLANK, '_')}`)
    },
    line: (end: number): ArgumentLine => ({ text: line, at: (index) => places[index] ?? end, end, isList }),
  }
}

function listed(source: Source, start: number, window: string, quote: string): ArgumentLine | typeof STARVED {
  const collector = createCollector(true)
  const sign = quote.replaceAll('\\', '\\\\')
  const between = new RegExp(`${sign}\\s{0,8},?\\s{0,40}${sign}`, 'y')
  let at = 0
  for (;;) {
    between.lastIndex = at
    if (!between.test(window)) break
    const from = between.lastIndex
    let to = window.indexOf(quote, from)
    while (to > 0 && quote.length === 1 && window.charCodeAt(to - 1) === 92) to = window.indexOf(quote, to + 1)
    if (to === -1) {
      if (!source.final && window.length < WINDOW) return STARVED
      collector.item(start + from, window.slice(from))
      at = window.length
      break
    }
    collector.item(start + from, window.slice(from, to))
    at = to
  }
  if (!source.final && window.length < WINDOW && /^["'\\]{1,4}\s{0,8},?\s{0,40}$/.test(window.slice(at))) return STARVED
  return collector.line(start + at)
}

function rows(source: Source, start: number, window: string): ArgumentLine | typeof STARVED {
  const collector = createCollector(true)
  let at = window.indexOf('\n')
  while (at !== -1) {
    const next = window.indexOf('\n', at + 1)
    if (next === -1 && !source.final && window.length < WINDOW) return STARVED
    const row = window.slice(at + 1, next === -1 ? window.length : next)
    const item = /^([ \t]{0,40}- ["']?)([^\r\n]*?)["']?[ \t\r]*$/.exec(row)
    if (item?.[1] === undefined || item[2] === undefined) break
    collector.item(start + at + 1 + item[1].length, item[2])
    at = next
  }
  return collector.line(start + (at === -1 ? window.length : at))
}

/** Colours left out, `\` at the end of a line read as a blank; a `\n` of JSON ends the command. */
const BREAK =
  /\x1b\[[\d;]{0,16}[A-Za-z]|\\(?:u001[bB]|x1[bB]|033|e)\[[\d;]{0,16}m|(?:\\\r?\n|\\{3}n)[ \t]{0,40}|\n|\\n/g

function shellLine(source: Source, start: number, window: string): ArgumentLine | typeof STARVED {
  const { text } = source
  const isInQuotes = /"[^\n]*$/.test(text.slice(Math.max(0, start - 400), start))
  const collector = createCollector(false)
  let at = 0
  let end = window.length
  BREAK.lastIndex = 0
  for (let found = BREAK.exec(window); found !== null; found = BREAK.exec(window)) {
    const [sign] = found
    if (sign === '\\n' && !isInQuotes) continue
    collector.piece(start + at, window.slice(at, found.index))
    at = found.index + sign.length
    if (sign === '\n' || sign === '\\n') {
      end = found.index
      break
    }
    if (/^\\(?:\r?\n|\\\\n)/.test(sign)) {
      collector.blank(start + at - 1)
      if (at >= window.length && !source.final && window.length < WINDOW) return STARVED
    }
  }
  if (end === window.length) {
    collector.piece(start + at, window.slice(at, end))
    if (!source.final && window.length < WINDOW) return STARVED
  }
  return collector.line(start + end)
}
