/** `skillgate doctor`: what it finds, what it says to mend, its exit code, and that it agrees with `serve`. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createFakeEngine } from '../src/testing/index.js'
import { NO_ENGINE, spawnCli } from './cli-process.js'

async function examine(env: Record<string, string>, ...args: string[]) {
  const { output, exited } = spawnCli(['doctor', ...args], env)
  const code = await exited
  assert.equal(output.stderr, '', JSON.stringify(output))
  return { code, text: output.stdout }
}

describe('skillgate doctor', () => {
  it('tells engine, address, where that came from, posture and store, and exits with 0', async (t) => {
    const engine = await createFakeEngine()
    t.after(() => engine.close())
    const { code, text } = await examine({ DOCKER_HOST: engine.host, DATA_DIR: '/srv/log' })
    assert.equal(code, 0, text)
    for (const line of [
      /^engine +docker 20\.10\.24 \(linux\/\w+\), API 1\.41$/m,
      new RegExp(`^address +${engine.host}, from DOCKER_HOST$`, 'm'),
      /^posture +cgroup v\d, seccomp/m,
      /^runtime +\S/m,
      /^store +directory \/srv\/log$/m,
      /^Tools would work\.$/m,
    ]) {
      assert.match(text, line)
    }
    assert.deepEqual([...new Set(engine.requests.map(({ method }) => method))], ['GET'])
  })

  it('says the same as a document', async (t) => {
    const engine = await createFakeEngine()
    t.after(() => engine.close())
    const { code, text } = await examine({ DOCKER_HOST: engine.host }, '--json')
    const { ok, engine: found, posture, problems } = JSON.parse(text)
    assert.deepEqual([code, ok, problems], [0, true, []])
    assert.deepEqual([found.address, found.source, found.apiVersion], [engine.host, 'DOCKER_HOST', '1.41'])
    assert.equal(typeof posture.cgroup_version, 'number')
  })

  const refused: [name: string, env: Record<string, string>, reason: RegExp][] = [
    ['no engine', { DOCKER_HOST: NO_ENGINE }, /^mend +No engine listens at .*Start Docker, or set DOCKER_HOST/m],
    ['an address that is none', { DOCKER_HOST: 'docker' }, /^mend +Docker host "docker"/m],
    ['a context without files', { DOCKER_CONTEXT: 'x' }, /^mend +DOCKER_CONTEXT is set/m],
    ['half a gateway', { GATEWAY_URL: 'https://gateway' }, /^mend +GATEWAY_CREDENTIAL is not set/m],
    [
      'a gateway that is away',
      { GATEWAY_URL: 'http://127.0.0.1:1', GATEWAY_CREDENTIAL: 'key-of-the-example' },
      /^gateway +http:\/\/127\.0\.0\.1:1$[\s\S]*^mend +No gateway listens/m,
    ],
    [
      'two stores',
      { DOCKER_HOST: NO_ENGINE, DATA_DIR: '/x', DATABASE_URL: 'postgres://u:secret@h/d' },
      /^mend +DATA_DIR and DATABASE_URL/m,
    ],
  ]
  for (const [name, env, reason] of refused) {
    it(`exits with 1 and what to mend for ${name}`, async () => {
      const { code, text } = await examine(env)
      assert.equal(code, 1, text)
      assert.match(text, reason)
      assert.match(text, /^Tools would not work\.$/m)
      assert.doesNotMatch(text, /secret|key-of-the-example/)
    })
  }

  it('names an engine that cannot keep a control', async (t) => {
    const engine = await createFakeEngine()
    t.after(() => engine.close())
    engine.fault('GET /info', { alter: (info) => Object.assign(info, { PidsLimit: false }) })
    const { code, text } = await examine({ DOCKER_HOST: engine.host })
    assert.equal(code, 1)
    assert.match(text, /^mend +The engine cannot keep the control “process limit”/m)
  })

  it('advises TLS for an engine on a bare port', async (t) => {
    const engine = await createFakeEngine({ tcp: true })
    t.after(() => engine.close())
    const { code, text } = await examine({ DOCKER_HOST: engine.host })
    assert.equal(code, 0, text)
    assert.match(text, /^consider +The engine is reached without TLS/m)
  })
})

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
