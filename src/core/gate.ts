/** The gate: what a host embeds. Sessions with policies, messages with intents, runs, and the log of all of it. */
import { randomUUID } from 'node:crypto'
import { createRedactor } from '../redaction/index.js'
import { type AuditPage, type AuditQuery, readAudit } from './audit.js'
import { createBroker } from './broker.js'
import { canonical, parseObject, sha256 } from './data.js'
import { REGISTRY, readEvent } from './event.js'
import { createExecutor } from './executor.js'
import { Failure } from './failure.js'
import { parseInput, withoutNulls } from './input.js'
import { available, createLog, existing, type SessionState } from './log.js'
import { type PageRequest, readPage } from './page.js'
import {
  assertLoggable,
  couldAllow,
  type Decision,
  type EffectivePolicy,
  effective,
  type Policy,
  parsePolicy,
} from './policy.js'
import { containLogger, type Logger, type ProviderClient } from './provider.js'
import { createRegistry, type RegisteredSkill, type SkillRegistration } from './registry.js'
import { type AuditValidation, validateAll, validateChain } from './replay.js'
import { createRuns, type Run } from './run.js'
import {
  IntentInput,
  type MessageDocument,
  type MessageInput,
  parseMessage,
  parseSessionInput,
  type SessionDocument,
  type SessionInput,
  toMessage,
} from './session.js'
import { parsePublicKeys } from './signature.js'
import type { Skill } from './skill.js'
import type { Store } from './store.js'
import type { Telemetry } from './telemetry.js'
import type { Listeners, ToolMeta } from './tool.js'

export interface GateOptions {
  /** The skill modules that bring tools; nothing is found by scanning. */
  skills: readonly Skill[]
  store: Store
  /** The client of every skill that `providers` does not name; the host's credentials stay inside it (BYOK). */
  providerClient?: ProviderClient
  /** Used by skills that have no provider client. */
  gatewayClient?: ProviderClient
  /** A client of its own for a skill, by the skill's name. */
  providers?: Readonly<Record<string, ProviderClient>>
  /** The host's own secrets, 8 characters or more each, removed from everything that leaves. */
  secrets?: readonly string[]
  /** Ed25519 keys by id, each a PEM public key or its 32 bytes in base64: whose signatures over image digests count. */
  publicKeys?: Readonly<Record<string, string>>
  /** Milliseconds for one tool call of a skill without a timing of its own; at most the skill's maximum. */
  timeoutMs?: number
  logger?: Logger
  /** Observes runs and tool calls; `skillgate/telemetry` makes one of OpenTelemetry. */
  telemetry?: Telemetry
  /** For tests: the clock and the ids. */
  now?: () => Date
  newId?: (kind: string) => string
}

export interface SimulateInput {
  /** Judge under this session's policy … */
  session_id?: string
  /** … or under this document. Without either, under the empty policy. */
  policy?: unknown
  tool: string
  params?: Record<string, unknown>
}

/** One session: a policy, messages, runs. */
export interface Session {
  readonly id: string
  read(): Promise<SessionDocument>
  policy(): Promise<EffectivePolicy>
  /** Replaces the policy. INVALID_INPUT leaves the one before in force. */
  setPolicy(document: unknown): Promise<EffectivePolicy>
  /** The tools of which the policy in force could allow some call: what a model may be told of. */
  offeredTools(): Promise<ToolMeta[]>
  /** Logs the message and queues a run for its intents. `onOutput` receives what programs print, `onProgress` how far pulls are. */
  post(message: MessageInput, options?: Listeners): Promise<Run>
  messages(page?: PageRequest): Promise<{ messages: MessageDocument[]; next_cursor: string | null }>
}

