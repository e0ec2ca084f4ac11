/** What the tests of the HTTP view share: an application over a gate in memory, and short calls to it. */
import assert from 'node:assert/strict'
import { z } from 'zod'
import { createGate, type Gate, type GateOptions } from '../../core/gate.js'
import type { ProviderClient } from '../../core/provider.js'
import type { RunDocument } from '../../core/run.js'
import { action, defineSkill } from '../../core/skill.js'
import { createMemoryStore } from '../../stores/memory.js'
import { createHttpApp, type HttpApp, type HttpAppOptions } from '../app.js'

export const TOKEN = 'correct-horse-battery'
export const IMAGE = `busybox@sha256:${'a'.repeat(64)}`

/** A skill with an action that answers at once and one that waits until it is stopped. */
const probe = defineSkill({
  name: 'probe',
  version: '1.0.0',
  description: 'For tests.',
  layer: 'L1',
  system: 'Probe',
  actions: {
    echo: action({
      description: 'Say it again.',
      risk: 'read',
      input: z.strictObject({ text: z.string().max(100).describe('What to say') }),
      constraints: z.strictObject({ words: z.array(z.string()).optional().describe('The texts allowed') }),
      judge: ({ text }, { words }) =>
        words === undefined || words.includes(text)
          ? undefined
          : { reason: `text ${text} is not in the policy's words`, fix: { words: [...words, text] } },
      async run({ text }, { request }) {
        return { text, data: { answer: await request('GET', `/echo?text=${text}`) } }
      },
    }),
    wait: action({
      description: 'Wait to be stopped.',
      risk: 'read',
      input: z.strictObject({}),
      run: (_input, { signal }) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    }),
  },
})

const providerClient: ProviderClient = { request: async (_method, path) => ({ path }) }

export interface Reply {
  status: number
  headers: Headers
  /** Undefined when the answer has no body. */
  json: unknown
}

export interface CallOptions {
  /** Sent as JSON. */
  body?: unknown
  /** Sent as it is. */
  raw?: string | Uint8Array | ReadableStream<Uint8Array>
  /** Replaces the usual headers; null leaves one out. */
  headers?: Record<string, string | null>
}

export interface Fixture {
  app: HttpApp
  gate: Gate
  logged: { message: string; fields: Record<string, unknown> | undefined }[]
  call(method: string, path: string, options?: CallOptions): Promise<Reply>
  /** As `call`, for an answer that must have this status. */
  expect<T = Record<string, unknown>>(status: number, method: string, path: string, body?: unknown): Promise<T>
}

export function createFixture({
  store = createMemoryStore(),
  publicKeys = {},
  ...options
}: Partial<Pick<HttpAppOptions, 'allowedHosts' | 'corsOrigins' | 'adminToken'>> &
  Partial<Pick<GateOptions, 'store' | 'publicKeys'>> = {}): Fixture {
  const logged: Fixture['logged'] = []
  const log = (message: string, fields?: Record<string, unknown>): void => void logged.push({ message, fields })
  const logger = { warn: log, error: log }
  const gate = createGate({ skills: [probe], store, providerClient, publicKeys, logger })
  const app = createHttpApp({ gate, adminToken: TOKEN, logger, ...options })

  async function call(method: string, path: string, { body, raw, headers = {} }: CallOptions = {}): Promise<Reply> {
    const usual = {
      host: 'localhost:8090',
      authorization: `Bearer ${TOKEN}`,
      ...((body !== undefined || raw !== undefined) && { 'content-type': 'application/json' }),
    }
    const sent = Object.entries({ ...usual, ...headers }).filter(
      (entry): entry is [string, string] => entry[1] !== null,
    )
    const content = raw ?? (body === undefined ? undefined : JSON.stringify(body))
    const request = new Request(`http://localhost:8090${path}`, {
      method,
      headers: sent,
      ...(content !== undefined && { body: content, duplex: 'half' }),
    })
    const response = await app.fetch(request)
    const text = await response.text()
    return { status: response.status, headers: response.headers, json: text === '' ? undefined : JSON.parse(text) }
  }

  async function expect<T>(status: number, method: string, path: string, body?: unknown): Promise<T> {
    const reply = await call(method, path, body === undefined ? {} : { body })
    assert.equal(reply.status, status, `${method} ${path}: ${JSON.stringify(reply.json)}`)
    return reply.json as T
  }

  return { app, gate, logged, call, expect }
}

/** The code of a reply that must be a failure in the documented form. */
export function codeOf({ json }: Pick<Reply, 'json'>): string {
  const { error, ...rest } = json as { error: { code: string; message: string; details?: object } }
  assert.deepEqual(rest, {})
  assert.deepEqual(
    Object.keys(error).filter((key) => !['code', 'message', 'details'].includes(key)),
    [],
  )
  assert.equal(typeof error.message, 'string')
  return error.code
}

export const fieldOf = ({ json }: Pick<Reply, 'json'>): unknown =>
  (json as { error: { details?: { field?: unknown } } }).error.details?.field

export const messageOf = ({ json }: Pick<Reply, 'json'>): string =>
  (json as { error: { message: string } }).error.message

export const ALLOW_ALL = { overrides: [{ tool: 'probe.*', allow: true }] }
/** A message with one intent. */
export const echo = (text: string) => ({
  role: 'user',
  content: text,
  intents: [{ tool: 'probe.echo', params: { text } }],
})

/** A session with a policy. */
export async function sessionOf({ expect }: Fixture, policy: unknown = ALLOW_ALL): Promise<string> {
  const { id } = await expect<{ id: string }>(201, 'POST', '/v1/sessions', { label: 'test' })
  await expect(200, 'PUT', `/v1/sessions/${id}/policy`, policy)
  return id
}

/** Posts a message; its run, once it has ended. */
export async function runOf({ expect, gate }: Fixture, session: string, message: unknown): Promise<RunDocument> {
  const queued = await expect<{ run_id: string }>(202, 'POST', `/v1/sessions/${session}/messages`, message)
  await (await gate.run(queued.run_id)).done()
  return expect<RunDocument>(200, 'GET', `/v1/runs/${queued.run_id}`)
}
