/** The route table: the one place that says what the HTTP interface is. Routing and the OpenAPI document follow from it. */
import { z } from 'zod'
import { EVENT_TYPES } from '../core/event.js'
import { FAILURES } from '../core/failure.js'
import { PolicyDocument } from '../core/policy.js'
import { SkillRegistration } from '../core/registry.js'
import { IntentInput, MessageInput, SessionInput } from '../core/session.js'
import { VERSION } from '../core/version.js'
import {
  AuditValidation,
  Decision,
  EffectivePolicy,
  Health,
  LoggedEvent,
  Message,
  page,
  QueuedRun,
  RegisteredSkill,
  Replay,
  RunAnswer,
  Session,
  Tool,
} from './documents.js'
import { openApi } from './openapi.js'
import { type Route, route } from './route.js'

const limit = (byDefault: number) =>
  z
    .preprocess(
      (value) => (typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value),
      z.int('it must be an integer from 1 to 1000').min(1).max(1000),
    )
    .optional()
    .describe(`How many, 1-1000; ${byDefault} when absent`)

const paging = (defaultLimit: number) => ({
  limit: limit(defaultLimit),
  cursor: z.string().max(100).optional().describe('next_cursor of the page before'),
})

const SessionId = z.string().describe('Id of a session')
const ofSession = z.strictObject({ id: SessionId })
const ofRun = z.strictObject({ id: z.string().describe('Id of a run') })
const time = (sense: string) => z.string().max(40).optional().describe(`RFC 3339, ${sense}`)

const Simulation = z.strictObject({
  session_id: SessionId.optional().describe("Judge under this session's policy …"),
  policy: PolicyDocument.optional().describe('… or under this document; without either, under the empty policy'),
  ...IntentInput.shape,
})

