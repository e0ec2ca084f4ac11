/** The server on real sockets: what trickles, what is malformed, how it ends. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import type { HttpApp } from '../app.js'
import { type RunningServer, type ServerOptions, startServer } from '../server.js'
import { codeOf, createFixture, TOKEN } from './fixture.js'

const HEAD = `Host: localhost\r\nAuthorization: Bearer ${TOKEN}\r\n`

async function start(t: TestContext, options: Partial<ServerOptions> = {}): Promise<RunningServer> {
  const server = await startServer({ app: createFixture().app, port: 0, ...options })
  t.after(() => server.close())
  return server
}

/** What comes back until the server ends the connection. */
async function exchange({ port }: RunningServer, write: (socket: Socket) => void): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let text = ''
  socket.setEncoding('utf8').on('data', (piece) => {
    text += piece
  })
  socket.on('error', () => {})
  await once(socket, 'connect')
  write(socket)
  await once(socket, 'close')
  return text
}

const statusOf = (text: string): number => Number(/^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1])
const bodyOf = (text: string): { json: unknown } => ({ json: JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4)) })

describe('the server', () => {
  it('answers on the port it names', async (t) => {
    const server = await start(t)
    assert.equal(server.url, `http://127.0.0.1:${server.port}`)
    const response = await fetch(`${server.url}/v1/health`)
    assert.deepEqual([response.status, ((await response.json()) as { status: string }).status], [200, 'ok'])
  })

  it('names an IPv6 address in brackets', async (t) => {
    const server = await start(t, { host: '::1' })
    assert.equal(server.url, `http://[::1]:${server.port}`)
    assert.equal((await fetch(`${server.url}/v1/health`)).status, 200)
  })

  it("leaves the process's own Request and Response alone", async (t) => {
    const before = [globalThis.Request, globalThis.Response]
    await start(t)
    assert.deepEqual([globalThis.Request, globalThis.Response], before)
  })

  it('rejects with EADDRINUSE when the port is taken', async (t) => {
    const { port } = await start(t)
    await assert.rejects(startServer({ app: createFixture().app, port }), { code: 'EADDRINUSE' })
  })

  const trickles: [name: string, begin: string][] = [
    ['nothing at all', ''],
    ['a request line', 'GET /v1/health HTTP/1.1\r\nHost: local'],
    ['headers', `POST /v1/sessions HTTP/1.1\r\n${HEAD}X-Slow: `],
    ['a body', `POST /v1/sessions HTTP/1.1\r\n${HEAD}Content-Type: application/json\r\nContent-Length: 5000\r\n\r\n{`],
    [
      'chunks',
      `POST /v1/sessions HTTP/1.1\r\n${HEAD}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`,
    ],
  ]
  for (const [name, begin] of trickles) {
    it(`[S20] cuts off a caller that trickles ${name}`, async (t) => {
      const server = await start(t, { receiveTimeoutMs: 300 })
      const started = performance.now()
      const text = await exchange(server, (socket) => {
        socket.write(begin)
        if (begin === '') return
        const drip = setInterval(() => socket.write(name === 'chunks' ? '1\r\n \r\n' : ' '), 20)
        socket.once('close', () => clearInterval(drip))
      })
      assert.ok(performance.now() - started < 5_000)
      if (text === '') return
      assert.equal(statusOf(text), 400)
      assert.equal(codeOf(bodyOf(text)), 'INVALID_INPUT')
    })
  }

  const malformed: [name: string, status: number, code: string, text: string][] = [
    ['no HTTP', 400, 'INVALID_INPUT', 'hello\r\n\r\n'],
    ['an unknown method', 400, 'INVALID_INPUT', `BREW /v1/health HTTP/1.1\r\n${HEAD}\r\n`],
    ['two lengths', 400, 'INVALID_INPUT', `POST / HTTP/1.1\r\n${HEAD}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`],
    [
      'a length and chunks',
      400,
      'INVALID_INPUT',
      `POST / HTTP/1.1\r\n${HEAD}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`,
    ],
    [
      'a malformed chunk',
      400,
      'INVALID_INPUT',
      `POST /v1/sessions HTTP/1.1\r\n${HEAD}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`,
    ],
    ['a NUL in a header', 400, 'INVALID_INPUT', `GET /v1/health HTTP/1.1\r\n${HEAD}X: a\0b\r\n\r\n`],
    [
      'headers of 20 KiB',
      413,
      'PAYLOAD_TOO_LARGE',
      `GET /v1/health HTTP/1.1\r\n${HEAD}X: ${'x'.repeat(20_000)}\r\n\r\n`,
    ],
    ['a Host that is none', 400, 'INVALID_INPUT', 'GET /v1/health HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n'],
    ['no Host', 403, 'FORBIDDEN_HOST', 'GET /v1/health HTTP/1.1\r\nConnection: close\r\n\r\n'],
    [
      'two Hosts',
      403,
      'FORBIDDEN_HOST',
      `GET /v1/health HTTP/1.1\r\n${HEAD}Host: evil.example\r\nConnection: close\r\n\r\n`,
    ],
    ['HTTP/1.0 without a Host', 403, 'FORBIDDEN_HOST', 'GET /v1/health HTTP/1.0\r\n\r\n'],
    [
      'another host in the request line',
      403,
      'FORBIDDEN_HOST',
      `GET http://evil.example/v1/health HTTP/1.1\r\n${HEAD}Connection: close\r\n\r\n`,
    ],
  ]
  for (const [name, status, code, text] of malformed) {
    it(`answers ${name} with ${status} and goes on`, async (t) => {
      const server = await start(t)
      const answer = await exchange(server, (socket) => socket.write(text))
      assert.equal(statusOf(answer), status, answer)
      assert.equal(codeOf(bodyOf(answer)), code)
      assert.equal((await fetch(`${server.url}/v1/health`)).status, 200)
    })
  }

  const large: [name: string, framing: string, body: string][] = [
    ['that says so', `Content-Length: ${2 ** 21}`, ''],
    ['in chunks', 'Transfer-Encoding: chunked', `${(2 ** 21).toString(16)}\r\n${'x'.repeat(2 ** 21)}\r\n`],
  ]
  for (const [name, framing, body] of large) {
    it(`[S20] answers a body above the cap ${name} before it has ended`, async (t) => {
      const server = await start(t)
      const answer = await exchange(server, (socket) =>
        socket.write(
          `POST /v1/sessions HTTP/1.1\r\n${HEAD}Content-Type: application/json\r\n${framing}\r\n\r\n${body}`,
        ),
      )
      assert.equal(statusOf(answer), 413, answer)
      assert.equal(codeOf(bodyOf(answer)), 'PAYLOAD_TOO_LARGE')
    })
  }

  it('answers INTERNAL when the application itself fails', async (t) => {
    const logged: string[] = []
    const log = (message: string): void => void logged.push(message)
    const app: HttpApp = { fetch: () => Promise.reject(new Error('secret')) }
    const server = await start(t, { app, logger: { warn: log, error: log } })
    const response = await fetch(`${server.url}/v1/health`)
    assert.equal(response.status, 500)
    assert.equal(codeOf({ json: await response.json() }), 'INTERNAL')
    assert.equal(logged.length, 1)
  })
})

