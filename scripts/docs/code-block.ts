/** Cuts the TypeScript blocks out of documents and doc comments, as modules whose lines keep their numbers. */

export interface CodeBlock {
  /** A flat file name that tells the document and the line. */
  fileName: string
  /** The block, preceded by as many empty lines as stand before it in its document. */
  module: string
}

/**
 * The ```ts blocks of a Markdown text. One that is fenced as ```ts continued goes on where the block before it ended, as
 * in a tutorial that explains a program piece by piece.
 */
export function markdownBlocks(path: string, text: string): CodeBlock[] {
  return blocksOf(path, text.split('\n'))
}

/** The ```ts blocks in the doc comments of a source file. */
export function commentBlocks(path: string, text: string): CodeBlock[] {
  let inComment = false
  const lines = text.split('\n').map((line) => {
    if (/^\s*\/\*\*/.test(line)) inComment = true
    const kept = inComment ? line.replace(/^\s*\/?\*+ ?/, '') : ''
    if (line.includes('*/')) inComment = false
    return kept
  })
  return blocksOf(path, lines)
}

function blocksOf(path: string, lines: readonly string[]): CodeBlock[] {
  const blocks: CodeBlock[] = []
  let current: { first: number; lines: string[] } | undefined
  let last: string[] = []
  let fence = ''
  for (const [index, line] of lines.entries()) {
    const [, ticks, info = ''] = /^\s*(`{3,}|~{3,})(.*)$/.exec(line) ?? []
    if (fence) {
      if (ticks?.startsWith(fence) && info.trim() === '') {
        if (current) {
          last = current.lines
          blocks.push({ fileName: fileName(path, current.first), module: `${last.join('\n')}\nexport {}\n` })
        }
        fence = ''
        current = undefined
      } else {
        current?.lines.push(line)
      }
    } else if (ticks) {
      fence = ticks
      const [language, ...words] = info.trim().split(/\s+/)
      if (language === 'ts' || language === 'typescript') {
        const before = words.includes('continued') ? last : []
        const padding = Array.from({ length: index + 1 - before.length }, () => '')
        current = { first: index + 2, lines: [...before, ...padding] }
      }
    }
  }
  return blocks
}

function fileName(path: string, line: number): string {
  return `${path.replace(/[^A-Za-z0-9.-]+/g, '_')}.${line}.ts`
}
