/** Every entry point of the built package can be imported by name, as its users import it. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'

const { exports } = JSON.parse(readFileSync('package.json', 'utf8')) as { exports: Record<string, unknown> }

for (const entry of Object.keys(exports).filter((name) => !name.endsWith('.json'))) {
  const name = `skillgate${entry.slice(1)}`
  test(`${name} can be imported by plain Node`, () => {
    const script = `const found = await import(${JSON.stringify(name)}); console.log(Object.keys(found).length)`
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
    })
    assert.equal(status, 0, stderr)
    assert.ok(Number(stdout) > 0)
  })
}
