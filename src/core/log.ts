/** Writes a session's log: one writer at a time, each decision made on the state that its events will be tied to. */
import type { Redactor } from '../redaction/index.js'
import type { Data, DataObject } from './data.js'
import { type Draft, type Head, REGISTRY, readEvent, type StoredEvent, seal } from './event.js'
import { brief, Failure, isFailure } from './failure.js'
import { EMPTY_POLICY, type Policy, type PolicyDocument, parsePolicy } from './policy.js'
import type { Logger } from './provider.js'
import type { SessionDocument } from './session.js'
import type { AppendOptions, Store } from './store.js'
import type { Tool } from './tool.js'

/** A session folded from its log, as far as writing needs it. */
export interface SessionState {
  head: Head | undefined
  /** Undefined for a session that does not exist. */
  session: SessionDocument | undefined
  policy: Policy
}

/** What is to be appended, beside it what the store keeps with it, and what the writer is answered then. */
interface Written<T> {
  drafts: readonly Draft[]
  result: T
  options?: AppendOptions
}

export interface Log {
  /**
   * Appends what `decide` answers for the current state. When another writer came between, it decides again. Rejects with
   * UNAVAILABLE when the log cannot be written; its `details.applied` says whether nothing was (`no`) or that is `unknown`.
   */
  write<T>(sessionId: string, decide: (state: SessionState) => Written<T>): Promise<T>
  state(sessionId: string): Promise<SessionState>
  /** What a session was made as, which never changes. Rejects with NOT_FOUND. */
  session(sessionId: string): Promise<SessionDocument>
  /** Resolves when every write under way has ended. */
  idle(): Promise<void>
}

const MAX_CACHED = 1_000
const MAX_ATTEMPTS = 20

export function createLog({
  store,
  tools,
  redactor,
  now,
  newId,
  logger,
}: {
  store: Store
  tools: ReadonlyMap<string, Tool>
  redactor: Redactor
  now: () => Date
  newId: (kind: string) => string
  logger?: Logger | undefined
}): Log {
  const cache = new Map<string, SessionState>()
  const writers = new Map<string, Promise<unknown>>()

  async function load(sessionId: string): Promise<SessionState> {
    const cached = cache.get(sessionId)
    if (cached !== undefined) return cached
    // The head first: what another process appends after it makes our own append a conflict, never a stale judgement.
    const head = await available(store.head(sessionId))
    const [created, policies] = await available(
      Promise.all([
        store.query({ session_id: sessionId, types: ['session.created'], limit: 1 }),
        store.query({ session_id: sessionId, types: ['policy.replaced'], order: 'desc', limit: 1 }),
      ]),
    )
    // A write may have finished meanwhile, and knows more than was read here.
    const newer = cache.get(sessionId)
    if (newer !== undefined) return newer
    const state: SessionState = { head, session: undefined, policy: EMPTY_POLICY }
    for (const event of [...created, ...policies]) fold(state, event)
    remember(sessionId, state)
    return state
  }

  function fold(state: SessionState, stored: StoredEvent): void {
    if (stored.type !== 'session.created' && stored.type !== 'policy.replaced') return
    const { data } = readEvent(stored)
    if (stored.type === 'session.created') state.session = data.session as unknown as SessionDocument
    else state.policy = compile(data.policy as unknown as PolicyDocument, data.version as number)
  }

  /** A policy from the log that today's tools no longer understand allows nothing. */
  function compile(document: PolicyDocument, version: number): Policy {
    try {
      return parsePolicy(document, version, tools)
    } catch (error) {
      logger?.warn('A stored policy does not fit the installed tools; everything is denied until it is replaced.', {
        error,
      })
      return { ...EMPTY_POLICY, version }
    }
  }

  function remember(sessionId: string, state: SessionState): void {
    cache.delete(sessionId)
    cache.set(sessionId, state)
    const oldest = cache.keys().next().value
    if (cache.size > MAX_CACHED && oldest !== undefined) cache.delete(oldest)
  }

  async function attempt<T>(sessionId: string, decide: (state: SessionState) => Written<T>): Promise<T> {
    for (let attempts = 1; ; attempts++) {
      const state = await load(sessionId)
      const { drafts, result, options } = decide(state)
      const clean = drafts.map(({ type, run_id, data }) => ({
        type,
        ...(run_id !== undefined && { run_id }),
        data: loggable(data, redactor),
      }))
      const events = seal(sessionId, state.head, clean, { now, newId })
      const last = events.at(-1)
      if (last === undefined) return result
      try {
        await store.append(events, options)
      } catch (error) {
        // Whatever happened, what is known about this chain is no longer certain.
        cache.delete(sessionId)
        if (isFailure(error) && error.code === 'CONFLICT' && attempts < MAX_ATTEMPTS) continue
        throw unwritten(error)
      }
      for (const event of events) fold(state, event)
      state.head = { seq: last.seq, hash: last.hash }
      remember(sessionId, state)
      return result
    }
  }

  async function write<T>(sessionId: string, decide: (state: SessionState) => Written<T>): Promise<T> {
    const before = writers.get(sessionId) ?? Promise.resolve()
    const mine = before.then(() => attempt(sessionId, decide))
    const settled = mine.catch(() => {})
    writers.set(sessionId, settled)
    settled.then(() => writers.get(sessionId) === settled && writers.delete(sessionId))
    return mine
  }

  /** For reading: what another process appended since counts, so the cached state holds only while the head is the same. */
  async function state(sessionId: string): Promise<SessionState> {
    const cached = cache.get(sessionId)
    if (cached !== undefined && (await available(store.head(sessionId)))?.hash !== cached.head?.hash) {
      cache.delete(sessionId)
    }
    return load(sessionId)
  }

  const session = async (sessionId: string): Promise<SessionDocument> => existing(await load(sessionId), sessionId)

  return { write, state, session, idle: async () => void (await Promise.all(writers.values())) }
}

