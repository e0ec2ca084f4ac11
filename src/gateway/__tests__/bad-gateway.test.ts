/** What answers is no gateway, or a bad one: typed errors, bounded, and nothing leaks. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { describe, it } from 'node:test'
import { createGatewayClient } from '../index.js'
import { ANSWER, ask, http, type Script, SECRET, scripted } from './scripted-gateway.js'

describe('what answers is not a gateway, or a bad one', () => {
  const endless = (socket: Socket, head: string, piece: string): undefined => {
    socket.write(head)
    const more = () => {
      while (!socket.destroyed && socket.write(piece));
    }
    socket.on('drain', more)
    more()
  }
  const refusal = (code: string, message = 'no') => JSON.stringify({ error: { code, message } })
  const cases: [name: string, script: Script, code: string, reason: RegExp, details?: object][] = [
    ['HTML', () => http(200, '<html>', 'text/html'), 'UPSTREAM_ERROR', /it is "text\/html" and not JSON/],
    ['HTML that says it is JSON', () => http(200, '<html>'), 'UPSTREAM_ERROR', /it is not JSON/],
    ['no type at all', () => 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}', 'UPSTREAM_ERROR', /of no type/],
    [
      'a redirect',
      () => `HTTP/1.1 302 X\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n`,
      'UPSTREAM_ERROR',
      /redirect \(302\), which is never followed/,
      { status: 302 },
    ],
    ['no HTTP', () => '220 mail.example ESMTP\r\n', 'UPSTREAM_ERROR', /not well-formed HTTP/],
    ['204', () => 'HTTP/1.1 204 X\r\n\r\n', 'UPSTREAM_ERROR', /status 204/],
    [
      'less than it says, and then the end',
      (_request, _index, socket) => void socket.end(http(200, ANSWER, undefined, 500)),
      'UPSTREAM_ERROR',
      /connection .* broke/,
    ],
    [
      'JSON without an end',
      (_request, _index, socket) =>
        endless(socket, 'HTTP/1.1 200 X\r\ncontent-type: application/json\r\n\r\n', ' '.repeat(1 << 20)),
      'UPSTREAM_ERROR',
      /larger than 33554432 bytes/,
    ],
    [
      'headers without an end',
      (_request, _index, socket) => endless(socket, 'HTTP/1.1 200 X\r\n', `x-${'y'.repeat(1_000)}: z\r\n`),
      'UPSTREAM_ERROR',
      /not well-formed HTTP/,
    ],
    [
      '401 in HTML',
      () => http(401, '<html>', 'text/html'),
      'UNAUTHORIZED',
      /401.*Check the credential/,
      { status: 401 },
    ],
    ['403 in words of its own', () => http(403, '{"message":"no"}'), 'DENIED', /status 403/, { status: 403 }],
    ['404', () => http(404, ''), 'NOT_FOUND', /status 404/, { status: 404 }],
    ['409', () => http(409, 'null'), 'CONFLICT', /status 409/, { status: 409 }],
    ['429', () => http(429, '{"error":"slow down"}'), 'RATE_LIMITED', /status 429/, { status: 429 }],
    ['503', () => http(503, '<html>', 'text/html'), 'UPSTREAM_ERROR', /status 503/, { status: 503 }],
    [
      'a reason of a gateway',
      () => http(403, refusal('DENIED', 'Not this container.')),
      'DENIED',
      /^Not this container\.$/,
      { status: 403 },
    ],
    [
      'a code that contradicts its status',
      () => http(500, refusal('UNAUTHORIZED')),
      'UPSTREAM_ERROR',
      /status 500/,
      { status: 500 },
    ],
    ['a code that is none', () => http(500, refusal('__proto__')), 'UPSTREAM_ERROR', /status 500/, { status: 500 }],
    [
      'the credential, in its reason',
      (request) => http(403, refusal('DENIED', `not ${/Bearer (\S+)/i.exec(request)?.[1]}`)),
      'DENIED',
      /^not \[REDACTED/,
      { status: 403 },
    ],
    [
      'the credential, in details',
      () =>
        http(
          403,
          JSON.stringify({ error: { code: 'DENIED', message: 'no', details: { sent: [`Bearer ${SECRET}`] } } }),
        ),
      'DENIED',
      /^no$/,
    ],
  ]
  for (const [name, script, code, reason, details] of cases) {
    it(`is ${code}: ${name}`, async (t) => {
      const { failure } = await ask(t, script)
      assert.equal(failure?.code, code)
      assert.match(failure?.message ?? '', reason)
      if (details !== undefined) assert.deepEqual(failure?.details, details)
    })
  }

  it('a gateway that hangs is TIMEOUT within a second after the time, and a write may go on', async (t) => {
    const startedAt = performance.now()
    const options = { timeoutMs: 50 }
    const { failure } = await ask(t, () => undefined, { method: 'POST', path: '/containers/a/start', options })
    assert.deepEqual([failure?.code, failure?.details?.in_progress], ['TIMEOUT', true])
    assert.ok(performance.now() - startedAt < 1_500)
  })

  it('one that hangs in the middle of its answer, too', async (t) => {
    const { failure } = await ask(t, () => http(200, '{"cont', undefined, 500), { options: { timeoutMs: 50 } })
    assert.equal(failure?.code, 'TIMEOUT')
  })

  it('an abort is answered at once and cuts the connection', async (t) => {
    const controller = new AbortController()
    const closed: Promise<unknown>[] = []
    const script: Script = (_request, _index, socket) => {
      closed.push(once(socket, 'close'))
      controller.abort()
      return undefined
    }
    const { failure } = await ask(t, script, { options: { signal: controller.signal } })
    assert.equal(failure?.code, 'ABORTED')
    assert.equal(closed.length, 1)
    await closed[0]
  })

  it('nobody listens: it says so', async (t) => {
    const { url, server } = await scripted(t, () => undefined)
    server.close()
    await once(server, 'close')
    const client = createGatewayClient({ url, credential: SECRET })
    t.after(() => client.close())
    await assert.rejects(
      client.request('GET', '/images'),
      /No gateway listens at http:\/\/127\.0\.0\.1:\d+ \(ECONNREFUSED\)/,
    )
  })
})
