/** `skillgate audit export` into a pipe whose reader goes away. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { spawnCli } from '../../../__tests__/cli-process.js'
import { createGate } from '../../core/gate.js'
import { createEmbeddedStore } from '../../stores/embedded.js'

it('an export ends quietly when its reader does', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'skillgate-reader-'))
  t.after(() => rm(directory, { recursive: true }))
  const gate = createGate({ skills: [], store: await createEmbeddedStore({ directory }) })
  for (let count = 0; count < 3; count++) await gate.createSession()
  await gate.close()
  const { process: child, exited, output } = spawnCli(['audit', 'export'], { DATA_DIR: directory })
  child.stdout?.destroy()
  assert.deepEqual([await exited, output.stderr], [0, ''])
})
