/** Executes runs: each session's in the order accepted, different sessions in parallel, and on from where the log shows them. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Intent } from './broker.js'
import { createDeferred, type Deferred } from './deferred.js'
import { REGISTRY } from './event.js'
import { Failure, isFailure } from './failure.js'
import type { IntentSeal } from './intent-seal.js'
import { available, type Log } from './log.js'
import type { Logger } from './provider.js'
import { NOT_BEGUN, type RunProgress, readProgress } from './run-progress.js'
import { CANCELLED, type createPerformer, type Outcomes } from './run-steps.js'
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
  /** Whether no run of the session waits or is executed, here or on another host that shares the store. */
  isIdle(sessionId: string): boolean
  /** Takes a run that the log has just been told of. */
  accept(run: QueuedRun): void
  /** The log may hold a run of which this process was not told: looks for it. */
  review(): void
  /** Resolves when the run has ended; rejects when its log cannot be written. Undefined when it is not executed here. */
  done(runId: string): Promise<void> | undefined
  /** Ends a queued run at once and tells a running one to stop. CONFLICT when it is not executed here. */
  cancel(runId: string): Promise<void>
  /** Runs that wait or are executed here. */
  count(): { queued: number; running: number }
  /** Cancels what runs after `graceMs`, and waits for it to end. What only waits stays in a durable store. */
  close(options: { graceMs: number }): Promise<void>
}

const OPEN_PAGE = 500
const FIRST_RETRY_MS = 50
const LONGEST_RETRY_MS = 5_000
const CANCEL_LOOK_MS = 500

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
  const closing = new AbortController()
  let started: Promise<void> | undefined
  /** What the store mended and the log does not say yet. */
  const repairs = [...(store.repairs?.() ?? [])]

  function ready(): Promise<void> {
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
        if (!active.has(run_id)) enqueue({ id: run_id, sessionId: session_id })
      }
      after = page.at(-1)?.position ?? after
      if (page.length < OPEN_PAGE) return
    }
  }

  async function claim(): Promise<void> {
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
    watchCancelling()
  }

  function accept(run: QueuedRun): void {
    if (store.shared === undefined) enqueue(run)
    else if (run.listeners?.onOutput ?? run.listeners?.onProgress) listening.set(run.id, run.listeners)
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
        logger.error(`Run ${id} is left as its log shows it.`, { error })
        if (isFailure(error) && error.code === 'UNAVAILABLE') review()
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
    if (closing.signal.aborted) return
    entry.phase = 'running'
    const outcomes: Outcomes = new Map()
    try {
      let { intents } = run
      let progress: RunProgress | undefined = intents === undefined ? undefined : NOT_BEGUN
      for (let wait = FIRST_RETRY_MS; ; wait = Math.min(wait * 2, LONGEST_RETRY_MS)) {
        try {
          progress ??= await progressOf(run)
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
          entry.troubled.reject(error)
          const isOver = entry.controller.signal.reason === LOST || closing.signal.aborted
          if (isOver || !isFailure(error) || error.code !== 'UNAVAILABLE') throw error
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

  function review(): void {
    if (store.shared !== undefined) return
    const look = async (): Promise<void> => {
      for (let wait = FIRST_RETRY_MS; !closing.signal.aborted; wait = Math.min(wait * 2, LONGEST_RETRY_MS)) {
        await delay(wait, undefined, { signal: closing.signal, ref: false }).catch(() => {})
        try {
          return await resume()
        } catch {}
      }
    }
    void look()
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

  /** Other hosts ask through the log for the cancelling of what is executed here. */
  async function watchCancelling(): Promise<void> {
    let after: number | undefined
    while (!closing.signal.aborted) {
      await delay(CANCEL_LOOK_MS, undefined, { signal: closing.signal, ref: false }).catch(() => {})
      try {
        const types = ['run.cancel_requested' as const]
        const query = after === undefined ? { order: 'desc' as const, limit: 1 } : { after, limit: 100 }
        const found = await store.query({ types, ...query })
        for (const { run_id } of after === undefined ? [] : found) active.get(run_id ?? '')?.controller.abort()
        after = found.at(-1)?.position ?? after ?? 0
      } catch {
        // The next look finds it.
      }
    }
  }

  async function close({ graceMs }: { graceMs: number }): Promise<void> {
    const runs = [...active.entries()]
    if (store.durable !== true) await Promise.allSettled([...active.keys()].map(cancel))
    const ending = Promise.allSettled(runs.filter(([, { phase }]) => phase === 'running').map(([, { ended }]) => ended))
    const stopping = store.shared?.stop()
    await Promise.race([ending, delay(graceMs, undefined, { signal: closing.signal }).catch(() => {})])
    closing.abort()
    for (const { controller } of active.values()) controller.abort(CLOSING)
    await Promise.allSettled([...runs.map(([, { ended }]) => ended), stopping])
  }

  return {
    ready,
    // What other hosts do is not known.
    isIdle: (sessionId) => store.shared === undefined && !tails.has(sessionId),
    accept,
    review,
    cancel,
    done(runId) {
      const run = active.get(runId)
      return run && Promise.race([run.ended, run.troubled.promise])
    },
    count() {
      const phases = [...active.values()].map(({ phase }) => phase)
      return {
        queued: phases.filter((phase) => phase === 'queued').length,
        running: phases.filter((phase) => phase === 'running').length,
      }
    },
    close,
  }
}

const LOST = new Failure('UNAVAILABLE', 'This host lost its lease.')
const CLOSING = new Failure('ABORTED', 'This process ends.')

/** A write that said nothing of its success may have had it. */
function tellRecorded({ steps }: RunProgress, outcomes: Outcomes): void {
  for (const [step, outcome] of outcomes) {
    if (typeof outcome === 'object' && steps.get(step)?.state === 'ended') outcome.recorded.resolve()
  }
}
