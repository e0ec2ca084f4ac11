/** How far a run has come, read from its log: what is left to do is told by what stands there, whoever wrote it. */
import type { DataObject } from './data.js'
import { readEvent, type StoredEvent } from './event.js'
import type { RunReason, RunStatus } from './run.js'
import type { SkillResult } from './tool.js'

/** How a run ends. */
export interface Ending {
  status: RunStatus
  reason?: RunReason
}

export interface StepProgress {
  /** `started`: the log says that its tool was to be executed, and nothing of what came of it. */
  state: 'started' | 'ended'
  /** Set when the step ended the run. */
  ending?: Ending
  /** RFC 3339: when its tool was started. */
  started_at?: string
  /** The engine that its tool was started on. */
  engine?: string
}

export interface RunProgress {
  state: 'queued' | 'running' | 'ended'
  cancelRequested: boolean
  /** By step id. */
  steps: ReadonlyMap<string, StepProgress>
}

export const NOT_BEGUN: RunProgress = { state: 'queued', cancelRequested: false, steps: new Map() }

/** Folds a run's events, in order. */
export function readProgress(events: readonly StoredEvent[]): RunProgress {
  const steps = new Map<string, StepProgress>()
  let { state, cancelRequested }: RunProgress = NOT_BEGUN
  for (const { type, ts, data } of events.map(readEvent)) {
    const id = String(data.step_id)
    if (type === 'run.started') state = 'running'
    else if (type === 'run.finished') state = 'ended'
    else if (type === 'run.cancel_requested') cancelRequested = true
    else if (type === 'tool.started') {
      steps.set(id, {
        state: 'started',
        started_at: ts,
        ...(data.engine !== undefined && { engine: String(data.engine) }),
      })
    } else if (type === 'tool.finished') steps.set(id, { state: 'ended', ...endingOf(data) })
  }
  return { state, cancelRequested, steps }
}

/** The first step that is not ok ends its run. */
function endingOf(data: DataObject): Pick<StepProgress, 'ending'> {
  if (data.status === 'ok') return {}
  const { result, error = (result as unknown as SkillResult | undefined)?.metadata.error } = data
  const { code, message } = error as RunReason
  return { ending: failedWith({ code, message }) }
}

/** What a failure of a tool makes of its run: it did not do its work, or what it did cannot be told. */
export const failedWith = (reason: RunReason, isKnown = reason.code !== 'INTERNAL'): Ending => ({
  status: isKnown ? 'failed' : 'unknown',
  reason,
})