/** The session of a state, or NOT_FOUND. The registry's chain is nobody's session. */
export function existing(state: SessionState, sessionId: string): SessionDocument {
  if (state.session !== undefined && sessionId !== REGISTRY) return state.session
  throw new Failure('NOT_FOUND', `There is no session ${JSON.stringify(brief(sessionId))}.`, {
    details: { field: 'session_id' },
  })
}

/** What the store rejects with, as the failure a caller can act on. */
export async function available<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw unavailable(error)
  }
}

const unavailable = (error: unknown): Failure =>
  isFailure(error)
    ? error
    : new Failure('UNAVAILABLE', 'The log cannot be reached, so nothing more is executed. Try again later.', {
        details: { applied: 'no' },
        cause: error,
      })

/** A write that went wrong: only a store that knows that nothing came of it says so. */
const unwritten = (error: unknown): Failure =>
  isFailure(error)
    ? error
    : new Failure(
        'UNAVAILABLE',
        'The log could not be written, and whether it took this in is not known. A retry with the same Idempotency-Key is safe.',
        { details: { applied: 'unknown' }, cause: error },
      )

const LIMITS = { maxValues: 200_000, maxLength: 256 * 1024 * 1024 }
const MAX_LOGGED_STRING = 256 * 1024

/** Redacted first and cut then: a cut through a secret would leave a part that no rule recognises. */
function loggable(data: Record<string, unknown>, redactor: Redactor): DataObject {
  const clean = redactor.value(data, LIMITS)
  if (typeof clean !== 'object') {
    throw new Failure(
      'INVALID_INPUT',
      `This holds more than ${LIMITS.maxValues} values, too many for the log. Send less.`,
    )
  }
  return holdsLong(clean as DataObject)
    ? { ...(cut(clean as DataObject) as DataObject), capped: true }
    : (clean as DataObject)
}

const holdsLong = (value: Data): boolean =>
  typeof value === 'string'
    ? value.length > MAX_LOGGED_STRING
    : typeof value === 'object' && value !== null && Object.values(value).some(holdsLong)

/** Long strings cut to their head and tail; `capped` beside them says so, because the mark in the text could be forged. */
function cut(value: Data): Data {
  if (typeof value === 'string') {
    if (value.length <= MAX_LOGGED_STRING) return value
    const half = MAX_LOGGED_STRING / 2
    const left = value.length - 2 * half
    return `${value.slice(0, half)}[… ${left} characters left out of the log …]${value.slice(-half)}`
  }
  if (Array.isArray(value)) return value.map(cut)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value as DataObject).map(([key, member]) => [key, cut(member)]))
}
