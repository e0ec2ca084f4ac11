/** What a request may carry: content types, bodies, queries. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type CallOptions, codeOf, createFixture, fieldOf, IMAGE } from './fixture.js'

const MIB = 1024 * 1024
const nested = (levels: number): string => `{"manifest":${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}}`

/** A body of this many bytes that comes in pieces and says nothing of its length. */
function streamOf(bytes: number): ReadableStream<Uint8Array> {
  let left = bytes
  return new ReadableStream({
    pull(controller) {
      const size = Math.min(left, 64 * 1024)
      left -= size
      controller.enqueue(new Uint8Array(size).fill(0x20))
      if (left === 0) controller.close()
    },
  })
}

describe('[S20] a body', () => {
  const refused: [name: string, status: number, code: string, options: CallOptions, field?: string][] = [
    [
      'of no type',
      415,
      'UNSUPPORTED_MEDIA_TYPE',
      { raw: new Uint8Array([0x7b, 0x7d]), headers: { 'content-type': null } },
    ],
    ['of text', 415, 'UNSUPPORTED_MEDIA_TYPE', { raw: '{}', headers: { 'content-type': 'text/plain' } }],
    [
      'of a form',
      415,
      'UNSUPPORTED_MEDIA_TYPE',
      { raw: 'a=b', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
    ],
    [
      'of a type that ends in json',
      415,
      'UNSUPPORTED_MEDIA_TYPE',
      { raw: '{}', headers: { 'content-type': 'text/json' } },
    ],
    [
      'in another charset',
      415,
      'UNSUPPORTED_MEDIA_TYPE',
      { raw: '{}', headers: { 'content-type': 'application/json; charset=latin1' } },
    ],
    ['compressed', 415, 'UNSUPPORTED_MEDIA_TYPE', { raw: '{}', headers: { 'content-encoding': 'gzip' } }],
    [
      'with a length above the cap',
      413,
      'PAYLOAD_TOO_LARGE',
      { raw: '{}', headers: { 'content-length': String(MIB + 1) } },
    ],
    [
      'larger than its length says',
      413,
      'PAYLOAD_TOO_LARGE',
      { raw: streamOf(MIB + 1), headers: { 'content-length': '2' } },
    ],
    ['larger than the cap in pieces', 413, 'PAYLOAD_TOO_LARGE', { raw: streamOf(3 * MIB) }],
    ['that is absent', 400, 'INVALID_INPUT', {}, 'body'],
    ['that is empty', 400, 'INVALID_INPUT', { raw: '' }, 'body'],
    ['that is not JSON', 400, 'INVALID_INPUT', { raw: '{"name":' }, 'body'],
    ['of JSON with more behind it', 400, 'INVALID_INPUT', { raw: '{} {}' }, 'body'],
    ['that is not UTF-8', 400, 'INVALID_INPUT', { raw: new Uint8Array([0x22, 0xff, 0x22]) }, 'body'],
    ['in UTF-16', 400, 'INVALID_INPUT', { raw: new Uint8Array(Buffer.from('{}', 'utf16le')) }, 'body'],
    ['that is a list', 400, 'INVALID_INPUT', { body: [] }, 'body'],
    ['that is null', 400, 'INVALID_INPUT', { raw: 'null' }, 'body'],
    ['that is a text', 400, 'INVALID_INPUT', { raw: '"{}"' }, 'body'],
    ['nested too deep', 400, 'INVALID_INPUT', { raw: nested(32) }],
    ['nested far too deep', 400, 'INVALID_INPUT', { raw: nested(80_000) }],
    ['with __proto__', 400, 'INVALID_INPUT', { raw: '{"__proto__":{"name":"x"}}' }, 'body'],
    ['with __proto__ inside', 400, 'INVALID_INPUT', { raw: '{"manifest":{"a":{"__proto__":1}}}' }, 'body.manifest.a'],
    ['with constructor inside', 400, 'INVALID_INPUT', { raw: '{"manifest":{"constructor":{}}}' }, 'body.manifest'],
    ['with a number that is none', 400, 'INVALID_INPUT', { raw: '{"manifest":{"a":1e999}}' }, 'body.manifest.a'],
    [
      'with too many values',
      400,
      'INVALID_INPUT',
      { raw: `{"manifest":{"a":[${'0,'.repeat(100_001)}0]}}` },
      'body.manifest.a',
    ],
    ['with a field missing', 400, 'INVALID_INPUT', { body: { name: 'x', version: '1' } }, 'image'],
    [
      'with an unknown field',
      400,
      'INVALID_INPUT',
      { body: { name: 'x', version: '1', image: IMAGE, tag: 'y' } },
      'tag',
    ],
    ['with a field of the wrong type', 400, 'INVALID_INPUT', { body: { name: 7, version: '1', image: IMAGE } }, 'name'],
  ]
  for (const [name, status, code, options, field] of refused) {
    it(`${name} is refused with ${status}`, async () => {
      const { call, gate } = createFixture()
      const reply = await call('POST', '/v1/skills', options)
      assert.equal(codeOf(reply), code)
      assert.equal(reply.status, status)
      if (field !== undefined) assert.equal(fieldOf(reply), field)
      assert.deepEqual((await gate.registeredSkills()).skills, [])
    })
  }

  const accepted: [name: string, options: CallOptions][] = [
    ['with a charset', { body: {}, headers: { 'content-type': 'application/json; charset=utf-8' } }],
    ['with a quoted charset', { body: {}, headers: { 'content-type': 'Application/JSON;charset="UTF-8"' } }],
    ['with identity encoding', { body: {}, headers: { 'content-encoding': 'identity' } }],
    ['with a byte order mark', { raw: '\ufeff{}' }],
    ['of exactly the cap', { raw: `{}${' '.repeat(MIB - 2)}` }],
    ['with null for a field left out', { body: { label: null, metadata: null } }],
  ]
  for (const [name, options] of accepted) {
    it(`${name} is read`, async () => {
      assert.equal((await createFixture().call('POST', '/v1/sessions', options)).status, 201)
    })
  }

  it('that breaks off is no failure of the server', async () => {
    const { call, logged } = createFixture()
    const raw = new ReadableStream({ pull: (controller) => controller.error(new Error('gone')) })
    assert.equal(codeOf(await call('POST', '/v1/sessions', { raw })), 'ABORTED')
    assert.deepEqual(logged, [])
  })

  it('is refused by routes that take none, unless it is an empty object', async () => {
    const { call } = createFixture()
    const path = '/v1/runs/run_x/cancel'
    assert.equal((await call('POST', path)).status, 404)
    assert.equal((await call('POST', path, { raw: '' })).status, 404)
    assert.equal((await call('POST', path, { body: {} })).status, 404)
    assert.equal((await call('POST', path, { body: { force: true } })).status, 400)
    assert.equal((await call('POST', path, { raw: 'x' })).status, 400)
    assert.equal((await call('POST', path, { raw: 'x', headers: { 'content-type': 'text/plain' } })).status, 415)
  })
})

describe('a query', () => {
  const refused: [query: string, field: string][] = [
    ['unknown=1', 'unknown'],
    ['limit=0', 'limit'],
    ['limit=1001', 'limit'],
    ['limit=-1', 'limit'],
    ['limit=1.5', 'limit'],
    ['limit=0x10', 'limit'],
    ['limit=1e2', 'limit'],
    ['limit=%201', 'limit'],
    ['limit=', 'limit'],
    ['limit=99999999999999999999', 'limit'],
    ['limit=1&limit=1', 'limit'],
    ['limit[]=1', 'limit[]'],
    ['cursor=', 'cursor'],
    ['cursor=nonsense', 'cursor'],
    ['cursor=cDE%3D', 'cursor'],
    [`cursor=${'x'.repeat(200)}`, 'cursor'],
    ['__proto__=1', 'query'],
    ['constructor=1', 'query'],
  ]
  for (const [query, field] of refused) {
    it(`${query.slice(0, 40)} is refused for lists`, async () => {
      const { call, expect } = createFixture()
      const { id } = await expect<{ id: string }>(201, 'POST', '/v1/sessions', {})
      for (const path of ['/v1/skills', '/v1/sessions', `/v1/sessions/${id}/messages`, '/v1/audit']) {
        const reply = await call('GET', `${path}?${query}`)
        assert.equal(reply.status, 400, path)
        assert.equal(codeOf(reply), 'INVALID_INPUT')
        assert.equal(fieldOf(reply), field)
      }
    })
  }

  const audit: [query: string, field: string][] = [
    ['type=nothing', 'type'],
    ['since=yesterday', 'since'],
    ['until=2026-13-01', 'until'],
    ['since=2026-02-30', 'since'],
    ['session=x', 'session'],
  ]
  for (const [query, field] of audit) {
    it(`${query} is refused by the audit`, async () => {
      const reply = await createFixture().call('GET', `/v1/audit?${query}`)
      assert.equal(reply.status, 400)
      assert.equal(fieldOf(reply), field)
    })
  }

  it('is refused by routes that take none', async () => {
    const { call } = createFixture()
    for (const [method, path] of [
      ['GET', '/v1/health'],
      ['GET', '/v1/tools'],
      ['POST', '/v1/sessions'],
    ] as const) {
      const reply = await call(method, `${path}?verbose=1`, method === 'POST' ? { body: {} } : {})
      assert.equal(reply.status, 400)
      assert.equal(fieldOf(reply), 'verbose')
    }
  })

  it('must name the session whose policy is asked for', async () => {
    const reply = await createFixture().call('GET', '/v1/policy/effective')
    assert.equal(reply.status, 400)
    assert.equal(fieldOf(reply), 'session_id')
  })
})
