/** What the documents' check sees as a link, an anchor and a block of code. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { commentBlocks, markdownBlocks } from '../docs/code-block.js'
import { brokenLinks } from '../docs/link.js'

const text = (...lines: string[]) => lines.join('\n')

const links: [name: string, document: string, broken: number][] = [
  ['a file that is there', '[x](../package.json)', 0],
  ['a folder that is there', '[x](../scripts/)', 0],
  ['a file that is not there', '[x](nowhere.md)', 1],
  ['an image that is not there', '![x](nowhere.png "title")', 1],
  ['a definition that leads nowhere', '[x]: nowhere.md', 1],
  ['a page elsewhere', '[x](https://example.com/nowhere.md)', 0],
  ['a path out of the project', '[x](../../secret.md)', 1],
  ['an absolute path', '[x](/docs/x.md)', 1],
  ['a heading of this document', '# Two `words`, *one* id!\n[x](#two-words-one-id)', 0],
  ['a heading that comes twice', '# A\n# A\n[x](#a-1)', 0],
  ['a heading that is not there', '# A\n[x](#b)', 1],
  ['a heading inside a block of code', '```\n# A\n```\n[x](#a)', 1],
  ['an anchor in HTML', '<a id="s1"></a>[x](#s1)', 0],
  ['a link inside a block of code', '```\n[x](nowhere.md)\n```', 0],
  ['a link inside inline code', '`[x](nowhere.md)` and ``[y](nowhere.md)``', 0],
]

for (const [name, document, broken] of links) {
  test(`${name} is ${broken ? 'a broken' : 'no broken'} link`, () => {
    assert.equal(brokenLinks('scripts/document.md', () => document).length, broken)
  })
}

test('a block keeps the line numbers of its document', () => {
  const [block, ...rest] = markdownBlocks(
    'docs/a.md',
    text('# A', '', '```ts', 'const x = 1', '```', '```sh', 'ls', '```'),
  )
  assert.equal(rest.length, 0)
  assert.equal(block?.fileName, 'docs_a.md.4.ts')
  assert.equal(block?.module.split('\n')[3], 'const x = 1')
})

test('a continued block begins with the block before it, and keeps its own line numbers', () => {
  const blocks = markdownBlocks('a.md', text('```ts', 'const x = 1', '```', 'then', '```ts continued', 'x + 1', '```'))
  assert.deepEqual(blocks[1]?.module.split('\n').slice(0, 6), ['', 'const x = 1', '', '', '', 'x + 1'])
})

test('only doc comments of a source file hold blocks', () => {
  const source = text('/**', ' * @example', ' * ```ts', ' * const x = 1', ' * ```', ' */', 'const y = `', '```ts', '`')
  const [block, ...rest] = commentBlocks('src/a.ts', source)
  assert.equal(rest.length, 0)
  assert.equal(block?.module.split('\n')[3], 'const x = 1')
})
