/** docs/skills.md and the tables in the READMEs of skills are what the definitions say; UPDATE_DOCS=1 writes them. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { it } from 'node:test'
import { skillsPage, withTables } from '../scripts/docs/skill-page.js'
import { INSTALLED_SKILLS } from '../src/commands/installed-skills.js'
import { spawnCli } from './cli-process.js'

const metas = INSTALLED_SKILLS.map(({ meta }) => meta)
const read = (path: string): string => readFileSync(path, 'utf8')

function assertWritten(path: string, wanted: string): void {
  if (process.env.UPDATE_DOCS === '1') writeFileSync(path, wanted)
  assert.equal(read(path), wanted, `${path} is not what the definitions say. Write it anew: UPDATE_DOCS=1`)
}

it('docs/skills.md is written from the definitions', () => {
  assertWritten('docs/skills.md', skillsPage(metas))
})

for (const meta of metas) {
  const path = `skills/${meta.name}/README.md`
  it(`${path}: the tables are the definitions', and each action has its description`, () => {
    assertWritten(path, withTables(read(path), meta))
    for (const { action, description } of meta.tools) {
      assert.ok(read(path).includes(`\n### \`${action}\`\n\n${description}\n`), action)
    }
  })
}

it('a table that was changed by hand is found', () => {
  const [meta] = metas
  assert.ok(meta)
  const changed = read(`skills/${meta.name}/README.md`).replace('(1-100)', '(1-1000)')
  assert.notEqual(withTables(changed, meta), changed)
})

it('skillgate skills lists every tool with its risk, and the policy vocabulary', async () => {
  const { output, exited } = spawnCli(['skills'], {})
  assert.equal(await exited, 0, output.stderr)
  for (const { name, risk, constraints } of metas.flatMap(({ tools }) => tools)) {
    assert.match(output.stdout, new RegExp(`^  ${name} +${risk} `, 'm'))
    for (const constraint of Object.keys((constraints?.properties as object) ?? {})) {
      assert.match(output.stdout, new RegExp(`policy: .*\\b${constraint}\\b`))
    }
  }
})

it('skillgate skills --json has the definitions whole', async () => {
  const { output, exited } = spawnCli(['skills', '--json'], {})
  assert.equal(await exited, 0, output.stderr)
  assert.deepEqual(JSON.parse(output.stdout), JSON.parse(JSON.stringify({ skills: metas })))
})