/** Made by {@link createGate}. Every method rejects with a Failure. */
export interface Gate extends AsyncDisposable {
  tools(): ToolMeta[]
  registerSkill(registration: SkillRegistration): Promise<{ skill: RegisteredSkill; created: boolean }>
  registeredSkills(page?: PageRequest): Promise<{ skills: RegisteredSkill[]; next_cursor: string | null }>
  createSession(input?: SessionInput): Promise<Session>
  session(id: string): Promise<Session>
  /** Newest first. */
  sessions(page?: PageRequest): Promise<{ sessions: SessionDocument[]; next_cursor: string | null }>
  run(id: string): Promise<Run>
  /** What the policy would say. Executes nothing and logs nothing. */
  simulate(input: SimulateInput): Promise<Decision>
  /** Events, oldest first. */
  audit(query?: AuditQuery): Promise<AuditPage>
  /** Recomputes one chain, or all of them. */
  validate(query?: { session_id?: string }): Promise<AuditValidation>
  /** Cancels what runs, waits for it to end, and closes the store. Clients belong to the host and stay open. */
  close(): Promise<void>
}

/** Shorter ones stand in harmless text too often. */
const MIN_SECRET = 8

/**
 * Creates a gate.
 *
 * @example
 * ```ts
 * import { createGate } from 'skillgate'
 * import { createDockerProvider } from 'skillgate/docker'
 * import { dockerApi } from 'skillgate/skills/docker-api'
 * import { createMemoryStore } from 'skillgate/stores/memory'
 *
 * const gate = createGate({ skills: [dockerApi], store: createMemoryStore(), providerClient: createDockerProvider() })
 * const session = await gate.createSession({ label: 'look around' })
 * await session.setPolicy({ overrides: [{ tool: 'docker-api.list_containers', allow: true }] })
 * const run = await session.post({
 *   role: 'assistant',
 *   content: 'What is running?',
 *   intents: [{ tool: 'docker-api.list_containers', params: { all: true } }],
 * })
 * const { status, steps } = await run.done()
 * ```
 */
