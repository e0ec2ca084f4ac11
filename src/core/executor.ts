/** Executes runs: each session's in the order accepted, different sessions in parallel, and on from where the log shows them. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Intent } from './broker.js'
import { watchCancelling } from './cancel-watch.js'
import { createDeferred, type Deferred } from './deferred.js'
import { REGISTRY } from './event.js'
import { Failure, isFailure } from './failure.js'
import type { IntentSeal } from './intent-seal.js'
import { available, type Log } from './log.js'
import type { Logger } from './provider.js'
import { HandOver } from './recovery.js'
import { NOT_BEGUN, type RunProgress, readProgress } from './run-progress.js'
import { CANCELLED, type createPerformer, type Outcomes, tellRecorded } from './run-steps.js'
import type { Repair, Store } from './store.js'
import type { Listeners } from './tool.js'

interface ActiveRun {
  sessionId: string
  phase: 'queued' | 'running' | 'ended'
  controller: AbortController
  /** Resolves when the cancelling of a queued run is in the log. */
  cancelled?: Promise<void>
  /** Resolves when the run has ended, or this process leaves it to another. */
  ended: Promise<void>
  /** Rejects when the log cannot be written: the run goes on when it can. */
  troubled: Deferred<never>
}

export interface QueuedRun {
  id: string
  sessionId: string
  /** Undefined for a run that is found in the store. */
  intents?: readonly Intent[]
  listeners?: Listeners | undefined
}

export interface Executor {
  /** Resolves when what the store holds from before is queued; runs that are accepted later come after it. */
  ready(): Promise<void>
  /** Announces a run before the log is told of it: until `unexpect`, nobody here takes it from the store. */
  expect(runId: string, sessionId: string): void
  /** Whether no other run of the session waits, is executed or expected, here or on another host that shares the store. */
  isNext(runId: string, sessionId: string): boolean
  /** Takes an expected run, which is in the log now. */
  accept(run: QueuedRun): void
  /** It was accepted, has ended in the write that told of it, or does not come. */
  unexpect(runId: string): void
  /** The log may hold a run of which this process was not told, now or a little later: looks for it. */
  review(): Promise<void>
  /** Resolves when the run has ended; rejects when its log cannot be written. Undefined when it is not executed here. */
  done(runId: string): Promise<void> | undefined
  /** Ends a queued run at once and tells a running one to stop. CONFLICT when it is not executed here. */
  cancel(runId: string): Promise<void>
  /** Runs that wait or are executed here. */
  count(): { queued: number; running: number }
  /** Cancels what runs after `graceMs`, and waits for it to end. What only waits stays in a durable store when the key lasts. */
  close(options: { graceMs: number }): Promise<void>
}

const OPEN_PAGE = 500
const FIRST_RETRY_MS = 50
const LONGEST_RETRY_MS = 5_000
/** For so long a write whose outcome is unknown may still come about on a database server. */
const REVIEW_MS = 60_000
/** Runs that other hosts may execute, of which those who post here want to hear. */
const MAX_LISTENING = 10_000

interface ExecutorOptions {
  store: Store
  log: Log
  seal: IntentSeal
  perform: ReturnType<typeof createPerformer>
  /** Runs at a time on this host, of a store that several share. */
  concurrency: number
  logger: Logger
}

