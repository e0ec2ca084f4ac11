/** The gateway's client against what is no gateway, or a bad one: typed errors, bounded, and nothing leaks. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { type Failure, isFailure } from '../../core/failure.js'
import type { RequestOptions } from '../../core/provider.js'
import { createGatewayClient } from '../index.js'

const SECRET = 'credential-of-this-host-77'
const ANSWER = JSON.stringify({ containers: [] })

/** What a connection is answered with, request by request; `undefined` hangs, `cut` breaks it off. */
type Script = (request: string, index: number, socket: Socket) => string | 'cut' | undefined

async function scripted(t: TestContext, script: Script): Promise<{ url: string; requests: string[]; server: Server }> {
  const requests: string[] = []
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      requests.push(bytes.toString())
      const answer = script(bytes.toString(), requests.length - 1, socket)
      if (answer === 'cut') socket.destroy()
      else if (answer !== undefined) socket.write(answer)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as { port: number }).port}`, requests, server }
}

const http = (status: number, body: string, type = 'application/json', length = Buffer.byteLength(body)): string =>
  `HTTP/1.1 ${status} X\r\ncontent-type: ${type}\r\ncontent-length: ${length}\r\n\r\n${body}`

async function ask(
  t: TestContext,
  script: Script,
  { method = 'GET', path = '/containers', body = undefined as unknown, options = {} as RequestOptions } = {},
): Promise<{ answer?: unknown; failure?: Failure; requests: string[] }> {
  const { url, requests } = await scripted(t, script)
  const client = createGatewayClient({ url, credential: SECRET, timeoutMs: 5_000 })
  t.after(() => client.close())
  try {
    return { answer: await client.request(method, path, body, options), requests }
  } catch (error) {
    assert.ok(isFailure(error), String(error))
    assert.ok(!JSON.stringify([error.message, error.details, error.partial]).includes(SECRET), error.message)
    return { failure: error, requests }
  }
}

const spec = {
  image: `busybox@sha256:${'a'.repeat(64)}`,
  cmd: [],
  env: {},
  timeout_ms: 1_000,
  memory_mb: 64,
  cpus: 1,
  pids: 16,
  network: 'none',
  mounts: [],
  output: { keep_bytes: 1_000, limit_bytes: 10_000 },
}
const RUN = { method: 'POST', path: '/containers/run', body: spec }

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
