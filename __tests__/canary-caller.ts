/** Callers of a serving process who keep every byte that comes back: HTTP, MCP over HTTP, telemetry, its files. */
import { readdirSync, readFileSync } from 'node:fs'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { buffer, text } from 'node:stream/consumers'
import type { RunDocument } from '../src/index.js'
import { ADMIN_TOKEN } from './canary-plants.js'
import { type Cli, until } from './cli-process.js'

interface Asked {
  body?: unknown
  headers?: Record<string, string>
}

interface Answer {
  head: string
  body: string
}

export interface Caller {
  /** The JSON of the answer, whatever its status; the answer itself where it is none. */
  call<T = unknown>(method: string, path: string, asked?: Asked): Promise<T>
  ended(runId: string): Promise<RunDocument>
  /** Whoever speaks MCP in the session. */
  mcp(sessionId: string, clientName: string): Promise<(method: string, params: object) => Promise<string>>
  /** Heads and bodies, each of the same ones once. */
  readonly received: ReadonlySet<string>
  readonly sent: readonly string[]
}

export function createCaller(server: () => Cli): Caller {
  const received = new Set<string>()
  const sent: string[] = []

  async function ask(method: string, path: string, { body, headers = {} }: Asked): Promise<Answer> {
    const content = body === undefined ? '' : JSON.stringify(body)
    const usual = { host: 'localhost', authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' }
    const all = { ...usual, 'content-length': Buffer.byteLength(content), ...headers }
    sent.push(path, JSON.stringify(all), content)
    const answer = await new Promise<Answer>((resolve, reject) => {
      const asking = request(`${server().url}${path}`, { method, headers: all, agent: false }, (response) => {
        const head = `${response.statusCode} ${response.statusMessage} ${response.rawHeaders.join(' ')}`
        text(response).then((whole) => resolve({ head, body: whole }), reject)
      })
      asking.on('error', reject).end(content)
    })
    // The date would make each of the same answers another.
    received.add(answer.head.replace(/ Date [^G]+GMT/, '')).add(answer.body)
    return answer
  }

  async function call<T>(method: string, path: string, asked: Asked = {}): Promise<T> {
    const answer = await ask(method, path, asked)
    return (/application\/json/.test(answer.head) ? JSON.parse(answer.body) : answer) as T
  }

  async function ended(runId: string): Promise<RunDocument> {
    let run: RunDocument | undefined
    return until(
      async () => {
        run = await call<RunDocument>('GET', `/v1/runs/${runId}`)
        return run.ended_at === undefined ? undefined : run
      },
      () => JSON.stringify(run),
    )
  }

  async function mcp(sessionId: string, name: string) {
    const headers = { accept: 'application/json, text/event-stream', 'skillgate-session': sessionId }
    const speak = (method: string, params: object, more = {}): Promise<Answer> =>
      ask('POST', '/mcp', { body: { jsonrpc: '2.0', id: 1, method, params }, headers: { ...headers, ...more } })
    const clientInfo = { name, version: '1' }
    const { head } = await speak('initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo })
    const [, client = ''] = /mcp-session-id (\S+)/i.exec(head) ?? []
    return async (method: string, params: object) => (await speak(method, params, { 'mcp-session-id': client })).body
  }

  return { call, ended, mcp, received, sent }
}

/** What OpenTelemetry takes to another machine. */
export async function createCollector() {
  const received: string[] = []
  const server = createServer(async (asked, response) => {
    received.push((await buffer(asked)).toString('latin1'))
    response.setHeader('content-type', 'application/json').end('{}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    received,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => server.close().closeAllConnections(),
  }
}

/** Every byte of every file. */
export const filesOf = (directory: string): string =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.name}\n${readFileSync(join(entry.parentPath, entry.name), 'latin1')}`)
    .join('\n')
