/** Who gets in: tokens, Host headers, origins. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createHttpApp } from '../app.js'
import { codeOf, createFixture, TOKEN } from './fixture.js'

describe('[S18] the token', () => {
  const refused: [name: string, authorization: string | null][] = [
    ['none', null],
    ['empty', ''],
    ['another scheme', `Basic ${TOKEN}`],
    ['the scheme alone', 'Bearer'],
    ['the token alone', TOKEN],
    ['a wrong one', 'Bearer wrong'],
    ['the beginning of it', `Bearer ${TOKEN.slice(0, -1)}`],
    ['more than it', `Bearer ${TOKEN}x`],
    ['another case', `Bearer ${TOKEN.toUpperCase()}`],
    ['two of them', `Bearer ${TOKEN}, Bearer ${TOKEN}`],
    ['a very long one', `Bearer ${'x'.repeat(10_000)}`],
  ]
  for (const [name, authorization] of refused) {
    it(`is refused: ${name}`, async () => {
      const { call } = createFixture()
      for (const path of ['/v1/sessions', '/v1/nothing', '/', '/v1/health/', '/v1/health/x']) {
        const reply = await call('GET', path, { headers: { authorization } })
        assert.equal(reply.status, 401, path)
        assert.equal(codeOf(reply), 'UNAUTHORIZED')
        assert.equal(reply.headers.get('www-authenticate'), 'Bearer')
        assert.doesNotMatch(JSON.stringify(reply.json), new RegExp(TOKEN))
      }
    })
  }

  for (const scheme of ['Bearer', 'bearer', 'BEARER', 'Bearer  ']) {
    it(`is accepted after ${JSON.stringify(scheme)}`, async () => {
      const { call } = createFixture()
      const reply = await call('GET', '/v1/sessions', { headers: { authorization: `${scheme} ${TOKEN}` } })
      assert.equal(reply.status, 200)
    })
  }

  it('is asked for before the path, the method and the body are looked at', async () => {
    const { call } = createFixture()
    const headers = { authorization: null }
    assert.equal((await call('DELETE', '/v1/sessions', { headers })).status, 401)
    assert.equal((await call('POST', '/v1/sessions', { headers, raw: 'no json' })).status, 401)
    assert.equal((await call('POST', '/v1/health', { headers })).status, 401)
    assert.equal((await call('OPTIONS', '/v1/sessions', { headers })).status, 401)
  })

  it('is not needed for health and the OpenAPI document', async () => {
    const { call } = createFixture()
    for (const path of ['/v1/health', '/v1/openapi.json']) {
      for (const method of ['GET', 'HEAD']) {
        const reply = await call(method, path, { headers: { authorization: null } })
        assert.equal(reply.status, 200, `${method} ${path}`)
      }
    }
  })

  for (const adminToken of ['', 'with blank', 'tab\t', 'naïve', 'line\nbreak']) {
    it(`cannot be ${JSON.stringify(adminToken)}`, () => {
      const { gate } = createFixture()
      assert.throws(() => createHttpApp({ gate, adminToken }), { code: 'INVALID_INPUT' })
    })
  }
})

describe('[S19] the Host header', () => {
  const allowedHosts = ['gate.example', 'other.example:8443', '[fd00::1]', '192.168.7.7']
  const accepted = [
    ...[
      'localhost',
      'localhost:1',
      'LOCALHOST:8090',
      '127.0.0.1',
      '127.0.0.1:8090',
      '127.8.9.10:80',
      '[::1]',
      '[::1]:8090',
    ],
    ...['gate.example', 'gate.example:1', 'GATE.example', 'other.example:8443', '[fd00::1]:9', '192.168.7.7:8090'],
  ]
  const refused: (string | null)[] = [
    ...[null, '', 'evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', 'evil.example:8090'],
    ...['other.example', 'other.example:8444', 'sub.gate.example', 'gate.example.', 'localhost:99999', 'localhost:'],
    ...['0.0.0.0', '[::]', '[::2]', '::1', '128.0.0.1', '127.0.0.256', 'user@localhost', 'localhost, evil.example'],
  ]
  for (const host of accepted) {
    it(`${host} is served`, async () => {
      const { call } = createFixture({ allowedHosts })
      assert.equal((await call('GET', '/v1/sessions', { headers: { host } })).status, 200)
    })
  }
  for (const host of refused) {
    it(`${host ?? 'none'} is refused on every route, open ones too`, async () => {
      const { call } = createFixture({ allowedHosts })
      for (const path of ['/v1/health', '/v1/sessions', '/nothing']) {
        const reply = await call('GET', path, { headers: { host } })
        assert.equal(reply.status, 403, path)
        assert.equal(codeOf(reply), 'FORBIDDEN_HOST')
      }
    })
  }

  it('does not outweigh a host in the request line', async () => {
    const { app } = createFixture()
    const request = new Request('http://evil.example/v1/health', { headers: { host: 'localhost' } })
    assert.equal((await app.fetch(request)).status, 403)
  })

  for (const name of ['', '*', 'https://gate.example', 'a b', 'gate.example:x', 'gate.example/path']) {
    it(`cannot be allowed as ${JSON.stringify(name)}`, () => {
      assert.throws(() => createFixture({ allowedHosts: [name] }), { code: 'INVALID_INPUT' })
    })
  }
})

describe('CORS', () => {
  const origin = 'https://console.example'
  const preflight = { origin, 'access-control-request-method': 'POST', authorization: null }

  it('is off unless configured', async () => {
    const { call } = createFixture()
    const reply = await call('GET', '/v1/sessions', { headers: { origin } })
    assert.equal(reply.status, 200)
    for (const [name] of reply.headers) assert.ok(!name.startsWith('access-control-'), name)
    assert.equal((await call('OPTIONS', '/v1/sessions', { headers: preflight })).status, 401)
  })

  it("answers an allowed origin's preflight before the token is asked for", async () => {
    const { call } = createFixture({ corsOrigins: [origin] })
    const { status, headers, json } = await call('OPTIONS', '/v1/sessions', { headers: preflight })
    assert.equal(status, 204)
    assert.equal(json, undefined)
    assert.equal(headers.get('access-control-allow-origin'), origin)
    assert.match(headers.get('access-control-allow-methods') ?? '', /\bPOST\b.*\bPUT\b/)
    assert.match(headers.get('access-control-allow-headers') ?? '', /authorization.*content-type.*idempotency-key/)
    assert.equal(headers.get('access-control-allow-credentials'), null)
    assert.equal(headers.get('vary'), 'origin')
  })

  it('does not answer the preflight of another origin or for another host', async () => {
    const { call } = createFixture({ corsOrigins: [origin] })
    for (const other of ['https://evil.example', 'https://console.example:8443', 'http://console.example', 'null']) {
      const { status, headers } = await call('OPTIONS', '/v1/sessions', { headers: { ...preflight, origin: other } })
      assert.equal(status, 401, other)
      assert.equal(headers.get('access-control-allow-origin'), null)
      assert.equal(headers.get('vary'), 'origin')
    }
    const { status } = await call('OPTIONS', '/v1/sessions', { headers: { ...preflight, host: 'evil.example' } })
    assert.equal(status, 403)
  })

  it('lets an allowed origin read answers and failures', async () => {
    const { call } = createFixture({ corsOrigins: [origin, 'http://localhost:3000'] })
    for (const [path, headers] of [
      ['/v1/sessions', { origin }],
      ['/v1/nothing', { origin }],
      ['/v1/sessions', { origin, authorization: null }],
    ] as const) {
      assert.equal((await call('GET', path, { headers })).headers.get('access-control-allow-origin'), origin)
    }
    const { headers } = await call('POST', '/v1/sessions', { body: {}, headers: { origin } })
    assert.match(headers.get('access-control-expose-headers') ?? '', /\bidempotency-replayed\b/)
    const other = await call('GET', '/v1/sessions', { headers: { origin: 'https://evil.example' } })
    assert.equal(other.headers.get('access-control-allow-origin'), null)
  })

  for (const text of [
    '*',
    'null',
    'console.example',
    'https://console.example/',
    'https://CONSOLE.example',
    'ftp://a',
  ]) {
    it(`cannot be configured for ${JSON.stringify(text)}`, () => {
      assert.throws(() => createFixture({ corsOrigins: [text] }), { code: 'INVALID_INPUT' })
    })
  }
})
