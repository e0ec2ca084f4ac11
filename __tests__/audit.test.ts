/** `skillgate audit`: a log is exported beside the server that writes it, and its file is verified anywhere. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import pg from 'pg'
import { createGate } from '../src/core/gate.js'
import { createEmbeddedStore } from '../src/stores/embedded.js'
import { type Cli, expect, NO_ENGINE, spawnCli, startCli, stopCli } from './cli-process.js'

const CONNECTION = process.env.SKILLGATE_TEST_POSTGRES
const missing = CONNECTION ? false : 'no PostgreSQL: set SKILLGATE_TEST_POSTGRES to its connection string'
if (missing) console.log(`# the export of a log in PostgreSQL is not tested: ${missing}`)

/** A command that ends by itself. */
async function run(args: string[], env: Record<string, string> = {}) {
  const { exited, output } = spawnCli(args, env)
  return { code: await exited, ...output }
}

interface Place {
  env: Record<string, string>
  /** What is there beside the log, such as hosts and tables: no reader may change it. */
  look(): Promise<unknown>
  remove(): Promise<void>
}

async function directory(): Promise<Place> {
  const path = await mkdtemp(join(tmpdir(), 'skillgate-audit-'))
  return {
    env: { DATA_DIR: path },
    look: async () => (await readdir(path)).filter((name) => !/-(?:wal|shm)$/.test(name)).toSorted(),
    remove: () => rm(path, { recursive: true }),
  }
}

async function database(): Promise<Place> {
  const name = `skillgate_${randomBytes(6).toString('hex')}`
  const ask = async (sql: string, url = CONNECTION): Promise<unknown[]> => {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    try {
      return (await client.query(sql)).rows
    } finally {
      await client.end()
    }
  }
  await ask(`CREATE DATABASE ${name}`)
  const url = new URL(CONNECTION ?? '')
  url.pathname = name
  return {
    env: { DATABASE_URL: url.href },
    async look() {
      const tables = await ask("SELECT relname FROM pg_class WHERE relname LIKE 'skillgate%' ORDER BY 1", url.href)
      return [tables, tables.length > 0 && (await ask('SELECT host_id FROM skillgate_hosts', url.href))]
    },
    remove: () => ask(`DROP DATABASE ${name} WITH (FORCE)`).then(() => {}),
  }
}

const PLACES: [what: string, create: () => Promise<Place>, skip: string | false][] = [
  ['a directory', directory, false],
  ['PostgreSQL', database, process.env.REQUIRE_LIVE === '1' ? false : missing],
]

for (const [what, create, skip] of PLACES) {
  describe(`audit of a log in ${what}`, { skip }, () => {
    let place: Place
    let empty: Place
    let server: Cli
    let files: string
    const ids: string[] = []
    before(async () => {
      files = await mkdtemp(join(tmpdir(), 'skillgate-export-'))
      place = await create()
      empty = await create()
      server = await startCli({ ...place.env, DOCKER_HOST: NO_ENGINE, SIGNING_KEY: 'k'.repeat(32) })
      for (const _ of [1, 2]) {
        const { id } = await expect<{ id: string }>(server, 201, 'POST', '/v1/sessions', '{}')
        const overrides = [{ tool: 'docker.run', allow: true }]
        await expect(server, 200, 'PUT', `/v1/sessions/${id}/policy`, JSON.stringify({ overrides }))
        ids.push(id)
      }
    })
    after(async () => {
      await stopCli(server)
      await rm(files, { recursive: true })
      await Promise.all([place, empty].map(({ remove }) => remove()))
    })

    async function verify(text: string) {
      const path = join(files, `${randomBytes(4).toString('hex')}.jsonl`)
      await writeFile(path, text)
      return run(['audit', 'verify', path])
    }

    it('is exported beside the running server, which goes on, and verifies', async () => {
      const before = await place.look()
      const exported = await run(['audit', 'export'], place.env)
      assert.deepEqual([exported.code, exported.stderr], [0, ''])
      assert.deepEqual(await place.look(), before)
      const events = exported.stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line))
      for (const id of ids) assert.equal(events.filter(({ session_id }) => session_id === id).length, 2)
      const verified = await verify(exported.stdout)
      assert.deepEqual([verified.code, verified.stderr], [0, ''])
      assert.match(verified.stdout, new RegExp(`is intact: ${events.length} events in \\d chains`))
      await expect(server, 201, 'POST', '/v1/sessions', '{}')
    })

    it('is exported for one session', async () => {
      const { code, stdout } = await run(['audit', 'export', '--session', ids[0] as string], place.env)
      assert.deepEqual([code, stdout.split('\n').length], [0, 3])
      assert.equal((await verify(stdout)).code, 0)
    })

    it('is not exported for a session that it does not have', async () => {
      const { code, stdout, stderr } = await run(['audit', 'export', '--session', 'nobody'], place.env)
      assert.deepEqual([code, stdout], [2, ''])
      assert.match(stderr, /no session "nobody"/)
    })

    it('shows a changed byte, with its session and sequence number', async () => {
      const { stdout } = await run(['audit', 'export', '--session', ids[1] as string], place.env)
      const { code, stdout: told } = await verify(stdout.replace('docker.run', 'docker.ruN'))
      assert.equal(code, 1)
      assert.match(told, new RegExp(`NOT intact: line 2 \\(session ${ids[1]}, event 2\\)`))
    })

    it('is not made where there is none', async () => {
      const before = await empty.look()
      const { code, stdout, stderr } = await run(['audit', 'export'], empty.env)
      assert.deepEqual([code, stdout], [2, ''])
      assert.match(stderr, /^skillgate: (?:There is no log in|This database does not hold a log)/)
      assert.deepEqual(await empty.look(), before)
    })
  })
}

describe('a file that is no exported log', () => {
  it('is refused when it is missing', async () => {
    const { code, stderr } = await run(['audit', 'verify', '/nonexistent/log.jsonl'])
    assert.equal(code, 2)
    assert.match(stderr, /\/nonexistent\/log\.jsonl cannot be read \(ENOENT\)/)
  })

  it('is not intact when it is empty', async () => {
    const { code, stdout } = await run(['audit', 'verify', '/dev/null'])
    assert.equal(code, 1)
    assert.match(stdout, /line 1: there is no event in it/)
  })
})

it('an export ends quietly when its reader does', async (t) => {
  const { env, remove } = await directory()
  t.after(remove)
  const gate = createGate({ skills: [], store: await createEmbeddedStore({ directory: env.DATA_DIR as string }) })
  for (let count = 0; count < 3; count++) await gate.createSession()
  await gate.close()
  const { process: child, exited, output } = spawnCli(['audit', 'export'], env)
  child.stdout?.destroy()
  assert.deepEqual([await exited, output.stderr], [0, ''])
})