export const ROUTES: readonly Route[] = [
  route('POST', '/skills', {
    id: 'registerSkill',
    summary: 'Register a skill: an image by digest under a name and a version',
    body: SkillRegistration,
    statuses: [201, 200],
    answer: RegisteredSkill,
    failures: ['CONFLICT', 'SIGNATURE_INVALID'],
    keyed: true,
    async handle(gate, { body, idempotencyKey }) {
      const { skill, created, replayed } = await gate.registerSkill(body, { idempotencyKey })
      return { status: created ? 201 : 200, body: skill, replayed }
    },
  }),
  route('GET', '/skills', {
    id: 'listSkills',
    summary: 'Registered skills, oldest first',
    query: z.strictObject(paging(50)),
    answer: page('skills', RegisteredSkill),
    handle: async (gate, { query }) => ({ body: await gate.registeredSkills(query) }),
  }),
  route('GET', '/tools', {
    id: 'listTools',
    summary: 'The tools of the installed skill modules, with their risks and schemas',
    answer: z.strictObject({ tools: z.array(Tool) }),
    handle: async (gate) => ({ body: { tools: gate.tools() } }),
  }),

  route('POST', '/sessions', {
    id: 'createSession',
    summary: 'Create a session',
    body: SessionInput,
    statuses: [201],
    answer: Session,
    keyed: true,
    async handle(gate, { body, idempotencyKey }) {
      const session = await gate.createSession(body, { idempotencyKey })
      return { body: await session.read(), replayed: session.replayed }
    },
  }),
  route('GET', '/sessions', {
    id: 'listSessions',
    summary: 'Sessions, newest first',
    query: z.strictObject(paging(50)),
    answer: page('sessions', Session),
    handle: async (gate, { query }) => ({ body: await gate.sessions(query) }),
  }),
  route('GET', '/sessions/{id}', {
    id: 'readSession',
    summary: 'One session',
    params: ofSession,
    answer: Session,
    failures: ['NOT_FOUND'],
    async handle(gate, { params }) {
      const session = await gate.session(params.id)
      return { body: await session.read() }
    },
  }),
  route('PUT', '/sessions/{id}/policy', {
    id: 'replacePolicy',
    summary: "Replace the session's policy; a refused document leaves the one before in force",
    params: ofSession,
    body: PolicyDocument,
    answer: EffectivePolicy,
    failures: ['NOT_FOUND'],
    async handle(gate, { params, body }) {
      const session = await gate.session(params.id)
      return { body: await session.setPolicy(body) }
    },
  }),
  route('GET', '/policy/effective', {
    id: 'readPolicy',
    summary: 'The policy in force',
    query: z.strictObject({ session_id: SessionId }),
    answer: EffectivePolicy,
    failures: ['NOT_FOUND'],
    async handle(gate, { query }) {
      const session = await gate.session(query.session_id)
      return { body: await session.policy() }
    },
  }),
  route('POST', '/policy/simulate', {
    id: 'simulatePolicy',
    summary: 'What the policy would say of a call; executes nothing',
    body: Simulation,
    answer: Decision,
    failures: ['NOT_FOUND'],
    handle: async (gate, { body }) => ({ body: await gate.simulate(body) }),
  }),

  route('POST', '/sessions/{id}/messages', {
    id: 'postMessage',
    summary: 'Add a message and queue a run for its intents',
    params: ofSession,
    body: MessageInput,
    statuses: [202],
    answer: QueuedRun,
    failures: ['NOT_FOUND'],
    keyed: true,
    async handle(gate, { params, body, idempotencyKey }) {
      const session = await gate.session(params.id)
      const run = await session.post(body, { idempotencyKey })
      return { body: { run_id: run.id, status: 'queued' as const }, replayed: run.replayed }
    },
  }),
  route('GET', '/sessions/{id}/messages', {
    id: 'listMessages',
    summary: 'Messages, oldest first',
    params: ofSession,
    query: z.strictObject(paging(200)),
    answer: page('messages', Message),
    failures: ['NOT_FOUND'],
    async handle(gate, { params, query }) {
      const session = await gate.session(params.id)
      return { body: await session.messages(query) }
    },
  }),

  route('GET', '/runs/{id}', {
    id: 'readRun',
    summary: 'One run with its steps',
    params: ofRun,
    answer: RunAnswer,
    failures: ['NOT_FOUND'],
    async handle(gate, { params }) {
      const run = await gate.run(params.id)
      return { body: await run.read() }
    },
  }),
  route('POST', '/runs/{id}/cancel', {
    id: 'cancelRun',
    summary: 'Stop a run',
    params: ofRun,
    statuses: [202],
    answer: RunAnswer,
    failures: ['NOT_FOUND', 'CONFLICT'],
    async handle(gate, { params }) {
      const run = await gate.run(params.id)
      return { body: await run.cancel() }
    },
  }),
  route('POST', '/runs/{id}/replay', {
    id: 'replayRun',
    summary: "The run's recorded events, verified; executes nothing",
    params: ofRun,
    answer: Replay,
    failures: ['NOT_FOUND'],
    async handle(gate, { params }) {
      const run = await gate.run(params.id)
      return { body: await run.replay() }
    },
  }),

  route('GET', '/audit', {
    id: 'listEvents',
    summary: 'Events, oldest first',
    query: z.strictObject({
      session_id: SessionId.optional(),
      run_id: z.string().max(200).optional().describe('Id of a run'),
      type: z
        .enum(EVENT_TYPES)
        .optional()
        .describe(`One of ${EVENT_TYPES.join(', ')}`),
      since: time('inclusive'),
      until: time('exclusive'),
      ...paging(500),
    }),
    answer: page('events', LoggedEvent),
    failures: ['NOT_FOUND'],
    handle: async (gate, { query }) => ({ body: await gate.audit(query) }),
  }),
  route('GET', '/audit/validate', {
    id: 'validateAudit',
    summary: 'Recompute the hash chain of one session, or of all',
    query: z.strictObject({ session_id: SessionId.optional() }),
    answer: AuditValidation,
    failures: ['NOT_FOUND'],
    handle: async (gate, { query }) => ({ body: await gate.validate(query) }),
  }),

  route('GET', '/health', {
    id: 'readHealth',
    summary: 'Whether the server can work: its log, its engine, its role, and what waits',
    open: true,
    statuses: [200, FAILURES.UNAVAILABLE.status],
    answer: Health,
    async handle(gate) {
      const health = await gate.health()
      if (health.store === 'ok') return { body: { status: 'ok' as const, version: VERSION, ...health } }
      return { status: FAILURES.UNAVAILABLE.status, body: { status: 'degraded' as const, version: VERSION, ...health } }
    },
  }),
  route('GET', '/openapi.json', {
    id: 'readOpenApi',
    summary: 'This interface as an OpenAPI 3.1 document',
    open: true,
    answer: z.looseObject({ openapi: z.string() }),
    handle: async () => ({ body: openApi(ROUTES) }),
  }),
]
