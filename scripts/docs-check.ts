/** Holds the documents against the project: every relative link resolves, every TypeScript block type-checks. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type CodeBlock, commentBlocks, markdownBlocks } from './docs/code-block.js'
import { brokenLinks } from './docs/link.js'
import { findFiles } from './file-search.js'
import { exitCode, projectRoot, startTool } from './tool-run.js'

// Inside the project, so that the blocks find its dependencies.
const WORK = join(projectRoot, '.tmp')

const read = (path: string) => readFileSync(join(projectRoot, path), 'utf8')

/** The documents that a reader gets to see. */
function documents(): string[] {
  const isDocument = (path: string) =>
    /^(README|CHANGELOG)\.md$/.test(path) ||
    /^docs\/.+\.md$/.test(path) ||
    /^skills\/[^/]+\/[^/]+\.md$/.test(path) ||
    /^examples\/(.+\/)?README\.md$/.test(path)
  return findFiles('.', isDocument)
}

function codeBlocks(markdown: readonly string[]): CodeBlock[] {
  const isSource = (path: string) => path.endsWith('.ts') && !path.includes('__tests__/')
  const sources = ['src', 'skills'].flatMap((directory) => findFiles(directory, isSource))
  return [
    ...markdown.flatMap((path) => markdownBlocks(path, read(path))),
    ...sources.flatMap((path) => commentBlocks(path, read(path))),
  ]
}

/** Where each of the package's entry points lies in the sources, so that no build is needed. */
function entryPaths(): Record<string, string[]> {
  const { name, exports }: { name: string; exports: Record<string, string | { default: string }> } = JSON.parse(
    read('package.json'),
  )
  const entries = Object.entries(exports).flatMap(([subpath, target]) => {
    if (typeof target === 'string') return []
    const source = target.default.replace('./dist/', '').replace(/\.js$/, '.ts')
    const path = source.startsWith('skills/') ? source : `src/${source}`
    return [[subpath.replace('.', name), [`../../${path}`]] as [string, string[]]]
  })
  return Object.fromEntries(entries)
}

async function typeCheck(blocks: readonly CodeBlock[]): Promise<number> {
  mkdirSync(WORK, { recursive: true })
  const place = mkdtempSync(join(WORK, 'docs-check-'))
  try {
    for (const block of blocks) writeFileSync(join(place, block.fileName), block.module)
    const config = {
      extends: '../../tsconfig.json',
      compilerOptions: { paths: entryPaths() },
      include: ['./*.ts'],
    }
    writeFileSync(join(place, 'tsconfig.json'), JSON.stringify(config))
    return await exitCode(startTool('tsc', ['--noEmit', '--pretty', 'false', '-p', place]))
  } finally {
    rmSync(place, { recursive: true, force: true })
  }
}

async function main(): Promise<number> {
  const markdown = documents()
  const broken = markdown.flatMap((path) => brokenLinks(path, read))
  for (const line of broken) process.stdout.write(`${line}\n`)
  const blocks = codeBlocks(markdown)
  const code = await typeCheck(blocks)
  if (code !== 0) {
    process.stdout.write(`A block's file is named after its document, and its lines are numbered as in it.\n`)
  }
  process.stdout.write(
    `docs: ${markdown.length} documents, ${broken.length} broken links, ${blocks.length} code blocks ` +
      `${code === 0 ? 'type-check' : 'with type errors'}\n`,
  )
  return broken.length === 0 && code === 0 ? 0 : 1
}

main().then((code) => process.exit(code))
