/** No pattern of the library tries every way to divide a text: an attacker writes the texts that they are held against. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { analyse } from 'scslre'
import ts from 'typescript'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

const files = ['src', 'skills'].flatMap((directory) =>
  readdirSync(join(ROOT, directory), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.parentPath.includes('__tests__'))
    .map((entry) => join(entry.parentPath, entry.name)),
)

function patternsIn(path: string): { source: string; flags: string }[] {
  const found: { source: string; flags: string }[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isRegularExpressionLiteral(node)) {
      const end = node.text.lastIndexOf('/')
      found.push({ source: node.text.slice(1, end), flags: node.text.slice(end + 1) })
    }
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest))
  return found
}

/** What may repeat ten times and more divides a text in enough ways to never end. */
const unbounded = (source: string): string =>
  source.replace(/(?<!\\)\{(\d*),\d\d+\}/g, (_, least: string) => (Number(least) === 0 ? '*' : '+'))

const isExponential = ({ source, flags }: { source: string; flags: string }): boolean =>
  [source, unbounded(source)].some((pattern) =>
    analyse({ source: pattern, flags }, { reportTypes: { Move: false } }).reports.some((report) => report.exponential),
  )

describe('patterns', () => {
  it('the analysis knows one that divides', () => {
    assert.ok(isExponential({ source: '^[a-z]*(?:[:*][a-z*]+)*$', flags: '' }))
    assert.ok(isExponential({ source: '^(?:[a-z]{1,20}){1,40}$', flags: '' }))
    assert.ok(!isExponential({ source: '^[a-z]*(?::[a-z*]+)*$', flags: '' }))
  })

  it('none of the library divides', () => {
    const patterns = files.flatMap((path) => patternsIn(path).map((pattern) => ({ path, ...pattern })))
    assert.ok(patterns.length > 800, `only ${patterns.length} patterns found`)
    assert.deepEqual(patterns.filter(isExponential), [])
  })
})
