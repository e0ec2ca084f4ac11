/** `skillgate doctor` beside `serve`: what the one refuses to start with, the other says to mend. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { spawnCli } from '../../../__tests__/cli-process.js'
import { createFakeEngine } from '../../testing/index.js'

const PASSWORD = 'hunter2hunter2'
const KEY = 'k'.repeat(32)

describe('doctor and serve', () => {
  const REFUSED: [what: string, env: Record<string, string>, reason: RegExp][] = [
    [
      'a shared store without a key',
      { DATABASE_URL: `postgres://u:${PASSWORD}@127.0.0.1:9/log` },
      /SIGNING_KEY is not set, and the hosts on a shared store need the same/,
    ],
    [
      'a port that is none',
      { DATABASE_URL: `postgres://u:${PASSWORD}@127.0.0.1:99999/log`, SIGNING_KEY: KEY },
      /DATABASE_URL is no URL/,
    ],
    [
      'a password with a bare %',
      { DATABASE_URL: `postgres://u:${PASSWORD}%zz@127.0.0.1:9/log`, SIGNING_KEY: KEY },
      /DATABASE_URL is no URL/,
    ],
  ]
  for (const [what, env, reason] of REFUSED) {
    it(`refuse ${what}, each with its exit code and without the password`, async (t) => {
      const engine = await createFakeEngine()
      t.after(() => engine.close())
      for (const [command, code] of [
        ['doctor', 1],
        ['serve', 2],
      ] as const) {
        const { exited, output } = spawnCli([command], {
          ADMIN_TOKEN: 'demo',
          PORT: '0',
          DOCKER_HOST: engine.host,
          ...env,
        })
        assert.equal(await exited, code, JSON.stringify(output))
        const told = output.stdout + output.stderr
        assert.match(told, reason)
        assert.doesNotMatch(told, /hunter2|Tools would work/)
      }
    })
  }

  it('doctor needs no database that answers, with the key', async (t) => {
    const engine = await createFakeEngine()
    t.after(() => engine.close())
    const DATABASE_URL = `postgres://u:${PASSWORD}@127.0.0.1:9/log`
    const { exited, output } = spawnCli(['doctor'], { DATABASE_URL, SIGNING_KEY: KEY, DOCKER_HOST: engine.host })
    assert.equal(await exited, 0, JSON.stringify(output))
    assert.match(output.stdout, /^store +PostgreSQL 127\.0\.0\.1:9\/log$/m)
  })
})
