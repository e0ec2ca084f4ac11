/** The gate: what a host embeds. Sessions with policies, messages with intents, runs, and the log of all of it. */
import { randomBytes } from 'node:crypto'
import { createRedactor, type Redactor } from '../redaction/index.js'
import { type AuditPage, type AuditQuery, readAudit } from './audit.js'
import { createBroker } from './broker.js'
import { parseObject } from './data.js'
import { race } from './deadline.js'
import { REGISTRY } from './event.js'
import { createExecutor } from './executor.js'
import { Failure } from './failure.js'
import { createOnce, type Keyed } from './idempotency.js'
import { parseInput, withoutNulls } from './input.js'
import { createIntentSeal } from './intent-seal.js'
import { available, createLog } from './log.js'
import type { PageRequest } from './page.js'
import { type Decision, type Policy, parsePolicy } from './policy.js'
import { containLogger, type Logger, type ProviderClient } from './provider.js'
import { createRecovery } from './recovery.js'
import { createRegistry, type RegisteredSkill, type SkillRegistration } from './registry.js'
import { type AuditValidation, validateAll, validateChain } from './replay.js'
import { createRuns, type Run } from './run.js'
import { createPerformer } from './run-steps.js'
import { IntentInput, type SessionDocument, type SessionInput } from './session.js'
import { createSessions, type Session } from './sessions.js'
import { parsePublicKeys } from './signature.js'
import type { Skill } from './skill.js'
import type { Store } from './store.js'
import { observeBroker, observeRuns, type Telemetry } from './telemetry.js'
import type { ToolMeta } from './tool.js'

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
  /** 32 bytes or more, kept secret: encrypts what runs that wait will do, so that the next process can go on with them. */
  signingKey?: string | Uint8Array
  /** Runs at a time on this host, of a store that several hosts share. Default 16. */
  concurrency?: number
  /** Milliseconds for which an engine that cannot be reached is waited for, to tell what a killed host left. Default 30 000. */
  recoveryMs?: number
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

export interface GateHealth {
  store: 'ok' | 'unavailable'
  /** The engine behind `providerClient`; `unknown` when that client cannot tell. */
  engine: 'ok' | 'unavailable' | 'unknown'
  /** `shared`: several hosts divide the runs of one store. */
  role: 'single' | 'shared'
  /** Runs that wait for their turn; on a shared store, those of all hosts. */
  backlog: number
  /** Runs that this host executes. */
  running: number
  /** Of a shared store. */
  host_id?: string
  hosts?: number
}

/** Made by {@link createGate}. Every method rejects with a Failure. */
export interface Gate extends AsyncDisposable {
  /** Knows the host's secrets: for what leaves beside the gate's results and log, such as messages of its failures. */
  readonly redactor: Redactor
  tools(): ToolMeta[]
  /** Resolves when runs from before are being executed or settled. Called by itself; rejects when the log cannot be read. */
  ready(): Promise<void>
  registerSkill(
    registration: SkillRegistration,
    options?: Keyed,
  ): Promise<{ skill: RegisteredSkill; created: boolean; replayed?: true }>
  registeredSkills(page?: PageRequest): Promise<{ skills: RegisteredSkill[]; next_cursor: string | null }>
  createSession(input?: SessionInput, options?: Keyed): Promise<Session>
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
  /** Whether the log answers, and what waits and runs. */
  health(): Promise<GateHealth>
  /** Whether the outcome of a call, by the id that a provider was given, may still be asked of the provider. */
  isOpen(callId: string): Promise<boolean>
  /**
   * Cancels what still runs after `graceMs` (default 0), waits for it to end, and closes the store. Runs that only wait
   * stay in a durable store for the next process when there is a `signingKey`. Clients belong to the host and stay open.
   */
  close(options?: { graceMs?: number }): Promise<void>
}

/** Who asks for health wants an answer, also when there is none. */
const HEALTH_MS = 2_000

