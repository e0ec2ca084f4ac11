/** A run as its readers see it: folded from the run's events. */
import type { DataObject } from './data.js'
import { type Event, readEvent, type StoredEvent } from './event.js'
import type { FailureCode } from './failure.js'
import type { Decision } from './policy.js'
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
      /** `result` is the tool's own answer; absent while it runs and when it was lost. `capped`: long texts in it were cut. */
      details: { result?: SkillResult; duration_ms?: number; capped?: true }
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

export const isEnded = ({ status }: Pick<RunDocument, 'status'>): boolean => status !== 'queued' && status !== 'running'

/** Folds a run's events, in order; undefined when there is no such run. */
export function foldRun(stored: readonly StoredEvent[]): RunDocument | undefined {
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
      const { status, result, duration_ms, capped } = data as DataObject & { status: 'ok' | 'error' | 'unknown' }
      const details = {
        ...(result !== undefined && { result }),
        duration_ms,
        ...(capped === true && { capped }),
      } as unknown as {
        result?: SkillResult
        duration_ms: number
      }
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
