/** A gate over a skill made for the tests: its client is told what to answer and when, the clock and the ids count. */
import { setImmediate } from 'node:timers/promises'
import { z } from 'zod'
import { createMemoryStore } from '../../stores/memory.js'
import { createGate, type Gate, type GateOptions } from '../gate.js'
import type { ProviderClient } from '../provider.js'
import type { Session } from '../sessions.js'
import { action, defineSkill } from '../skill.js'
import type { SharedRuns, Store } from '../store.js'

const Constraints = z.strictObject({ texts: z.array(z.string()).optional().describe('The texts that may be sent') })

const echo = action({
  description: 'Send a text.',
  risk: 'write',
  input: z.strictObject({ text: z.string().max(200_000).default('').describe('What to send') }),
  constraints: Constraints,
  judge: ({ text }, { texts }) =>
    texts === undefined || texts.includes(text)
      ? undefined
      : { reason: `text ${JSON.stringify(text)} is not in the policy's texts`, fix: { texts: [...texts, text] } },
  async run({ text }, { request }) {
    const answer = await request('POST', '/echo', { text })
    return { text: `sent ${text}`, data: { answer } }
  },
})

const ping = action({
  description: 'Ask whether it is there.',
  risk: 'read',
  input: z.strictObject({}),
  async run(_input, { request }) {
    return { text: 'pong', data: { answer: await request('GET', '/ping') } }
  },
})

/** Allowed by no policy of {@link openSession}. */
const wipe = action({
  description: 'Forget everything.',
  risk: 'destroy',
  input: z.strictObject({}),
  run: async (_input, { request }) => ({ text: 'gone', data: { answer: await request('POST', '/wipe') } }),
})

/** Judging is a skill's own code, and may be wrong. */
const broken = action({
  description: 'Judge by throwing.',
  risk: 'read',
  input: z.strictObject({}),
  constraints: z.strictObject({}),
  judge: () => {
    throw new TypeError('a bug in a skill')
  },
  run: async () => ({ text: 'never', data: {} }),
})

export const demo = defineSkill({
  name: 'demo',
  version: '1.0.0',
  description: 'A skill for tests.',
  layer: 'L1',
  system: 'Demo',
  actions: { echo, ping, wipe, broken },
})

export interface Ask {
  method: string
  path: string
  body: unknown
  signal: AbortSignal | undefined
}

export interface RecordingClient extends ProviderClient {
  asks: Ask[]
}

/** A client that remembers what it was asked; `reply` answers, throws or waits. */
export function recordingClient(reply: (ask: Ask) => unknown = () => ({ ok: true })): RecordingClient {
  const asks: Ask[] = []
  return {
    asks,
    async request(method, path, body, { signal } = {}) {
      const ask = { method, path, body, signal }
      asks.push(ask)
      return reply(ask)
    },
  }
}

export const START = Date.UTC(2026, 0, 1)

/** A clock that moves one second at every look, and ids that count per kind. */
export function counters(): { now: () => Date; newId: (kind: string) => string } {
  let looks = 0
  const counts = new Map<string, number>()
  return {
    now: () => new Date(START + looks++ * 1_000),
    newId(kind) {
      const next = (counts.get(kind) ?? 0) + 1
      counts.set(kind, next)
      return `${kind}_${next}`
    },
  }
}

export interface Fixture {
  gate: Gate
  store: Store
  client: RecordingClient
}

export function createFixture({
  reply,
  ...options
}: Partial<GateOptions> & { reply?: (ask: Ask) => unknown } = {}): Fixture {
  const store = options.store ?? createMemoryStore()
  const client = recordingClient(reply)
  const gate = createGate({ skills: [demo], providerClient: client, ...counters(), ...options, store })
  return { gate, store, client }
}

/** A session in which every tool of the test skill is allowed. */
export async function openSession(gate: Gate): Promise<Session> {
  const session = await gate.createSession()
  await session.setPolicy({
    overrides: [
      { tool: 'demo.echo', allow: true },
      { tool: 'demo.ping', allow: true },
    ],
  })
  return session
}

export const message = (...intents: { tool: string; params?: Record<string, unknown> }[]) => ({
  role: 'assistant' as const,
  content: 'go',
  intents,
})

export const echoes = (...texts: string[]) => message(...texts.map((text) => ({ tool: 'demo.echo', params: { text } })))

/** The runs of a store that hosts share, as far as executing them goes: `start` is what begins the claiming. */
export const sharedRuns = (start: SharedRuns['start']): SharedRuns => ({
  start,
  stop: async () => {},
  state: async () => ({ host_id: 'host', hosts: 1, backlog: 0 }),
})

/** A promise that the test settles. */
export function held<T = unknown>(): { promise: Promise<T>; release: (value: T) => void } {
  let release: (value: T) => void = () => {}
  const promise = new Promise<T>((resolve) => {
    release = resolve
  })
  return { promise, release }
}

/** Lets everything that is ready run. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await setImmediate()
}