export function createGate({
  skills,
  store,
  providerClient,
  gatewayClient,
  providers,
  secrets = [],
  publicKeys: keys = {},
  timeoutMs,
  logger: hostLogger,
  telemetry,
  now = () => new Date(),
  newId = (kind) => `${kind}_${randomUUID().replaceAll('-', '')}`,
}: GateOptions): Gate {
  const short = secrets.findIndex((secret) => secret.length < MIN_SECRET)
  if (short >= 0) {
    throw new Failure(
      'INVALID_INPUT',
      `secrets[${short}] is shorter than ${MIN_SECRET} characters, too short to be told from other text.`,
      {
        details: { field: `secrets[${short}]` },
      },
    )
  }
  const publicKeys = parsePublicKeys(keys)
  const redactor = createRedactor({ registered: secrets })
  const logger = containLogger(hostLogger)
  const isSigned = (reference: string): Promise<boolean> => registry.isSigned(reference)
  const clients = { providerClient, gatewayClient, providers }
  const broker = createBroker({ skills, ...clients, redactor, logger, timeoutMs, isSigned })
  const { tools } = broker
  const log = createLog({ store, tools, redactor, now, newId, logger })
  const executor = createExecutor({ log, broker, logger, redactor, telemetry })
  const registry = createRegistry({ store, log, redactor, publicKeys, now })
  const runs = createRuns({ store, executor })
  /** Messages on their way into the log; a close waits for them, so that it also ends their runs. */
  const posting = new Set<Promise<unknown>>()
  let closed: Promise<void> | undefined

  const assertOpen = (): void => {
    if (closed !== undefined) throw new Failure('UNAVAILABLE', 'This gate is closed.', { retriable: false })
  }

  async function stateOf(sessionId: string): Promise<SessionState> {
    const state = await log.state(sessionId)
    existing(state, sessionId)
    return state
  }

  async function createSession(input: SessionInput = {}): Promise<Session> {
    assertOpen()
    const { label, metadata } = parseSessionInput(input)
    const id = newId('ses')
    const session: SessionDocument = { id, created_at: now().toISOString(), label, status: 'active', metadata }
    await log.write(id, () => ({ drafts: [{ type: 'session.created', data: { session } }], result: undefined }))
    return sessionObject(id)
  }

  const sessionObject = (id: string): Session => ({
    id,
    read: async () => existing(await log.state(id), id),
    policy: async () => effective((await stateOf(id)).policy),

    async setPolicy(document) {
      assertOpen()
      return log.write(id, (state) => {
        existing(state, id)
        const policy = parsePolicy(document, state.policy.version + 1, tools)
        assertLoggable(policy, redactor)
        return {
          drafts: [{ type: 'policy.replaced', data: { version: policy.version, policy: policy.document } }],
          result: effective(policy),
        }
      })
    },

    async offeredTools() {
      const { policy } = await stateOf(id)
      return [...tools.values()].map(({ meta }) => meta).filter(({ name }) => couldAllow(policy, name))
    },

    async post(message, { onOutput, onProgress } = {}) {
      assertOpen()
      const { intents, ...rest } = parseMessage(message)
      const runId = newId('run')
      const message_id = newId('msg')
      const asked = intents.map(({ tool, params }) => ({ tool, params_hash: sha256(canonical(params)) }))
      const posted = log
        .write(id, (state) => {
          existing(state, id)
          return {
            drafts: [
              { type: 'message.appended', run_id: runId, data: { message_id, ...rest, intents: asked } },
              { type: 'run.queued', run_id: runId, data: { intents: intents.length } },
            ],
            result: undefined,
          }
        })
        .then(() => executor.enqueue({ id: runId, sessionId: id, intents, listeners: { onOutput, onProgress } }))
        .finally(() => posting.delete(posted))
      posting.add(posted)
      await posted
      return runs.object(runId, id)
    },

    async messages(page = {}) {
      await stateOf(id)
      const { items, next_cursor } = await readPage(
        store,
        { session_id: id, types: ['message.appended'] },
        page,
        200,
        toMessage,
      )
      return { messages: items, next_cursor }
    },
  })

  async function simulate(input: SimulateInput): Promise<Decision> {
    const { session_id, policy: document, ...intent } = withoutNulls(parseObject(input, 'simulation'))
    if (session_id !== undefined && document !== undefined) {
      throw new Failure('INVALID_INPUT', 'Send session_id or policy, not both.', { details: { field: 'policy' } })
    }
    const policy: Policy =
      session_id === undefined ? parsePolicy(document ?? {}, 0, tools) : (await stateOf(String(session_id))).policy
    const { tool, params } = parseInput(IntentInput, intent, 'simulation') as { tool: string; params: never }
    return redactor.value(broker.judge(policy, { tool, params }).decision) as Decision
  }

  async function audit(query: AuditQuery = {}): Promise<AuditPage> {
    if (query.session_id !== undefined && query.session_id !== REGISTRY) await stateOf(query.session_id)
    return readAudit(store, query)
  }

  async function validate({ session_id }: { session_id?: string } = {}): Promise<AuditValidation> {
    if (session_id === undefined) return available(validateAll(store))
    // The head, not the folded session: a chain whose first event was removed must still be found invalid.
    if ((await available(store.head(session_id))) === undefined && session_id !== REGISTRY) await stateOf(session_id)
    return available(validateChain(store, session_id))
  }

  async function shutDown(): Promise<void> {
    // First what is on its way into the log, because it may queue a run.
    await Promise.allSettled(posting)
    await executor.close()
    await log.idle()
    await store.close?.()
  }

  function close(): Promise<void> {
    closed ??= shutDown()
    return closed
  }

  return {
    tools: () => [...tools.values()].map(({ meta }) => meta),
    registerSkill: async (registration) => {
      assertOpen()
      return registry.register(registration)
    },
    registeredSkills: (page = {}) => registry.list(page),
    createSession,
    async session(id) {
      await stateOf(String(id))
      return sessionObject(String(id))
    },
    async sessions(page = {}) {
      const { items, next_cursor } = await readPage(
        store,
        { types: ['session.created'], order: 'desc' },
        page,
        50,
        (event) => {
          return readEvent(event).data.session as unknown as SessionDocument
        },
      )
      return { sessions: items, next_cursor }
    },
    run: runs.find,
    simulate,
    audit,
    validate,
    close,
    [Symbol.asyncDispose]: close,
  }
}
