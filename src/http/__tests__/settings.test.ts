/** The environment of `skillgate serve`. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseSettings } from '../settings.js'

const LONG = 'correct-horse-battery'

describe('the environment of serve', () => {
  it('needs nothing but a token', () => {
    assert.deepEqual(parseSettings({ ADMIN_TOKEN: 'demo' }), {
      adminToken: 'demo',
      host: '127.0.0.1',
      port: 8090,
      allowedHosts: [],
      corsOrigins: [],
      signingKey: undefined,
    })
  })

  it('reads lists and takes empty variables as not set', () => {
    const env = { ADMIN_TOKEN: LONG, HOST: '::', PORT: '0', ALLOWED_HOSTS: 'a.example, b.example:1', CORS_ORIGINS: '' }
    assert.deepEqual(parseSettings({ ...env, DATA_DIR: '', DATABASE_URL: '', SIGNING_KEY: '' }), {
      signingKey: undefined,
      adminToken: LONG,
      host: '::',
      port: 0,
      allowedHosts: ['a.example', 'b.example:1'],
      corsOrigins: [],
    })
  })

  for (const host of ['localhost', '127.0.0.1', '127.1.2.3', '::1']) {
    it(`takes a short token on ${host}`, () => {
      assert.equal(parseSettings({ ADMIN_TOKEN: 'demo', HOST: host }).host, host)
    })
  }

  const refused: [env: Record<string, string>, field: string, reason: RegExp][] = [
    [{}, 'ADMIN_TOKEN', /is not set/],
    [{ ADMIN_TOKEN: '' }, 'ADMIN_TOKEN', /is not set/],
    [{ ADMIN_TOKEN: 'with blank' }, 'ADMIN_TOKEN', /blanks/],
    [{ ADMIN_TOKEN: 'demo', HOST: '0.0.0.0' }, 'ADMIN_TOKEN', /4 characters; at least 16/],
    [{ ADMIN_TOKEN: 'demo', HOST: '::' }, 'ADMIN_TOKEN', /at least 16/],
    [{ ADMIN_TOKEN: 'fifteen-letters', HOST: 'gate.example' }, 'ADMIN_TOKEN', /at least 16/],
    [{ ADMIN_TOKEN: LONG, HOST: 'http://x' }, 'HOST', /no address/],
    [{ ADMIN_TOKEN: LONG, HOST: '127.0.0.1:80' }, 'HOST', /no address/],
    [{ ADMIN_TOKEN: LONG, HOST: '-x' }, 'HOST', /no address/],
    [{ ADMIN_TOKEN: LONG, PORT: '65536' }, 'PORT', /no port/],
    [{ ADMIN_TOKEN: LONG, PORT: '-1' }, 'PORT', /no port/],
    [{ ADMIN_TOKEN: LONG, PORT: '80a' }, 'PORT', /no port/],
    [{ ADMIN_TOKEN: LONG, PORT: '8e3' }, 'PORT', /no port/],
    [{ ADMIN_TOKEN: LONG, PORT: ' ' }, 'PORT', /no port/],
    [{ ADMIN_TOKEN: LONG, ALLOWED_HOSTS: 'a.example,,b.example' }, 'ALLOWED_HOSTS', /empty entry/],
    [{ ADMIN_TOKEN: LONG, CORS_ORIGINS: ',' }, 'CORS_ORIGINS', /empty entry/],
    [{ ADMIN_TOKEN: LONG, SIGNING_KEY: 'short' }, 'SIGNING_KEY', /has 5 bytes; 32 are needed/],
    [{ ADMIN_TOKEN: LONG, DATA_DIR: '/data' }, 'DATA_DIR', /in memory only/],
    [{ ADMIN_TOKEN: LONG, DATABASE_URL: 'postgres://db' }, 'DATABASE_URL', /in memory only/],
  ]
  for (const [env, field, reason] of refused) {
    it(`refuses ${JSON.stringify(env)}`, () => {
      assert.throws(
        () => parseSettings(env),
        (error: Error & { code: string; details: { field: string } }) => {
          assert.equal(error.code, 'INVALID_INPUT')
          assert.equal(error.details.field, field)
          assert.match(error.message, reason)
          assert.ok(error.message.startsWith(field))
          return true
        },
      )
    })
  }

  it('never repeats the token', () => {
    assert.throws(
      () => parseSettings({ ADMIN_TOKEN: 's3cret!', HOST: '0.0.0.0' }),
      (error: Error) => !error.message.includes('s3cret'),
    )
  })
})
