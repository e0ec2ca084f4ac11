/** Holds a SKILL.md against the Agent Skills format: frontmatter of known keys, and text for the model. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const MAX_LINES = 500
const KEYS = ['name', 'description', 'license', 'compatibility', 'metadata', 'allowed-tools']

/** Throws an AssertionError unless `folder` holds the SKILL.md of the skill of that name. */
export function assertSkillDocument(folder: string | URL, name: string): void {
  const directory = folder instanceof URL ? fileURLToPath(folder) : folder
  const text = readFileSync(join(directory, 'SKILL.md'), 'utf8')
  const [, frontmatter, body] = /^---\n([\s\S]*?)\n---\n([\s\S]*)$/.exec(text) ?? []
  assert.ok(
    frontmatter !== undefined && body !== undefined,
    'SKILL.md begins with frontmatter between two lines of ---',
  )
  assert.ok(body.trim() !== '', 'SKILL.md has text for the model')
  assert.ok(
    body.split('\n').length <= MAX_LINES,
    `SKILL.md has at most ${MAX_LINES} lines; more belongs in files that it names`,
  )
  for (const [, path = ''] of body.matchAll(/\]\((?![a-z]+:|#)([^)#]+)/g)) {
    assert.ok(existsSync(join(directory, path)), `SKILL.md names ${path}, which is not there`)
  }

  const { fields, metadata } = readFrontmatter(frontmatter)
  for (const key of fields.keys()) assert.ok(KEYS.includes(key), `the frontmatter has the unknown key ${key}`)
  assert.equal(fields.get('name'), name)
  assert.equal(basename(directory), name, "the folder's name is the skill's")
  assert.match(name, /^[a-z0-9]+(-[a-z0-9]+)*$/)
  assert.ok(name.length <= 64, 'name is at most 64 characters')
  const description = fields.get('description') ?? ''
  assert.ok(description !== '' && description.length <= 1024, 'description is 1-1024 characters')
  assert.ok((fields.get('compatibility') ?? '').length <= 500, 'compatibility is at most 500 characters')
  for (const [key, value] of metadata) assert.match(value, STRING, `metadata.${key} is a string; quote it`)
}

/** A YAML scalar that is a string: quoted, or plain and neither a number nor a boolean nor null. */
const STRING = /^(?:"[^"]*"|'[^']*'|(?!(?:true|false|null|~|[-+]?[\d.][\d.eE_+-]*)$)[^[{&*!|>%@`"'#].*)$/

/** The part of YAML that frontmatter needs: `key: value` lines, and one level of them under `metadata:`. */
function readFrontmatter(text: string): { fields: Map<string, string>; metadata: Map<string, string> } {
  const fields = new Map<string, string>()
  const metadata = new Map<string, string>()
  for (const line of text.split('\n').filter((line) => line.trim() !== '')) {
    const [, indent, key, value] = /^( *)([A-Za-z][\w-]*):(?: +(.*))?$/.exec(line) ?? []
    assert.ok(key !== undefined, `the frontmatter line ${JSON.stringify(line)} is not key: value`)
    const into = indent === '' ? fields : metadata
    assert.ok(!into.has(key), `the frontmatter has ${key} twice`)
    into.set(key, into === fields ? (value ?? '').replace(/^(["'])(.*)\1$/, '$2') : (value ?? ''))
  }
  return { fields, metadata }
}