export function createExecutor({ store, log, seal, perform, concurrency, logger }: ExecutorOptions): Executor {
  const active = new Map<string, ActiveRun>()
  const tails = new Map<string, Promise<unknown>>()
  const listening = new Map<string, Listeners>()
  /** Runs on their way into the log, and their sessions. */
  const expected = new Map<string, string>()
  const closing = new AbortController()
  /** Nothing more begins. */
  let isClosing = false
  let started: Promise<void> | undefined
  let reviews = 0
  /** What the store mended and the log does not say yet. */
  const repairs = [...(store.repairs?.() ?? [])]

  function ready(): Promise<void> {
    return start().catch((error) => {
      void review()
      throw error
    })
  }

  function start(): Promise<void> {
    started ??= begin().catch((error) => {
      started = undefined
      throw error
    })
    return started
  }

  async function begin(): Promise<void> {
    while (repairs.length > 0) {
      const { session_id, what } = repairs[0] as Repair
      const drafts = [{ type: 'log.repaired' as const, data: { reason: what } }]
      await log.write(session_id ?? REGISTRY, () => ({ drafts, result: undefined }))
      repairs.shift()
    }
    await (store.shared === undefined ? resume() : claim())
  }

  /** Queues what the store holds and this process does not know of. */
  async function resume(): Promise<void> {
    let after = 0
    for (;;) {
      const page = await available(store.openRuns({ after, limit: OPEN_PAGE }))
      for (const { run_id, session_id } of page) {
        if (!active.has(run_id) && !expected.has(run_id)) enqueue({ id: run_id, sessionId: session_id })
      }
      after = page.at(-1)?.position ?? after
      if (page.length < OPEN_PAGE) return
    }
  }

  async function claim(): Promise<void> {
    const onCancel = (runId: string) => active.get(runId)?.controller.abort()
    const watch = await available(watchCancelling(store, onCancel, closing.signal))
    await store.shared?.start({
      perform: async ({ run_id, session_id }) => {
        const entry = enqueue({ id: run_id, sessionId: session_id })
        await entry.ended
        if (entry.phase !== 'ended') throw new Failure('UNAVAILABLE', `Run ${run_id} is left to another host.`)
      },
      concurrency,
      onLost() {
        logger.error('This host lost its lease: its runs are stopped, and other hosts settle them.')
        for (const { controller } of active.values()) controller.abort(LOST)
      },
      onError: (error) => logger.error('Runs cannot be claimed at the moment.', { error }),
    })
    void watch()
  }

  function accept(run: QueuedRun): void {
    if (store.shared === undefined) {
      enqueue(run)
      return
    }
    if (run.listeners?.onOutput ?? run.listeners?.onProgress) listening.set(run.id, run.listeners)
    const [oldest] = listening.size > MAX_LISTENING ? listening.keys() : []
    if (oldest !== undefined) listening.delete(oldest)
  }

  /** What other hosts do is not known. */
  function isNext(runId: string, sessionId: string): boolean {
    if (store.shared !== undefined || tails.has(sessionId)) return false
    for (const [other, session] of expected) if (session === sessionId && other !== runId) return false
    return true
  }

  function enqueue(run: QueuedRun): ActiveRun {
    const { id, sessionId } = run
    const entry: ActiveRun = {
      sessionId,
      phase: 'queued',
      controller: new AbortController(),
      ended: Promise.resolve(),
      troubled: createDeferred<never>(),
    }
    const before = tails.get(sessionId) ?? Promise.resolve()
    const tail = before
      .then(() => execute(run, entry))
      .catch((error) => {
        const isOthers = error instanceof HandOver || entry.controller.signal.reason === LOST
        if (isOthers || isClosing || isUnavailable(error)) throw error
        return giveUp(run, entry, error)
      })
      .catch((error) => {
        logger.error(`Run ${id} is left as its log shows it.`, { error })
        if (isUnavailable(error)) void review()
      })
      .finally(() => {
        if (active.get(id) === entry) active.delete(id)
        listening.delete(id)
        if (tails.get(sessionId) === tail) tails.delete(sessionId)
      })
    entry.ended = tail
    active.set(id, entry)
    tails.set(sessionId, tail)
    return entry
  }

  /** Until the log shows the run's end. While it cannot be written, the run waits and goes on from what it shows then. */
  async function execute(run: QueuedRun, entry: ActiveRun): Promise<void> {
    if (entry.cancelled !== undefined) return entry.cancelled
    if (isClosing) return
    entry.phase = 'running'
    const outcomes: Outcomes = new Map()
    try {
      let { intents } = run
      let progress: RunProgress | undefined = intents === undefined ? undefined : NOT_BEGUN
      for (let wait = FIRST_RETRY_MS; ; wait = Math.min(wait * 2, LONGEST_RETRY_MS)) {
        try {
          if (progress === undefined) {
            progress = await progressOf(run)
            // The log is back.
            entry.troubled = createDeferred()
          }
          tellRecorded(progress, outcomes)
          if (progress.state !== 'ended') {
            intents ??= await readIntents(run)
            const { signal } = entry.controller
            const listeners = run.listeners ?? listening.get(run.id)
            if (intents !== undefined) await perform({ ...run, intents, listeners, signal }, progress, outcomes)
          }
          entry.phase = 'ended'
          return
        } catch (error) {
          const isOver = entry.controller.signal.reason === LOST || closing.signal.aborted
          if (isOver || isUnavailable(error)) entry.troubled.reject(error)
          if (isOver || !isUnavailable(error)) throw error
          logger.error(`Run ${run.id} waits: its log could not be written.`, { error: error.cause ?? error })
          await delay(wait, undefined, { signal: closing.signal })
          progress = undefined
        }
      }
    } finally {
      if (entry.phase !== 'ended') {
        await progressOf(run).then(
          (progress) => tellRecorded(progress, outcomes),
          () => {},
        )
      }
      // What the log does not have stays on the engine, for who settles the run.
      for (const outcome of outcomes.values()) {
        if (typeof outcome === 'object') outcome.recorded.reject(new Error('The log does not have it.'))
      }
    }
  }

  /** Something other than the log went wrong: the run ends, and whether it took effect is not known. */
  async function giveUp({ id, sessionId }: QueuedRun, entry: ActiveRun, error: unknown): Promise<void> {
    logger.error(`Run ${id} could not be carried through.`, { error })
    const reason = { code: 'INTERNAL', message: 'The run could not be carried through.' }
    const drafts = [{ type: 'run.finished' as const, run_id: id, data: { status: 'unknown', reason } }]
    await log.write(sessionId, () => ({ drafts, result: undefined }))
    entry.phase = 'ended'
  }

  const progressOf = async ({ id }: QueuedRun): Promise<RunProgress> =>
    readProgress(await available(store.query({ run_id: id, limit: 1_000 })))

  /** The intents of a run that was accepted before; when they cannot be read any more, the run ends with that. */
  async function readIntents({ id, sessionId }: QueuedRun): Promise<readonly Intent[] | undefined> {
    const open = await available(store.openRun(id))
    const intents = open && seal.open(id, open.payload)
    if (intents !== undefined) return intents
    const message = 'Its intents were kept under another signing key, so it cannot be executed. Send the message again.'
    const reason = { code: 'INTERRUPTED', message }
    await log.write(sessionId, () => ({
      drafts: [{ type: 'run.finished', run_id: id, data: { status: 'failed', reason } }],
      result: undefined,
    }))
    return undefined
  }

  /** Until the log answers and the time is over, or a later review takes over. */
  async function review(): Promise<void> {
    reviews += 1
    const mine = reviews
    const until = performance.now() + REVIEW_MS
    for (let wait = FIRST_RETRY_MS; ; wait = Math.min(wait * 2, LONGEST_RETRY_MS)) {
      await delay(wait, undefined, { signal: closing.signal, ref: false }).catch(() => {})
      if (closing.signal.aborted || mine !== reviews) return
      try {
        await start()
        if (store.shared === undefined) await resume()
        if (store.shared !== undefined || performance.now() >= until) return
      } catch {
        // The log is still away.
      }
    }
  }

  async function cancel(runId: string): Promise<void> {
    const run = active.get(runId)
    if (run === undefined || run.phase === 'ended') {
      throw new Failure('CONFLICT', `Run ${runId} has ended, or another process executes it.`)
    }
    const wasQueued = run.phase === 'queued'
    run.controller.abort()
    if (!wasQueued) return
    run.phase = 'ended'
    run.cancelled = log.write(run.sessionId, () => ({
      drafts: [{ type: 'run.finished', run_id: runId, data: { ...CANCELLED } }],
      result: undefined,
    }))
    await run.cancelled
    active.delete(runId)
  }

  async function close({ graceMs }: { graceMs: number }): Promise<void> {
    isClosing = true
    const runs = [...active.entries()]
    const waiting = store.durable && seal.lasts ? [] : runs.filter(([, { phase }]) => phase === 'queued')
    await Promise.allSettled(waiting.map(([id]) => cancel(id)))
    const ending = Promise.allSettled(runs.filter(([, { phase }]) => phase === 'running').map(([, { ended }]) => ended))
    const stopping = store.shared?.stop()
    await Promise.race([ending, delay(graceMs, undefined, { signal: closing.signal }).catch(() => {})])
    closing.abort()
    for (const { controller } of active.values()) controller.abort(CLOSING)
    await Promise.allSettled([...runs.map(([, { ended }]) => ended), stopping])
  }

  return {
    ready,
    expect: (runId, sessionId) => void expected.set(runId, sessionId),
    isNext,
    accept,
    unexpect: (runId) => void expected.delete(runId),
    review,
    cancel,
    done(runId) {
      const run = active.get(runId)
      return run && Promise.race([run.ended, run.troubled.promise])
    },
    count() {
      const of = (wanted: string) => [...active.values()].filter(({ phase }) => phase === wanted).length
      return { queued: of('queued'), running: of('running') }
    },
    close,
  }
}

const isUnavailable = (error: unknown): error is Failure => isFailure(error) && error.code === 'UNAVAILABLE'
const LOST = new Failure('UNAVAILABLE', 'This host lost its lease.')
const CLOSING = new Failure('ABORTED', 'This process ends.')
