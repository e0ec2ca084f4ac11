/** Finds the relative links of a Markdown document that lead nowhere, anchors included. */
import { existsSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { projectRoot } from '../tool-run.js'

/** One line for each link of the document at `path` (relative to the project) that does not resolve. */
export function brokenLinks(path: string, read: (path: string) => string): string[] {
  return linksOf(read(path)).flatMap(({ line, target }) => {
    const reason = whyBroken(path, target, read)
    return reason ? [`${path}:${line}: the link ${target} leads nowhere: ${reason}`] : []
  })
}

function whyBroken(path: string, target: string, read: (path: string) => string): string | undefined {
  if (/^[a-z][a-z0-9+.-]*:/i.test(target)) return undefined
  const [encoded = '', anchor] = target.split('#', 2)
  if (encoded.startsWith('/')) return 'it is not relative'
  const missing = (document: string) =>
    anchor && document.endsWith('.md') && !anchorsOf(read(document)).has(decodeURIComponent(anchor))
      ? `${document} has no heading #${anchor}`
      : undefined
  if (encoded === '') return missing(path)
  const file = join(dirname(path), decodeURIComponent(encoded))
  if (file.startsWith('..')) return 'it leaves the project'
  const found = statSync(join(projectRoot, file), { throwIfNoEntry: false })
  if (!found) return `there is no ${file}`
  if (!anchor || !found.isDirectory()) return missing(file)
  const readme = join(file, 'README.md')
  return existsSync(join(projectRoot, readme)) ? missing(readme) : `there is no ${readme}`
}

function linksOf(text: string): { line: number; target: string }[] {
  const pattern = /!?\[(?:[^\]\\]|\\.)*\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)|^\s*\[[^\]]+\]:\s*<?(\S+?)>?(?:\s|$)/g
  return proseLines(text).flatMap((content, index) =>
    [...content.matchAll(pattern)].map((match) => ({ line: index + 1, target: match[1] ?? match[2] ?? '' })),
  )
}

/** The anchors that GitHub makes of a document's headings, and those written as HTML. */
function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>()
  for (const line of proseLines(text, { keepCode: true })) {
    for (const [, id = ''] of line.matchAll(/<[a-z]+ [^>]*(?:id|name)="([^"]+)"/gi)) anchors.add(id)
    const heading = /^#{1,6}\s+(.*?)\s*#*$/.exec(line)?.[1]
    if (heading === undefined) continue
    const slug = heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\p{M}_ -]/gu, '')
      .replaceAll(' ', '-')
    let unique = slug
    for (let count = 1; anchors.has(unique); count += 1) unique = `${slug}-${count}`
    anchors.add(unique)
  }
  return anchors
}

/** The lines with code blocks, and unless `keepCode` inline code too, emptied: what stands there is no link or heading. */
function proseLines(text: string, { keepCode = false }: { keepCode?: boolean } = {}): string[] {
  let fence = ''
  return text.split('\n').map((line) => {
    const ticks = /^\s*(`{3,}|~{3,})/.exec(line)?.[1]
    if (fence) {
      if (ticks?.startsWith(fence)) fence = ''
      return ''
    }
    if (ticks) {
      fence = ticks
      return ''
    }
    return keepCode ? line : line.replace(/(`+)[^`].*?\1/g, '')
  })
}
