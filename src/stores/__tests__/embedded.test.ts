/** The embedded store passes the suite of all stores, with each SQLite that is here. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { testStore } from '../../testing/store-suite.js'
import { createEmbeddedStore } from '../embedded.js'

const root = mkdtempSync(join(tmpdir(), 'skillgate-embedded-'))
after(() => rmSync(root, { recursive: true }))
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)

for (const driver of ['node:sqlite', 'libsql'] as const) {
  const isHere = driver === 'libsql' || major > 22 || (major === 22 && minor >= 13)
  testStore(`embedded on ${driver}`, {
    open: () => createEmbeddedStore({ directory: mkdtempSync(join(root, 'store-')), driver }),
    skip: isHere ? undefined : `Node ${process.version} has no node:sqlite`,
  })
}
