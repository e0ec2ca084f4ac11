/** Which store a command's environment names, and what names none. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isFailure } from '../../core/failure.js'
import { parseStoreSettings, passwordsOf } from '../store.js'

const URL = 'postgres://skillgate:hunter2hunter2@db.example/log'

const SHARED = { kind: 'postgres', connectionString: URL, leaseMs: 15_000, concurrency: 16 }

describe('the store of a command', () => {
  const GOOD: [what: string, env: Record<string, string>, settings: object][] = [
    ['nothing', {}, { kind: 'embedded', directory: './.skillgate' }],
    [
      'empty variables',
      { DATA_DIR: '', DATABASE_URL: '', LEASE_MS: '' },
      { kind: 'embedded', directory: './.skillgate' },
    ],
    ['a directory', { DATA_DIR: '/data' }, { kind: 'embedded', directory: '/data' }],
    ['a database', { DATABASE_URL: URL }, SHARED],
    [
      'a password with an encoded %',
      { DATABASE_URL: 'postgres://u:a%25b@db/log' },
      { ...SHARED, connectionString: 'postgres://u:a%25b@db/log' },
    ],
    ['a lease', { DATABASE_URL: URL, LEASE_MS: '3000' }, { ...SHARED, leaseMs: 3_000 }],
    [
      'numbers of runs',
      { DATABASE_URL: URL, CONCURRENCY: '2', MAX_CONCURRENT_RUNS: '5' },
      { ...SHARED, concurrency: 2, maxConcurrentRuns: 5 },
    ],
  ]
  for (const [what, env, settings] of GOOD) {
    it(`follows from ${what}`, () => assert.deepEqual(parseStoreSettings(env), settings))
  }

  const BAD: [what: string, env: Record<string, string>, field: string][] = [
    ['a directory and a database', { DATA_DIR: '/data', DATABASE_URL: URL }, 'DATA_DIR'],
    ['a database of another kind', { DATABASE_URL: 'mysql://root:hunter2hunter2@db/log' }, 'DATABASE_URL'],
    ['a database without a place', { DATABASE_URL: 'postgres://' }, 'DATABASE_URL'],
    ['a database at a port that is none', { DATABASE_URL: 'postgres://u:hunter2hunter2@db:99999/log' }, 'DATABASE_URL'],
    ['a password with a bare %', { DATABASE_URL: 'postgres://u:hunter2%zzhunter2@db/log' }, 'DATABASE_URL'],
    ['a password that is no UTF-8', { DATABASE_URL: 'postgres://u:hunter2%E0@db/log' }, 'DATABASE_URL'],
    ['a lease without a database', { LEASE_MS: '3000' }, 'LEASE_MS'],
    ['a lease that is no number', { DATABASE_URL: URL, LEASE_MS: '3s' }, 'LEASE_MS'],
    ['a lease that is too short', { DATABASE_URL: URL, LEASE_MS: '999' }, 'LEASE_MS'],
    ['a number of runs without a database', { CONCURRENCY: '4' }, 'CONCURRENCY'],
    ['a total without a database', { MAX_CONCURRENT_RUNS: '4' }, 'MAX_CONCURRENT_RUNS'],
    ['no run at a time', { DATABASE_URL: URL, CONCURRENCY: '0' }, 'CONCURRENCY'],
    ['a total that is no number', { DATABASE_URL: URL, MAX_CONCURRENT_RUNS: 'all' }, 'MAX_CONCURRENT_RUNS'],
    ['a lease that is too long', { DATABASE_URL: URL, LEASE_MS: '600001' }, 'LEASE_MS'],
  ]
  for (const [what, env, field] of BAD) {
    it(`is refused for ${what}, without a word of the password`, () => {
      assert.throws(
        () => parseStoreSettings(env),
        (error) =>
          isFailure(error) &&
          error.details?.field === field &&
          error.message.includes(field) &&
          !/hunter2/.test(error.message),
      )
    })
  }

  for (const [what, url, env, passwords] of [
    ['the URL', 'postgres://u:a%25b@db/log', {}, ['a%b', '', '']],
    ['its query', 'postgres://u@db/log?password=a%25b', {}, ['', 'a%b', '']],
    ['the environment', 'postgres://u@db/log', { PGPASSWORD: 'a%b' }, ['', '', 'a%b']],
  ] as const) {
    it(`has its password from ${what}`, () => {
      assert.deepEqual(passwordsOf(parseStoreSettings({ DATABASE_URL: url }), env), passwords)
      assert.deepEqual(passwordsOf(parseStoreSettings({}), env), [])
    })
  }
})
