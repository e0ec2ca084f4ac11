/** Finds any of many words in one pass over the char codes of a text (Aho–Corasick, as a table), ignoring ASCII case. */

export interface Automaton {
  /**
   * The index behind the next word that ends in `from < end <= to`, or -1; {@link Automaton.words} then tells which.
   * Words that begin before `from` are not seen, unless it goes on from where the last call on this text stopped.
   */
  next(text: string, from: number, to: number, goesOn?: boolean): number
  /** The indexes of the words that ended where {@link Automaton.next} stopped last, the longest first. */
  words(): readonly number[]
}

/** At most 63 different characters may occur in the words: a row of the table is 64 wide. */
const WIDTH_BITS = 6

/** Source: Aho and Corasick, "Efficient string matching", CACM 18 (1975). */
export function createAutomaton(words: readonly string[]): Automaton {
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

  const edges: Map<number, number>[] = [new Map()]
  const ends: number[][] = [[]]
  words.forEach((word, index) => {
    let node = 0
    for (let at = 0; at < word.length; at++) {
      const symbol = classOf(word.charCodeAt(at))
      let next = edges[node]?.get(symbol)
      if (next === undefined) {
        next = edges.push(new Map()) - 1
        ends.push([])
        edges[node]?.set(symbol, next)
      }
      node = next
    }
    ends[node]?.push(index)
  })

  const order = completeEdges(edges, ends)
  // Ending states last: one comparison in the loop tells them.
  const plain = order.filter((node) => ends[node]?.length === 0)
  const ending = order.filter((node) => ends[node]?.length !== 0)
  const numbered = new Map([...plain, ...ending].map((node, number) => [node, number]))
  const firstEnding = plain.length
  const wordsOf = ending.map((node) => ends[node] ?? [])
  const table = new Uint16Array(order.length << WIDTH_BITS)
  for (const [node, number] of numbered) {
    for (const [symbol, next] of edges[node] ?? []) table[(number << WIDTH_BITS) | symbol] = numbered.get(next) ?? 0
  }

  let stopped = firstEnding
  return {
    next(text, from, to, goesOn = false) {
      let state = goesOn ? stopped : 0
      for (let index = from; index < to; index++) {
        state = table[(state << WIDTH_BITS) | (classes[text.charCodeAt(index)] as number)] as number
        if (state >= firstEnding) {
          stopped = state
          return index + 1
        }
      }
      return -1
    },
    words: () => wordsOf[stopped - firstEnding] ?? [],
  }
}

/** Adds to each node the edges of its longest proper suffix, breadth first, and answers the nodes in that order. */
function completeEdges(edges: Map<number, number>[], ends: number[][]): number[] {
  const suffix = new Array<number>(edges.length).fill(0)
  const order = [0]
  for (let at = 0; at < order.length; at++) {
    const node = order[at] as number
    const own = edges[node] as Map<number, number>
    const fallback = suffix[node] as number
    for (const [symbol, next] of own) {
      order.push(next)
      suffix[next] = node === 0 ? 0 : (edges[fallback]?.get(symbol) ?? 0)
    }
    if (node === 0) continue
    ends[node]?.push(...(ends[fallback] ?? []))
    for (const [symbol, next] of edges[fallback] ?? []) if (!own.has(symbol)) own.set(symbol, next)
  }
  return order
}
