/** A run as its readers see it: folded from the run's events. */
import { setTimeout as delay } from 'node:timers/promises'
import type { DataObject } from './data.js'
import { type Event, readEvent, type StoredEvent } from './event.js'
import type { Executor } from './executor.js'
import { brief, Failure, type FailureCode } from './failure.js'
import { available, type Log } from './log.js'
import type { Decision } from './policy.js'
import { type Replay, replay } from './replay.js'
import type { PositionedEvent, Store } from './store.js'
import type { SkillResult } from './tool.js'

export type RunStatus = 'queued' | 'running' | 'completed' | 'failed' | 'denied' | 'cancelled' | 'unknown'

export interface RunReason {
  code: FailureCode
  message: string
}

export type Step =
  | { step_id: string; type: 'policy_eval'; status: 'allow' | 'denied' | 'pending'; tool: string; details: Decision }
  | { step_id: string; type: 'policy_eval'; status: 'skipped'; tool: string; details: { reason: string } }
  | {
      step_id: string
      type: 'tool_exec'
      status: 'running' | 'ok' | 'error' | 'unknown'
      tool: string
      /** `result` is the tool's own answer; absent while it runs, and when `error` says why. `capped`: long texts in it were cut. */
      details: { result?: SkillResult; error?: RunReason; duration_ms?: number; capped?: true }
    }

export interface RunDocument {
  id: string
  session_id: string
  status: RunStatus
  /** Present whenever the run ended in any way but completed. */
  reason?: RunReason
  /** Null until the run leaves the queue. */
  started_at: string | null
  ended_at?: string
  steps: Step[]
}

const FIRST_LOOK_MS = 10
const LAST_LOOK_MS = 500

const isEnded = ({ status }: Pick<RunDocument, 'status'>): boolean => status !== 'queued' && status !== 'running'

/** Folds a run's events, in order; undefined when there is no such run. */
function foldRun(stored: readonly StoredEvent[]): RunDocument | undefined {
  let run: RunDocument | undefined
  for (const event of stored.map(readEvent)) {
    if (event.type === 'run.queued') {
      run = { id: event.run_id ?? '', session_id: event.session_id, status: 'queued', started_at: null, steps: [] }
    } else if (run !== undefined) apply(run, event)
  }
  return run
}

function apply(run: RunDocument, { type, ts, data }: Event): void {
  const { step_id, tool } = data as { step_id: string; tool: string }
  switch (type) {
    case 'run.started':
      run.status = 'running'
      run.started_at = ts
      break
    case 'policy.decided':
      run.steps.push({ step_id, tool, type: 'policy_eval', ...(data.eval as object) } as Step)
      break
    case 'tool.started':
      run.steps.push({ step_id, tool, type: 'tool_exec', status: 'running', details: {} })
      break
    case 'tool.finished': {
      const index = run.steps.findIndex((step) => step.type === 'tool_exec' && step.step_id === step_id)
      const { status, result, error, duration_ms, capped } = data as DataObject & { status: 'ok' | 'error' | 'unknown' }
      const details = {
        ...(result !== undefined && { result }),
        ...(error !== undefined && { error }),
        ...(duration_ms !== undefined && { duration_ms }),
        ...(capped === true && { capped }),
      } as unknown as (Step & { type: 'tool_exec' })['details']
      run.steps[index] = { step_id, tool, type: 'tool_exec', status, details }
      break
    }
    case 'run.finished':
      run.status = data.status as RunStatus
      run.ended_at = ts
      if (data.reason !== undefined) run.reason = data.reason as unknown as RunReason
      break
  }
}

/** One run: the judging and executing of a message's intents. */
export interface Run {
  readonly id: string
  /** It was queued before, by a request with the same key. */
  readonly replayed?: true
  readonly session_id: string
  read(): Promise<RunDocument>
  /** The run once it has ended. CONFLICT when it has not and this process does not execute it. */
  done(): Promise<RunDocument>
  /** Stops it; CONFLICT when it has ended already. */
  cancel(): Promise<RunDocument>
  /** The recorded timeline and outputs, verified. Executes nothing. */
  replay(): Promise<Replay>
}

/** The runs of a gate: looked up in the log, stopped through the executor. */
export function createRuns({ store, log, executor }: { store: Store; log: Log; executor: Executor }) {
  const eventsOf = (runId: string): Promise<PositionedEvent[]> =>
    available(store.query({ run_id: runId, limit: 1_000 }))

  const read = async (id: string): Promise<RunDocument> => folded(id, await eventsOf(id))

  function folded(id: string, events: readonly StoredEvent[]): RunDocument {
    const run = foldRun(events)
    if (run !== undefined) return run
    throw new Failure('NOT_FOUND', `There is no run ${JSON.stringify(brief(id))}.`, {
      details: { field: 'run_id' },
    })
  }

  async function poll(id: string): Promise<RunDocument> {
    for (let wait = FIRST_LOOK_MS; ; wait = Math.min(wait * 2, LAST_LOOK_MS)) {
      await delay(wait)
      await executor.done(id)
      const run = await read(id)
      if (isEnded(run)) return run
    }
  }

  const object = (id: string, session_id: string): Run => ({
    id,
    session_id,
    read: () => read(id),
    async done() {
      await executor.done(id)
      const run = await read(id)
      if (isEnded(run)) return run
      // Another host may execute it, or this one when its turn has come.
      if (store.shared !== undefined) return poll(id)
      throw new Failure('CONFLICT', `Run ${id} is ${run.status}, and this process does not execute it.`)
    },
    async cancel() {
      const events = await eventsOf(id)
      const before = folded(id, events)
      if (isEnded(before)) {
        throw new Failure('CONFLICT', `Run ${id} has ended: it is ${before.status}. There is nothing left to cancel.`, {
          details: { status: before.status },
        })
      }
      if (store.shared !== undefined && executor.done(id) === undefined) {
        const isAsked = events.some(({ type }) => type === 'run.cancel_requested')
        const drafts = isAsked ? [] : [{ type: 'run.cancel_requested' as const, run_id: id, data: {} }]
        await log.write(session_id, () => ({ drafts, result: undefined }))
      } else await executor.cancel(id)
      return read(id)
    },
    replay: async () => available(replay(store, id, await eventsOf(id))),
  })

  async function find(id: string): Promise<Run> {
    const runId = String(id)
    const { session_id } = await read(runId)
    return object(runId, session_id)
  }

  return { object, find }
}
