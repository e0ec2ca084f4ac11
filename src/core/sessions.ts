/** The sessions of a gate: made, found and listed; each sets its policy and takes messages, whose runs it queues. */
import type { Redactor } from '../redaction/index.js'
import type { Broker } from './broker.js'
import { createChanges } from './changes.js'
import { canonical, type Data, sha256 } from './data.js'
import { readEvent } from './event.js'
import type { Executor } from './executor.js'
import { isFailure } from './failure.js'
import type { Keyed, Once } from './idempotency.js'
import type { IntentSeal } from './intent-seal.js'
import { existing, type Log, type SessionState } from './log.js'
import { type PageRequest, readPage } from './page.js'
import { assertLoggable, couldAllow, type EffectivePolicy, effective, parsePolicy } from './policy.js'
import type { createRuns, Run } from './run.js'
import { type EndedAtOnce, endAtOnce } from './run-steps.js'
import {
  type MessageDocument,
  type MessageInput,
  type ParsedMessage,
  parseMessage,
  parseSessionInput,
  type SessionDocument,
  type SessionInput,
  toMessage,
} from './session.js'
import type { KeptAnswer, Store } from './store.js'
import { type Observation, tellEnded } from './telemetry.js'
import type { Listeners, ToolMeta } from './tool.js'

/** One session: a policy, messages, runs. */
export interface Session {
  readonly id: string
  /** It was created before, by a request with the same key. */
  readonly replayed?: true
  /** The gate's own. */
  readonly redactor: Redactor
  read(): Promise<SessionDocument>
  policy(): Promise<EffectivePolicy>
  /** Replaces the policy. INVALID_INPUT leaves the one before in force. */
  setPolicy(document: unknown): Promise<EffectivePolicy>
  /** The tools of which the policy could allow some call: what a model is offered. */
  tools(): Promise<ToolMeta[]>
  /** Calls the listener after this gate replaced the policy, until the returned function is called. Who shares the store with other processes reads `policy()` too. */
  onPolicy(listener: () => void): () => void
  /** Logs the message and queues a run for its intents. `onOutput` receives what programs print, `onProgress` how far pulls are. */
  post(message: MessageInput, options?: Listeners & Keyed): Promise<Run>
  messages(page?: PageRequest): Promise<{ messages: MessageDocument[]; next_cursor: string | null }>
}

interface SessionsOptions {
  store: Store
  log: Log
  executor: Executor
  runs: ReturnType<typeof createRuns>
  once: Once
  seal: IntentSeal
  broker: Broker
  observation: Observation
  /** Throws when nothing new is taken. */
  assertOpen(): void
  now: () => Date
  newId: (kind: string) => string
}

