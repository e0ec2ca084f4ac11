/** The environment of `skillgate serve`. */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
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
      publicKeys: {},
      gateway: undefined,
    })
  })

  it('reads lists and takes empty variables as not set', () => {
    const env = { ADMIN_TOKEN: LONG, HOST: '::', PORT: '0', ALLOWED_HOSTS: 'a.example, b.example:1', CORS_ORIGINS: '' }
    assert.deepEqual(parseSettings({ ...env, SIGNING_KEY: '' }), {
      signingKey: undefined,
      adminToken: LONG,
      host: '::',
      port: 0,
      allowedHosts: ['a.example', 'b.example:1'],
      corsOrigins: [],
      publicKeys: {},
      gateway: undefined,
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

  describe('PUBLIC_KEYS', () => {
    const place = mkdtempSync(join(tmpdir(), 'skillgate-test-'))
    after(() => rmSync(place, { recursive: true, force: true }))
    const pem = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }).toString()

    function parse(text: string) {
      const path = join(place, 'keys.json')
      writeFileSync(path, text)
      return parseSettings({ ADMIN_TOKEN: 'demo', PUBLIC_KEYS: path }).publicKeys
    }

    it('is a JSON file of keys by id; empty means none', () => {
      assert.deepEqual(parse(JSON.stringify({ release: pem })), { release: pem })
      assert.deepEqual(parseSettings({ ADMIN_TOKEN: 'demo', PUBLIC_KEYS: '' }).publicKeys, {})
    })

    const files: [what: string, text: string, reason: RegExp][] = [
      ['no JSON', 'release=x', /it is not JSON/],
      ['nothing', '', /it is not JSON/],
      ['a list', '["x"]', /publicKeys must be an object/],
      ['a text', '"x"', /publicKeys must be an object/],
      ['null', 'null', /publicKeys must be an object/],
      ['no key at all', '{}', /holds no key/],
      ['a key that is none', '{"release": "x"}', /publicKeys\["release"\] is no public key/],
      ['a good key and a number', JSON.stringify({ good: pem, bad: 7 }), /publicKeys\["bad"\] must be a string/],
    ]
    for (const [what, text, reason] of files) {
      it(`is refused when the file holds ${what}`, () => {
        assert.throws(
          () => parse(text),
          (error: Error & { code: string; details: { field: string } }) => {
            assert.deepEqual([error.code, error.details.field], ['INVALID_INPUT', 'PUBLIC_KEYS'])
            assert.match(error.message, reason)
            assert.match(error.message, /^PUBLIC_KEYS ".*keys\.json" \(string\): [\s\S]*[^.]\.$/)
            return true
          },
        )
      })
    }

    it('is refused when there is no such file', () => {
      const env = { ADMIN_TOKEN: 'demo', PUBLIC_KEYS: join(place, 'nowhere.json') }
      assert.throws(() => parseSettings(env), { message: /nowhere\.json.*cannot be read \(ENOENT\)/ })
      assert.throws(() => parseSettings({ ...env, PUBLIC_KEYS: place }), { message: /cannot be read \(EISDIR\)/ })
    })
  })
})