/** 128 bits as in RFC 9562's version 7, the time first: what is made together lies together in a store's indexes. */
function timeOrdered(): string {
  if (randomUsed === random.length) {
    random = randomBytes(2_000).toString('hex')
    randomUsed = 0
  }
  randomUsed += 20
  return Date.now().toString(16).padStart(12, '0') + random.slice(randomUsed - 20, randomUsed)
}
let random = ''
let randomUsed = 0

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
  signingKey,
  concurrency = 16,
  recoveryMs = 30_000,
  logger: hostLogger,
  telemetry,
  now = () => new Date(),
  newId = (kind) => `${kind}_${timeOrdered()}`,
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
  const seal = createIntentSeal(signingKey)
  const observation = { telemetry, redactor }
  const observed = observeBroker(broker, observation)
  const recover = createRecovery({ broker, logger, patienceMs: recoveryMs, isShared: store.shared !== undefined, now })
  const perform = observeRuns(createPerformer({ log, broker: observed, logger, recover }), observation)
  const executor = createExecutor({ store, log, seal, perform, concurrency, logger })
  const unwatch = telemetry?.watch(executor.count)
  const once = createOnce({ store, now })
  const registry = createRegistry({ store, log, redactor, publicKeys, now, once })
  const runs = createRuns({ store, log, executor })
  const sessions = createSessions({
    store,
    log,
    executor,
    runs,
    once,
    seal,
    broker,
    observation,
    assertOpen,
    now,
    newId,
  })
  let closed: Promise<void> | undefined

  function assertOpen(): void {
    if (closed !== undefined) throw new Failure('UNAVAILABLE', 'This gate is closed.', { retriable: false })
  }

  async function simulate(input: SimulateInput): Promise<Decision> {
    const { session_id, policy: document, ...intent } = withoutNulls(parseObject(input, 'simulation'))
    if (session_id !== undefined && document !== undefined) {
      throw new Failure('INVALID_INPUT', 'Send session_id or policy, not both.', { details: { field: 'policy' } })
    }
    const policy: Policy =
      session_id === undefined
        ? parsePolicy(document ?? {}, 0, tools)
        : (await sessions.stateOf(String(session_id))).policy
    const { tool, params } = parseInput(IntentInput, intent, 'simulation') as { tool: string; params: never }
    return redactor.value(broker.judge(policy, { tool, params }).decision) as Decision
  }

  async function audit(query: AuditQuery = {}): Promise<AuditPage> {
    if (query.session_id !== undefined && query.session_id !== REGISTRY) await sessions.stateOf(query.session_id)
    return readAudit(store, query)
  }

  async function validate({ session_id }: { session_id?: string } = {}): Promise<AuditValidation> {
    if (session_id === undefined) return available(validateAll(store))
    // The head, not the folded session: a chain whose first event was removed must still be found invalid.
    if ((await available(store.head(session_id))) === undefined && session_id !== REGISTRY)
      await sessions.stateOf(session_id)
    return available(validateChain(store, session_id))
  }

  async function health(): Promise<GateHealth> {
    const { queued, running } = executor.count()
    const role = store.shared === undefined ? 'single' : 'shared'
    const state = async () => {
      await store.head(REGISTRY)
      return { store: 'ok' as const, ...(await store.shared?.state()) }
    }
    const [known, engine] = await Promise.all([
      race(state, { timeoutMs: HEALTH_MS }).catch(() => ({ store: 'unavailable' as const })),
      engineState(providerClient ?? gatewayClient),
    ])
    return { engine, role, backlog: queued, running, ...known }
  }

  async function shutDown(graceMs: number): Promise<void> {
    // First what is on its way into the log, because it may queue a run.
    await sessions.idle()
    await executor.close({ graceMs })
    unwatch?.()
    await log.idle()
    await store.close?.()
  }

  function close({ graceMs = 0 }: { graceMs?: number } = {}): Promise<void> {
    closed ??= shutDown(graceMs)
    return closed
  }

  executor.ready().catch((error) => logger.error('Runs from before cannot be read yet.', { error }))

  return {
    redactor,
    tools: () => [...tools.values()].map(({ meta }) => meta),
    ready: executor.ready,
    registerSkill: async (registration, options = {}) => {
      assertOpen()
      return registry.register(registration, options)
    },
    registeredSkills: (page = {}) => registry.list(page),
    createSession: sessions.create,
    session: sessions.find,
    sessions: sessions.list,
    run: runs.find,
    simulate,
    audit,
    validate,
    health,
    isOpen: async (callId) => (await store.openRun(callId.replace(/\/.*$/, ''))) !== undefined,
    close,
    [Symbol.asyncDispose]: () => close(),
  }
}

async function engineState(client: ProviderClient | undefined): Promise<GateHealth['engine']> {
  if (client?.engineId === undefined) return 'unknown'
  return race(async () => client.engineId?.(), { timeoutMs: HEALTH_MS }).then(
    () => 'ok',
    () => 'unavailable',
  )
}
