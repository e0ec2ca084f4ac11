/** The gateway's client: when it asks again, the lines of live runs, and its credential. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Failure } from '../../core/failure.js'
import { createGatewayClient } from '../index.js'
import { ANSWER, ask, http, RUN, type Script, SECRET, scripted } from './scripted-gateway.js'

describe('a connection that breaks', () => {
  it('is tried once more for what only reads', async (t) => {
    const { answer, requests } = await ask(t, (_request, index) => (index === 0 ? 'cut' : http(200, ANSWER)))
    assert.deepEqual(answer, { containers: [] })
    assert.equal(requests.length, 2)
  })

  it('twice is an error', async (t) => {
    const { failure, requests } = await ask(t, () => 'cut')
    assert.deepEqual([failure?.code, failure?.retriable, requests.length], ['UPSTREAM_ERROR', true, 2])
  })

  for (const [name, request, retriable] of [
    ['a start', { method: 'POST', path: '/containers/a/start' }, true],
    ['a run, which may have run', RUN, false],
  ] as const) {
    it(`is an error at once for ${name}`, async (t) => {
      const { failure, requests } = await ask(t, () => 'cut', request)
      assert.deepEqual([failure?.code, failure?.retriable, requests.length], ['UPSTREAM_ERROR', retriable, 1])
      assert.equal(failure?.details?.may_have_run, retriable ? undefined : true)
    })
  }

  it('is none when the gateway answered, whatever it said', async (t) => {
    const { requests } = await ask(t, () => http(503, '{}'))
    assert.equal(requests.length, 1)
  })
})

describe('the lines of a live run', () => {
  const lines =
    (text: string): Script =>
    () =>
      http(200, text, 'application/x-ndjson')
  const output = (text: string) => `${JSON.stringify({ output: { stream: 'stdout', text } })}\n`
  const cases: [name: string, text: string, reason: RegExp][] = [
    ['end before the ending', output('a'), /ended before it said how the run ended/],
    ['are not JSON', 'hello\n', /it is not JSON/],
    ['are of another protocol', '{"event":"x"}\n', /one of its lines is none of the protocol/],
    ['have an error of no form', '{"error":"x"}\n', /its error has no form/],
  ]
  for (const [name, text, reason] of cases) {
    it(`that ${name} are an error`, async (t) => {
      const { failure } = await ask(t, lines(text), { ...RUN, options: { onOutput() {} } })
      assert.equal(failure?.code, 'UPSTREAM_ERROR')
      assert.match(failure?.message ?? '', reason)
    })
  }

  it('are handed on in order, however they are cut, and the last one is the answer', async (t) => {
    const text = `${output('Grüße ')}${output('🚢')}{"answer":{"run":{"exit_code":0}}}\n`
    const seen: string[] = []
    const script: Script = (_request, _index, socket) => {
      const bytes = Buffer.from(http(200, text, 'application/x-ndjson'))
      for (let at = 0; at < bytes.length; at += 7) socket.write(bytes.subarray(at, at + 7))
      return undefined
    }
    const onOutput = (stream: string, piece: string) => seen.push(`${stream} ${piece}`)
    const { answer, requests } = await ask(t, script, { ...RUN, options: { onOutput } })
    assert.deepEqual(seen, ['stdout Grüße ', 'stdout 🚢'])
    assert.deepEqual(answer, { run: { exit_code: 0 } })
    assert.match(requests[0] ?? '', /accept: application\/x-ndjson/)
  })
})

describe('the credential', () => {
  it('is asked for at each request, and goes with nothing else', async (t) => {
    const { url, requests } = await scripted(t, () => http(200, ANSWER))
    let count = 0
    const client = createGatewayClient({ url, credential: async () => `credential-${++count}` })
    t.after(() => client.close())
    await client.request('GET', '/containers', undefined, { runId: 'run_1/s1', timeoutMs: 2_000.4 })
    await client.request('GET', '/containers')
    for (const [index, request] of requests.entries())
      assert.match(request, new RegExp(`^authorization: Bearer credential-${index + 1}\r$`, 'm'))
    assert.match(requests[0] ?? '', /^x-skillgate-run-id: run_1\/s1\r$/m)
    assert.match(requests[0] ?? '', /^x-skillgate-timeout-ms: 2001\r$/m)
    assert.equal(requests.length, 2)
  })

  it('that was replaced while its answer came is not shown either', async (t) => {
    const { url } = await scripted(t, () =>
      http(403, JSON.stringify({ error: { code: 'DENIED', message: 'no credential-1' } })),
    )
    let count = 0
    const client = createGatewayClient({ url, credential: () => `credential-${++count}` })
    t.after(() => client.close())
    for (const _ of [1, 2]) await assert.rejects(client.request('GET', '/images'), /^Failure: no \[REDACTED/)
  })

  for (const [name, credential] of [
    ['fails', () => Promise.reject(new Error(`vault says ${SECRET}`))],
    ['answers nothing', async () => ''],
    ['answers two lines', () => `${SECRET}\r\nx-admin: 1`],
  ] as const) {
    it(`whose function ${name} sends nothing and is UNAUTHORIZED`, async (t) => {
      const { url, requests } = await scripted(t, () => http(200, ANSWER))
      const client = createGatewayClient({ url, credential })
      t.after(() => client.close())
      await assert.rejects(client.request('GET', '/images'), (error: Failure) => {
        assert.equal(error.code, 'UNAUTHORIZED')
        return !error.message.includes(SECRET)
      })
      assert.deepEqual(requests, [])
    })
  }

  it('whose function hangs is TIMEOUT', async (t) => {
    const client = createGatewayClient({ url: 'http://127.0.0.1:1', credential: () => new Promise(() => {}) })
    t.after(() => client.close())
    await assert.rejects(client.request('GET', '/images', undefined, { timeoutMs: 10 }), { code: 'TIMEOUT' })
  })
})

describe('a gateway client', () => {
  for (const [name, options, reason] of [
    ['a path for a URL', { url: '/gateway' }, /Send https:\/\/host:port/],
    ['another scheme', { url: 'ftp://gateway' }, /Send https:\/\/host:port/],
    ['plain HTTP to another machine', { url: 'http://gateway.example' }, /readable on its way/],
    ['a name that begins like loopback', { url: 'http://127.0.0.1.example' }, /readable on its way/],
    ['a password in the URL', { url: `https://me:${SECRET}@gateway` }, /with a user or a password/],
    ['a query in the URL', { url: 'https://gateway/?x=1' }, /what follows the path/],
    ['TLS for plain HTTP', { url: 'http://localhost', tls: {} }, /carries no TLS/],
    ['no credential', { credential: undefined as never }, /credential must be/],
    ['a short credential', { credential: 'short' }, /8 to 4096/],
    ['a credential with a line break', { credential: `${SECRET}\n` }, /8 to 4096/],
  ] as const) {
    it(`is refused with ${name}`, () => {
      assert.throws(
        () => createGatewayClient(Object.assign({ url: 'https://gateway', credential: SECRET }, options)),
        (error: Failure) =>
          error.code === 'INVALID_INPUT' && reason.test(error.message) && !error.message.includes(SECRET),
      )
    })
  }

  it('keeps a path before the routes, and sends nothing that is no route', async (t) => {
    const { url, requests } = await scripted(t, () => http(200, ANSWER))
    const client = createGatewayClient({ url: `${url}/engines/one/`, credential: SECRET })
    t.after(() => client.close())
    await assert.rejects(client.request('DELETE', '/containers/a'), { code: 'NOT_FOUND' })
    await assert.rejects(client.request('GET', '/containers/../x'), { code: 'NOT_FOUND' })
    await client.request('GET', '/containers?all=true&limit=1')
    assert.match(requests.join(''), /^GET \/engines\/one\/containers\?all=true&limit=1 HTTP\/1\.1\r\n/)
  })

  it('that is closed says so, and cuts what is under way', async (t) => {
    const { url } = await scripted(t, () => void client.close())
    const client = createGatewayClient({ url, credential: SECRET })
    await assert.rejects(client.request('GET', '/images'), { code: 'ABORTED' })
    await assert.rejects(client.request('GET', '/images'), { code: 'UNAVAILABLE' })
  })
})
