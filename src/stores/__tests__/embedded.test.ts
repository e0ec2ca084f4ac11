/** The embedded store passes the suite of all stores, with each SQLite that is here, and guards its directory. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { isFailure } from '../../core/failure.js'
import type { Store } from '../../core/store.js'
import { sealOnto } from '../../testing/sealed-chain.js'
import { testStore } from '../../testing/store-suite.js'
import { createEmbeddedStore } from '../embedded.js'
import { createSqlStore } from '../sql.js'
import { createSqliteDatabase, findDriver } from '../sqlite.js'

const root = mkdtempSync(join(tmpdir(), 'skillgate-embedded-'))
after(() => rmSync(root, { recursive: true }))
const newDirectory = (): string => mkdtempSync(join(root, 'store-'))
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
const notes = sealOnto('s1', undefined, [
  { type: 'message.appended', data: {} },
  { type: 'run.queued', run_id: 'r1', data: {} },
  { type: 'run.finished', run_id: 'r1', data: {} },
])
const isUnavailable = (text: RegExp) => (error: unknown) =>
  isFailure(error) && error.code === 'UNAVAILABLE' && text.test(error.message)

for (const driver of ['node:sqlite', 'libsql'] as const) {
  const isHere = driver === 'libsql' || major > 22 || (major === 22 && minor >= 13)
  const skip = isHere ? undefined : `Node ${process.version} has no node:sqlite`
  const directories = new WeakMap<Store, string>()
  const open = async (directory: string): Promise<Store> => {
    const store = await createEmbeddedStore({ directory, driver })
    directories.set(store, directory)
    return store
  }
  testStore(`embedded on ${driver}`, {
    open: () => open(newDirectory()),
    async reopen(store) {
      await store.close?.()
      return open(directories.get(store) ?? '')
    },
    skip,
  })

  describe(`the directory of an embedded store on ${driver}`, { skip: skip ?? false }, () => {
    test('nobody but its owner can read the files', async () => {
      const directory = join(newDirectory(), 'log')
      const store = await createEmbeddedStore({ directory, driver })
      await store.append(notes)
      assert.equal(statSync(directory).mode & 0o777, 0o700)
      const files = readdirSync(directory)
      assert.ok(files.includes('log.db-wal'))
      for (const file of files) assert.equal(statSync(join(directory, file)).mode & 0o077, 0, file)
      await store.close?.()
    })

    test('one process writes at a time; others read beside it; when it is killed, the next one finds all', async () => {
      const directory = newDirectory()
      const writer = spawn(
        process.execPath,
        ['--import', 'tsx', '--input-type=module', '-e', WRITER, directory, driver],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      )
      await once(writer.stdout, 'data')
      await assert.rejects(createEmbeddedStore({ directory, driver }), isUnavailable(/Another process writes/))
      const reader = await createEmbeddedStore({ directory, driver, readOnly: true })
      assert.equal((await reader.query({ limit: 10 })).length, 1)
      await assert.rejects(reader.append(notes), isUnavailable(/reading only/))
      await reader.close?.()
      writer.kill('SIGKILL')
      await once(writer, 'exit')
      const next = await createEmbeddedStore({ directory, driver })
      assert.equal((await next.query({ limit: 10 })).length, 1)
      await next.close?.()
    })

    test('a file that is no database is refused, and stays as it is', async () => {
      const directory = newDirectory()
      writeFileSync(join(directory, 'log.db'), 'no database'.repeat(1_000))
      await assert.rejects(createEmbeddedStore({ directory, driver }), isUnavailable(/log\.db/))
      assert.equal(readFileSync(join(directory, 'log.db'), 'utf8'), 'no database'.repeat(1_000))
    })

    test('a log of a newer schema is refused', async () => {
      const directory = newDirectory()
      await (await createEmbeddedStore({ directory, driver })).close?.()
      await changed(directory, 'INSERT INTO skillgate_schema (version) VALUES (99)')
      for (const readOnly of [true, false]) {
        await assert.rejects(createEmbeddedStore({ directory, driver, readOnly }), isUnavailable(/schema 99/))
      }
    })

    const DAMAGES: Record<string, [sql: string, found: RegExp, chain: string | null]> = {
      'an end of the log before its last event': ['UPDATE skillgate_log_end SET position = 1', /end of the log/, null],
      'an end of the log that is not there': ['DELETE FROM skillgate_log_end', /end of the log/, null],
      'a chain without its blocks': ['DELETE FROM skillgate_chain_blocks', /index of chains/, 's1'],
      'a chain that is not listed': ['DELETE FROM skillgate_chains', /index of chains/, 's1'],
      'events in wrong blocks': ['UPDATE skillgate_events SET block = 7', /index of chains/, 's1'],
      'an open run that has finished': [
        "INSERT INTO skillgate_open_runs VALUES ('r1', 2, 's1', x'00')",
        /r1 was kept as open/,
        's1',
      ],
    }
    for (const [what, [sql, found, chain]] of Object.entries(DAMAGES)) {
      test(`${what} is mended and told`, async () => {
        const directory = newDirectory()
        const store = await createEmbeddedStore({ directory, driver })
        await store.append(notes.slice(0, 1))
        await store.append(notes.slice(1))
        await store.close?.()
        await changed(directory, sql)
        const mended = await createEmbeddedStore({ directory, driver })
        assert.deepEqual(
          mended.repairs?.().map(({ session_id }) => session_id),
          [chain],
        )
        assert.match(mended.repairs?.()[0]?.what ?? '', found)
        assert.equal((await mended.query({ session_id: 's1', limit: 10 })).length, 3)
        assert.deepEqual(await mended.chains({ limit: 10 }), ['s1'])
        assert.deepEqual(await mended.openRuns({ limit: 10 }), [])
        await mended.append(sealOnto('s1', notes[2], [{ type: 'message.appended', data: {} }]))
        await mended.close?.()
        const again = await createEmbeddedStore({ directory, driver })
        assert.deepEqual(again.repairs?.(), [])
        await again.close?.()
      })
    }

    async function changed(directory: string, sql: string): Promise<void> {
      const connection = (await findDriver(driver))(join(directory, 'log.db'))
      connection.exec(sql)
      connection.close()
    }

    test('a hook that fails refuses every append of its transaction, and the next ones go on', async () => {
      const connection = (await findDriver(driver))(join(newDirectory(), 'x.db'))
      let fails = true
      const opened: string[] = []
      const store = await createSqlStore(createSqliteDatabase(connection), {
        lease: () => 'host',
        holding: async (_query, leases) => {
          if (fails) throw new Error('no leases')
          return new Set(leases)
        },
        onRuns: async (_query, sessions) => void opened.push(...sessions),
      })
      const opens = { run_id: 'r1', session_id: 's1', payload: Uint8Array.of(1) }
      const refused = await Promise.allSettled([store.append(notes.slice(0, 1)), store.append([])])
      for (const outcome of refused) {
        assert.ok(outcome.status === 'rejected' && isFailure(outcome.reason))
        assert.deepEqual([outcome.reason.code, outcome.reason.details], ['UNAVAILABLE', { applied: 'no' }])
      }
      fails = false
      await store.append(notes.slice(0, 2), { opens })
      assert.deepEqual(opened, ['s1'])
      assert.equal((await store.query({ limit: 10 })).length, 2)
      await store.close?.()
    })

    test('nothing is said on standard error', () => {
      const script = `const { createEmbeddedStore } = await import('./src/stores/embedded.ts')
        const store = await createEmbeddedStore({ directory: process.argv[1], driver: process.argv[2] })
        await store.close()`
      const { stderr, status } = spawnSync(
        process.execPath,
        ['--import', 'tsx', '--input-type=module', '-e', script, newDirectory(), driver],
        { encoding: 'utf8' },
      )
      assert.deepEqual([stderr, status], ['', 0])
    })
  })
}

const WRITER = `
  const { createEmbeddedStore } = await import('./src/stores/embedded.ts')
  const { sealOnto } = await import('./src/testing/sealed-chain.ts')
  const store = await createEmbeddedStore({ directory: process.argv[1], driver: process.argv[2] })
  await store.append(sealOnto('s1', undefined, [{ type: 'message.appended', data: {} }]))
  console.log('appended')
  setInterval(() => {}, 1_000_000)
`
