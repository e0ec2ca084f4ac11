/** Telling an observer of runs while they happen, from around what does the work. The log stays the truth; this feeds traces and metrics. */
import type { Redactor } from '../redaction/index.js'
import type { Broker } from './broker.js'
import type { Decision } from './policy.js'
import type { Ending } from './run-progress.js'
import type { createPerformer, EndedAtOnce, RunWork } from './run-steps.js'
import type { SkillResult, ToolMeta } from './tool.js'

export type { Ending } from './run-progress.js'

export interface ObservedRun {
  run_id: string
  session_id: string
}

export interface ObservedCall {
  /** The run's id and the step, `run_…/s1`. */
  call_id: string
  tool: ToolMeta
  /** The call's params, redacted anew at every call. */
  params(): unknown
}

/** Runs of one host. */
export interface RunCount {
  queued: number
  running: number
}

/**
 * Observes runs and tool calls from outside: `skillgate/telemetry` makes one of OpenTelemetry. `run` and `tool` wrap what
 * is done, so that it happens inside their span: they call `work` once and answer what it answers. All of it is redacted.
 */
export interface Telemetry {
  /** Called once for a gate: `count` says at any time what waits and runs. The answer is called when the gate is closed. */
  watch(count: () => RunCount): () => void
  /** Called again for a run that goes on after its log could not be written. */
  run(run: ObservedRun, work: () => Promise<Ending>): Promise<Ending>
  /** `tool` is undefined when no installed tool has the name. */
  decided(decision: Decision['decision'], code: Decision['code'], tool: ToolMeta | undefined): void
  tool(call: ObservedCall, work: () => Promise<SkillResult>): Promise<SkillResult>
}

export interface Observation {
  telemetry: Telemetry | undefined
  redactor: Redactor
}

type Perform = ReturnType<typeof createPerformer>

/** Tells of a run that ended in the write that accepted it. What an observer throws changes nothing of that. */
export async function tellEnded(
  run: ObservedRun,
  { decision, ending }: EndedAtOnce,
  tool: ToolMeta | undefined,
  { telemetry, redactor }: Observation,
): Promise<void> {
  try {
    if (decision !== undefined) telemetry?.decided(decision.decision, decision.code, tool)
    await telemetry?.run(run, async () => redactor.value(ending) as Ending)
  } catch {}
}

/** The broker of runs, with its decisions and calls told; itself when nobody observes. */
export function observeBroker(broker: Broker, { telemetry, redactor }: Observation): Broker {
  if (telemetry === undefined) return broker
  const metaOf = (name: string): ToolMeta | undefined => broker.tools.get(name)?.meta
  return {
    ...broker,
    judge(policy, intent) {
      const judgement = broker.judge(policy, intent)
      telemetry.decided(judgement.decision.decision, judgement.decision.code, metaOf(intent.tool))
      return judgement
    },
    execute(call, options) {
      const tool = metaOf(call.tool)
      const work = () => broker.execute(call, options)
      // A call that this broker did not judge is refused, whatever it names.
      if (tool === undefined) return work()
      const params = () => redactor.value(call.input)
      return telemetry.tool({ call_id: options?.runId ?? '', tool, params }, work)
    },
  }
}

/** What performs runs, with their beginning and ending told; itself when nobody observes. */
export function observeRuns(perform: Perform, { telemetry, redactor }: Observation): Perform {
  if (telemetry === undefined) return perform
  return ({ id, sessionId, ...run }: RunWork, ...progress) =>
    telemetry.run(
      { run_id: id, session_id: sessionId },
      async () => redactor.value(await perform({ id, sessionId, ...run }, ...progress)) as Ending,
    )
}
