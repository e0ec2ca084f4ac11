/** The section "What was tried" of docs/security.md: read for the test, written from what the test saw. */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const DOCUMENT = fileURLToPath(new URL('../../../../docs/security.md', import.meta.url))
const HEADING = '## What was tried\n'

export interface TableRow {
  name: string
  tries: string
  /** What became of it in a run. */
  result: string
  /** Whether it escapes without any control; undefined where that is not tried. */
  bare?: boolean
  /** The controls each of which stops it alone. */
  alone?: string[]
}

const section = (): string => readFileSync(DOCUMENT, 'utf8').split(HEADING)[1]?.split('\n## ')[0] ?? ''

/** The names and the descriptions in the table, in its order. */
export function readTable(): Pick<TableRow, 'name' | 'tries'>[] {
  const rows = section().matchAll(/^\| `([a-z0-9-]+)` \| ([^|]+) \| /gm)
  return [...rows].map(([, name = '', tries = '']) => ({ name, tries }))
}

export interface Seen {
  rows: readonly TableRow[]
  /** Such as `Docker Engine 20.10, runc 1.1, Linux 6.1`. */
  where: string
}

/** Writes the section anew. */
export function writeTable({ rows, where }: Seen): void {
  const inside = rows.filter(({ bare }) => bare !== undefined)
  const escaping = inside.filter(({ bare }) => bare)
  const text = `
Tried by \`src/docker/__tests__/probes.test.ts\` whenever it has a Docker Engine, and written by it (\`UPDATE_DOCS=1\`), here on
${where}.

A probe proves a control when it escapes without controls and not in a run: of the ${inside.length} probes that run inside the
container ${escaping.length} do. The others find nothing to reach on this machine, or the engine keeps it from every container.
"Alone" names each control that stops a probe when it is the only one; \`--\` where it takes several, or none.

Process 1 of a container is an init program with the same user as the run's own, and holds the standard streams alone. That
a program can write to its memory (\`/proc/1/mem\`), as to that of its own children, gives it nothing.

| probe | tries to | in a run | without controls | alone |
|---|---|---|---|---|
${rows.map(line).join('\n')}
`
  const document = readFileSync(DOCUMENT, 'utf8')
  const [before = '', rest = ''] = document.split(HEADING)
  const after = rest.slice(rest.indexOf('\n## '))
  writeFileSync(DOCUMENT, `${before}${HEADING}${text}${after}`)
}

function line({ name, tries, result, bare, alone = [] }: TableRow): string {
  const without = bare === undefined ? 'not tried' : bare ? 'ESCAPED' : 'blocked'
  return `| \`${name}\` | ${tries} | ${result.replaceAll('|', '\\|')} | ${without} | ${alone.join(', ') || '--'} |`
}
