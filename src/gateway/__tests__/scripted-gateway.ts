/** A server that answers a gateway's client with whatever bytes a test wants, and a client's one request to it. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { type Failure, isFailure } from '../../core/failure.js'
import type { RequestOptions } from '../../core/provider.js'
import { createGatewayClient } from '../index.js'
import { spec } from './gateway-fixture.js'

export const SECRET = 'credential-of-this-host-77'
export const ANSWER = JSON.stringify({ containers: [] })

/** What a connection is answered with, request by request; `undefined` hangs, `cut` breaks it off. */
export type Script = (request: string, index: number, socket: Socket) => string | 'cut' | undefined

export async function scripted(
  t: TestContext,
  script: Script,
): Promise<{ url: string; requests: string[]; server: Server }> {
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

export const http = (
  status: number,
  body: string,
  type = 'application/json',
  length = Buffer.byteLength(body),
): string => `HTTP/1.1 ${status} X\r\ncontent-type: ${type}\r\ncontent-length: ${length}\r\n\r\n${body}`

export async function ask(
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

export const RUN = { method: 'POST', path: '/containers/run', body: spec() }
