/** What an observer of a gate is told of its runs while they happen. The log stays the truth; this feeds traces and metrics. */
import type { Decision } from './policy.js'
import type { RunReason, RunStatus } from './run.js'
import type { SkillResult, ToolMeta } from './tool.js'

/** How a run came to its end. */
export interface Ending {
  status: RunStatus
  reason?: RunReason
}

export interface ObservedRun {
  run_id: string
  session_id: string
}

export interface ObservedCall {
  run_id: string
  step_id: string
  tool: ToolMeta
  /** The call's params, redacted anew at every call. */
  params(): unknown
}

/**
 * Observes runs and tool calls from outside: `skillgate/telemetry` makes one of OpenTelemetry. `run` and `tool` wrap what
 * is done, so that it happens inside their span: they call `work` once and answer what it answers. All of it is redacted.
 */
export interface Telemetry {
  /** A run was accepted; the answer is called when it leaves the queue. */
  queued(): () => void
  run(run: ObservedRun, work: () => Promise<Ending>): Promise<Ending>
  /** `tool` is undefined when no installed tool has the name. */
  decided(decision: Decision['decision'], code: Decision['code'], tool: ToolMeta | undefined): void
  tool(call: ObservedCall, work: () => Promise<SkillResult>): Promise<SkillResult>
}
