/** Finds any of many words in one pass over the char codes of a text (Aho–Corasick, as a table), ignoring ASCII case. */

export interface Automaton {
  /**
   * The index behind the next word that ends in `from < end <= to`, or -1; {@link Automaton.words} then tells which.
   * Words that begin before `from` are not seen, unless it goes on from where the last call on this text stopped. Nor are
   * those that end at `passed` or before it and may be passed.
   */
  next(text: string, from: number, to: number, goesOn?: boolean, passed?: number): number
  /** The indexes of the words that ended where {@link Automaton.next} stopped last, the longest first. */
  words(): readonly number[]
}

/** At most 63 different characters may occur in the words: a row of the table is 64 wide. */
const WIDTH_BITS = 6

/** Told of a word that may be passed: the char code it is never passed before, or -1 when there is none. */
export type Passing = (index: number) => number | undefined

/** Source: Aho and Corasick, "Efficient string matching", CACM 18 (1975). */
export function createAutomaton(words: readonly string[], passing: Passing = () => undefined): Automaton {
  const classes = new Uint8Array(65_536)
  let used = 0
  const classOf = (code: number): number => {
    const known = classes[code] ?? 0
    if (known !== 0) return known
    used += 1
    if (used >> WIDTH_BITS !== 0) throw new RangeError('more than 63 different characters in the words')
    classes[code] = used
    const isLetter = (code >= 65 && code <= 90) || (code >= 97 && code <= 122)
    if (isLetter) classes[code ^ 32] = used
    return used
  }

  // A row for each beginning of a word: which row each character leads to, 0 being the first.
  const rows = new Uint16Array((1 + words.reduce((sum, word) => sum + word.length, 0)) << WIDTH_BITS)
  const ends: number[][] = [[]]
  words.forEach((word, index) => {
    let row = 0
    for (let at = 0; at < word.length; at++) {
      const edge = (row << WIDTH_BITS) | classOf(word.charCodeAt(at))
      row = rows[edge] ||= ends.push([]) - 1
    }
    ends[row]?.push(index)
  })
  if (ends.length >> 16 !== 0) throw new RangeError('more than 65,535 beginnings of words')
  const order = completeEdges(rows, ends)

  // The shortest beginnings first, which most texts stay among, and ending states last: one comparison tells them.
  const ending = order.map((row) => ends[row] ?? []).filter((indexes) => indexes.length !== 0)
  const firstEnding = order.length - ending.length
  const numbers = new Uint16Array(order.length)
  let plain = 0
  let others = firstEnding
  for (const row of order) numbers[row] = ends[row]?.length === 0 ? plain++ : others++
  const table = new Uint16Array(order.length << WIDTH_BITS)
  for (let edge = 0; edge < table.length; edge++) {
    const number = numbers[edge >> WIDTH_BITS] as number
    const symbol = edge & ((1 << WIDTH_BITS) - 1)
    table[(number << WIDTH_BITS) | symbol] = numbers[rows[edge] as number] as number
  }
  const keptBefore = ending.map((indexes) => passingOf(indexes, passing))

  const isKept = (state: number, code: number): boolean => keptBefore[state - firstEnding]?.includes(code) ?? true
  let stopped = firstEnding
  return {
    next(text, from, to, goesOn = false, passed = 0) {
      let state = goesOn ? stopped : 0
      for (let index = from; index < to; index++) {
        state = table[(state << WIDTH_BITS) | (classes[text.charCodeAt(index)] as number)] as number
        if (state >= firstEnding && (index >= passed || isKept(state, text.charCodeAt(index + 1)))) {
          stopped = state
          return index + 1
        }
      }
      return -1
    },
    words: () => ending[stopped - firstEnding] ?? [],
  }
}

/** The codes that keep words from being passed together; nothing when one of them never is. */
function passingOf(indexes: readonly number[], passing: Passing): number[] | undefined {
  const codes = indexes.map(passing)
  return codes.every((code) => code !== undefined) ? [...new Set(codes)] : undefined
}

/** Adds to each row the edges and words of its longest proper suffix, breadth first, and answers the rows in that order. */
function completeEdges(rows: Uint16Array, ends: number[][]): number[] {
  const suffixes = new Uint16Array(ends.length)
  const order = [0]
  for (let at = 0; at < order.length; at++) {
    const row = order[at] as number
    const suffix = suffixes[row] as number
    if (row !== 0) ends[row]?.push(...(ends[suffix] ?? []))
    for (let symbol = 0; symbol < 1 << WIDTH_BITS; symbol++) {
      const edge = (row << WIDTH_BITS) | symbol
      const other = row === 0 ? 0 : (rows[(suffix << WIDTH_BITS) | symbol] as number)
      const next = rows[edge] as number
      if (next === 0) rows[edge] = other
      else {
        suffixes[next] = other
        order.push(next)
      }
    }
  }
  return order
}