describe('closing the server', () => {
  /** An application whose answer waits until it is told. */
  function heldApp(): { app: HttpApp; asked: Promise<void>; release: () => void } {
    let release = (): void => {}
    let ask = (): void => {}
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    const asked = new Promise<void>((resolve) => {
      ask = resolve
    })
    const app: HttpApp = {
      async fetch() {
        ask()
        await released
        return new Response('{}')
      },
    }
    return { app, asked, release }
  }

  it('ends idle connections at once', async (t) => {
    const server = await start(t, { closeGraceMs: 60_000 })
    const socket = connect(server.port, '127.0.0.1')
    const ended = once(socket, 'close')
    socket.write(`GET /v1/health HTTP/1.1\r\n${HEAD}\r\n`)
    await once(socket, 'data')
    await Promise.all([server.close(), ended])
    await assert.rejects(fetch(`${server.url}/v1/health`))
  })

  it('lets an answer under way end', async (t) => {
    const { app, asked, release } = heldApp()
    const server = await start(t, { app, closeGraceMs: 60_000 })
    const response = fetch(server.url)
    await asked
    const closed = server.close()
    release()
    assert.equal((await response).status, 200)
    await closed
  })

  it('cuts an answer that takes longer than the grace', async (t) => {
    const { app, asked } = heldApp()
    const server = await start(t, { app, closeGraceMs: 50 })
    const response = assert.rejects(fetch(server.url))
    await asked
    await server.close()
    await response
  })

  it('can be asked for twice', async (t) => {
    const server = await start(t)
    await Promise.all([server.close(), server.close()])
  })
})
