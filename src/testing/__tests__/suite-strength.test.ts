/** A suite that cannot fail proves nothing: each broken implementation fails its suite, and a right one passes. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { it } from 'node:test'
import { fileURLToPath } from 'node:url'

const FILE = fileURLToPath(new URL('broken-implementations.ts', import.meta.url))
const RIGHT = ['skill: speaker', 'store: right']

it('of the stores and skills that are each wrong in one way, none passes its suite', () => {
  // Without the runner's own variables, or the child would report to it instead of printing.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const args = ['--import', 'tsx', '--test-reporter=tap', FILE]
  const { stdout, status } = spawnSync(process.execPath, args, { encoding: 'utf8', env, maxBuffer: 256 * 1024 ** 2 })
  const suites = [...stdout.matchAll(/^(not ok|ok) \d+ - ((?:store|skill): .*)$/gm)]
  const passed = suites.filter(([, outcome]) => outcome === 'ok').map(([, , name]) => name)
  assert.deepEqual(passed.toSorted(), RIGHT)
  assert.ok(suites.length > 35, `only ${suites.length} suites ran`)
  assert.equal(status, 1)

  // Wrong in one way: a suite of which everything fails was not wrong in one way, but did not work.
  const perSuite = stdout.split(/^# Subtest: /m).slice(1)
  for (const text of perSuite) {
    const failed = [...text.matchAll(/^ {4,8}not ok /gm)].length
    const fine = [...text.matchAll(/^ {4,8}ok /gm)].length
    assert.ok(fine > failed / 4, text.slice(0, 200))
  }
})