export function createSessions(options: SessionsOptions) {
  const { store, log, executor, runs, once, seal, broker, observation, assertOpen, now, newId } = options
  const { tools } = broker
  const { redactor } = observation
  /** Messages on their way into the log. */
  const posting = new Set<Promise<unknown>>()
  const policies = createChanges()

  async function stateOf(sessionId: string): Promise<SessionState> {
    const state = await log.state(sessionId)
    existing(state, sessionId)
    return state
  }

  async function create(input: SessionInput = {}, { idempotencyKey }: Keyed = {}): Promise<Session> {
    assertOpen()
    const parsed = parseSessionInput(input)
    const id = newId('ses')
    const session: SessionDocument = { id, created_at: now().toISOString(), status: 'active', ...parsed }
    const { answer, replayed } = await once<{ id: string }>(
      { scope: 'sessions', request: parsed as unknown as Data, idempotencyKey },
      async (keep) => {
        const answer = { id }
        const options = kept(keep(answer))
        await log.write(id, () => ({
          drafts: [{ type: 'session.created', data: { session } }],
          result: undefined,
          options,
        }))
        return answer
      },
    )
    return { ...object(answer.id), ...(replayed && { replayed }) }
  }

  const object = (id: string): Session => ({
    id,
    redactor,
    read: () => log.session(id),
    policy: async () => effective((await stateOf(id)).policy),

    async setPolicy(document) {
      assertOpen()
      const replaced = await log.write(id, (state) => {
        existing(state, id)
        const policy = parsePolicy(document, state.policy.version + 1, tools)
        assertLoggable(policy, redactor)
        return {
          drafts: [{ type: 'policy.replaced', data: { version: policy.version, policy: policy.document } }],
          result: effective(policy),
        }
      })
      policies.tell(id)
      return replaced
    },

    async tools() {
      const { policy } = await stateOf(id)
      return [...tools.values()].filter((tool) => couldAllow(policy, tool)).map(({ meta }) => meta)
    },
    onPolicy: (listener) => policies.listen(id, listener),

    async post(given, { onOutput, onProgress, idempotencyKey } = {}) {
      assertOpen()
      const message = parseMessage(given)
      const posted = once<{ run_id: string }>(
        { scope: `messages ${id}`, request: message as unknown as Data, idempotencyKey },
        async (keep) => {
          const runId = newId('run')
          await accept(id, runId, message, { listeners: { onOutput, onProgress }, answer: keep({ run_id: runId }) })
          return { run_id: runId }
        },
      ).finally(() => posting.delete(posted))
      posting.add(posted)
      const { answer, replayed } = await posted
      return { ...runs.object(answer.run_id, id), ...(replayed && { replayed }) }
    },

    async messages(page = {}) {
      await log.session(id)
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

  /** The message and its run, in the log and among the runs that are open; not among these when it has nothing to execute. */
  async function accept(
    session_id: string,
    run_id: string,
    { intents, ...rest }: ParsedMessage,
    { listeners, answer }: { listeners: Listeners; answer: KeptAnswer | undefined },
  ): Promise<void> {
    await executor.ready()
    const asked = intents.map(({ tool, params }) => ({ tool, params_hash: sha256(canonical(params)) }))
    const data = { message_id: newId('msg'), ...rest, intents: asked }
    const run = { id: run_id, intents }
    const opening = () => ({ run_id, session_id, payload: seal.seal(run_id, intents) })
    executor.expect(run_id, session_id)
    try {
      const ended = await log.write<EndedAtOnce | undefined>(session_id, (state) => {
        existing(state, session_id)
        // Runs of a session end in the order accepted: none may be before it, in its turn or on its way to that.
        const isNext = executor.isNext(run_id, session_id)
        const ended = isNext ? endAtOnce(run, (intent) => broker.judge(state.policy, intent)) : undefined
        return {
          drafts: [
            { type: 'message.appended', run_id, data },
            { type: 'run.queued', run_id, data: { intents: intents.length } },
            ...(ended?.drafts ?? []),
          ],
          result: ended,
          options: { ...(ended === undefined && { opens: opening() }), ...kept(answer) },
        }
      })
      if (ended === undefined) executor.accept({ ...run, sessionId: session_id, listeners })
      else void tellEnded({ run_id, session_id }, ended, tools.get(intents[0]?.tool ?? '')?.meta, observation)
    } catch (error) {
      if (isFailure(error) && error.details?.applied === 'unknown') void executor.review()
      throw error
    } finally {
      executor.unexpect(run_id)
    }
  }

  async function find(id: string): Promise<Session> {
    await log.session(String(id))
    return object(String(id))
  }

  /** Newest first. */
  async function list(page: PageRequest = {}): Promise<{ sessions: SessionDocument[]; next_cursor: string | null }> {
    const query = { types: ['session.created' as const], order: 'desc' as const }
    const { items, next_cursor } = await readPage(
      store,
      query,
      page,
      50,
      (event) => readEvent(event).data.session as unknown as SessionDocument,
    )
    return { sessions: items, next_cursor }
  }

  return {
    create,
    find,
    list,
    stateOf,
    /** Resolves when no message is on its way into the log any more. */
    idle: async () => void (await Promise.allSettled(posting)),
  }
}

const kept = (answer: KeptAnswer | undefined) => (answer === undefined ? {} : { answer })
