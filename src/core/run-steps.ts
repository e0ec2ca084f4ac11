/** Performs a run, step by step: every step is logged before its effect, and what the log shows as done is not done again. */
import type { Broker, Call, Intent, Judgement } from './broker.js'
import { canonical, parseData, sha256 } from './data.js'
import { createDeferred, type Deferred } from './deferred.js'
import type { Draft } from './event.js'
import { isFailure } from './failure.js'
import type { Log } from './log.js'
import type { Decision } from './policy.js'
import type { Logger } from './provider.js'
import { type Ending, failedWith, type RunProgress, type StepProgress } from './run-progress.js'
import type { Listeners, SkillResult } from './tool.js'

export interface RunWork {
  id: string
  sessionId: string
  intents: readonly Intent[]
  listeners?: Listeners | undefined
  /** The run is cancelled. */
  signal: AbortSignal
}

/** What came of a tool, until the log has it. */
export interface Outcome {
  drafts: readonly Draft[]
  ending?: Ending
  /** Tells the provider, who keeps what it made until then, whether the outcome is durable. */
  recorded: Deferred<void>
}

/** What this process knows of a run's steps, by step id. */
export type Outcomes = Map<string, Outcome | 'untouched'>

interface Step {
  step_id: string
  tool: string
}

/** A decision as the status of its step. */
const STEP_STATUS = { allow: 'allow', deny: 'denied', ask: 'pending' } as const
export const CANCELLED: Ending = {
  status: 'cancelled',
  reason: { code: 'ABORTED', message: 'The run was cancelled.' },
}

export function createPerformer({
  log,
  broker,
  logger,
  recover,
}: {
  log: Log
  broker: Broker
  logger?: Logger | undefined
  recover(run: RunWork, step: Step, intent: Intent, progress: StepProgress & { isUntouched: boolean }): Promise<Outcome>
}) {
  /**
   * Performs what is left of a run. Rejects when the log cannot be written; called again then with the progress that the
   * log shows and the same `outcomes`, it goes on where it was.
   */
  async function perform(run: RunWork, progress: RunProgress, outcomes: Outcomes): Promise<Ending> {
    const { id, sessionId, intents, signal } = run
    /** Events of what is over, written together with the next that must be durable before an effect. */
    let pending: Draft[] = progress.state === 'queued' ? [begun(id)] : []
    /** Outcomes among them. */
    let unrecorded: Deferred<void>[] = []

    const written = (): void => {
      for (const recorded of unrecorded) recorded.resolve()
      pending = []
      unrecorded = []
    }
    const finish = async (ending: Ending, next: number): Promise<Ending> => {
      await log.write(sessionId, () => {
        assertHeld(signal)
        return { drafts: [...pending, ...closing(run, ending, next)], result: undefined }
      })
      written()
      return ending
    }

    for (const [index, intent] of intents.entries()) {
      const step = stepOf(intent, index)
      const known = progress.steps.get(step.step_id)
      if (known?.state === 'ended') {
        if (known.ending !== undefined) return finish(known.ending, index + 1)
        continue
      }
      let outcome: Outcome
      if (known !== undefined) {
        const mine = outcomes.get(step.step_id)
        outcome =
          typeof mine === 'object'
            ? mine
            : await recover(run, step, intent, { ...known, isUntouched: mine !== undefined })
      } else {
        if (signal.aborted || progress.cancelRequested) return finish(CANCELLED, index)
        // Should the log have taken in the start without saying so, it was none.
        outcomes.set(step.step_id, 'untouched')
        const judged = await judge(run, index, pending)
        written()
        if ('status' in judged) return judged
        outcome = await execute(run, step, judged)
      }
      outcomes.set(step.step_id, outcome)
      pending.push(...outcome.drafts)
      unrecorded.push(outcome.recorded)
      if (outcome.ending !== undefined) return finish(signal.aborted ? CANCELLED : outcome.ending, index + 1)
    }
    return finish({ status: 'completed' }, intents.length)
  }

  /**
   * Judges under the policy that the decision will stand behind in the chain. An allowed call is logged as started; with
   * any other decision the run ends, in the same write.
   */
  async function judge(run: RunWork, index: number, before: readonly Draft[]): Promise<Call | Ending> {
    const { id, sessionId, signal } = run
    const intent = run.intents[index] as Intent
    const step = stepOf(intent, index)
    /** `place`: where the call would be executed, for a successor who asks there; undefined while that is not known. */
    const write = (place: { engine?: string | undefined } | undefined) =>
      log.write<Call | Ending | undefined>(sessionId, ({ policy }) => {
        assertHeld(signal)
        if (place === undefined && broker.allows(policy, intent)) return { drafts: [], result: undefined }
        const judgement = broker.judge(policy, intent)
        const { call, params_hash } = judgement
        if (call === undefined) {
          const { drafts, ending } = refused(run, index, judgement)
          return { drafts: [...before, ...drafts], result: ending }
        }
        const { engine } = place ?? {}
        const data = { ...step, params_hash, ...(engine !== undefined && { engine }) }
        const drafts = [...before, decided(id, step, judgement), { type: 'tool.started' as const, run_id: id, data }]
        return { drafts, result: call }
      })
    const isRecoverable = broker.tools.get(intent.tool)?.recover !== undefined
    // An engine is asked who it is only for what the policy allows: no refused call may reach one.
    const judged = await write(isRecoverable ? undefined : {})
    return judged ?? ((await write({ engine: await broker.engineOf(intent.tool, signal) })) as Call | Ending)
  }

  async function execute({ id, signal, listeners }: RunWork, step: Step, call: Call): Promise<Outcome> {
    const recorded = createDeferred()
    const started = performance.now()
    const duration = () => ({ duration_ms: Math.round(performance.now() - started) })
    try {
      const options = { ...listeners, signal, runId: callId(id, step), recorded: recorded.promise }
      const result = await broker.execute(call, options)
      return outcomeOf(id, step, result, { recorded, ...duration() })
    } catch (error) {
      logger?.error(`${step.tool} of run ${id} ended without a result that can be recorded.`, { error })
      const failed = { code: 'INTERNAL', message: 'The tool ended without a result that can be recorded.' } as const
      const data = { ...step, status: 'unknown', error: failed, ...duration() }
      return { drafts: [finished(id, data)], ending: failedWith(failed), recorded }
    }
  }

  return perform
}

/** A run that others settle by now is theirs: nothing more of it is written here. */
function assertHeld({ reason }: AbortSignal): void {
  if (isFailure(reason) && reason.code === 'UNAVAILABLE') throw reason
}

/** A result as it is logged, with the hash of its full value. */
export function outcomeOf(
  runId: string,
  step: Step,
  result: SkillResult,
  { recorded, duration_ms }: { recorded: Deferred<void>; duration_ms?: number },
): Outcome {
  const copy = parseData(result)
  const { metadata } = result
  const data = {
    ...step,
    status: metadata.success ? 'ok' : 'error',
    result: copy,
    result_hash: sha256(canonical(copy)),
  }
  const drafts = [finished(runId, { ...data, ...(duration_ms !== undefined && { duration_ms }) })]
  if (metadata.success) return { drafts, recorded }
  const { code, message } = metadata.error
  return { drafts, ending: failedWith({ code, message }), recorded }
}

/** A write that said nothing of its success may have had it. */
export function tellRecorded({ steps }: RunProgress, outcomes: Outcomes): void {
  for (const [step, outcome] of outcomes) {
    if (typeof outcome === 'object' && steps.get(step)?.state === 'ended') outcome.recorded.resolve()
  }
}

/** Names a call for whoever executes it; see RequestOptions.runId. */
export const callId = (runId: string, { step_id }: Step): string => `${runId}/${step_id}`

const stepOf = ({ tool }: Intent, index: number): Step => ({ step_id: `s${index + 1}`, tool })

export const finished = (run_id: string, data: Record<string, unknown>): Draft => ({
  type: 'tool.finished',
  run_id,
  data,
})

const begun = (run_id: string): Draft => ({ type: 'run.started', run_id, data: {} })

const decided = (run_id: string, step: Step, { decision, params, params_hash }: Judgement): Draft => ({
  type: 'policy.decided',
  run_id,
  data: { ...step, eval: { status: STEP_STATUS[decision.decision], details: decision }, params, params_hash },
})

type Intents = Pick<RunWork, 'id' | 'intents'>

/** The end of a run, with what is said of the intents from `next` on, which it leaves out. */
const closing = ({ id, intents }: Intents, ending: Ending, next: number): Draft[] => [
  ...intents.slice(next).map((intent, index) => ({
    type: 'policy.decided' as const,
    run_id: id,
    data: { ...stepOf(intent, next + index), eval: SKIPPED },
  })),
  { type: 'run.finished', run_id: id, data: { ...ending } },
]

const SKIPPED = { status: 'skipped', details: { reason: 'The run had ended before this intent.' } }

/** The end of a run at an intent that the policy does not allow. */
function refused(run: Intents, index: number, judgement: Judgement): { drafts: Draft[]; ending: Ending } {
  const { decision, code, reason: message } = judgement.decision
  const ending: Ending = {
    status: decision === 'deny' ? 'denied' : 'failed',
    reason: { code: code as 'DENIED', message },
  }
  const step = stepOf(run.intents[index] as Intent, index)
  return { drafts: [decided(run.id, step, judgement), ...closing(run, ending, index + 1)], ending }
}

export interface EndedAtOnce {
  drafts: Draft[]
  ending: Ending
  /** What refused it; absent for a run without intents. */
  decision?: Decision
}

/** All of a run that has nothing to execute, because its first intent is refused or it has none; else undefined. */
export function endAtOnce(run: Intents, judge: (intent: Intent) => Judgement): EndedAtOnce | undefined {
  const [first] = run.intents
  if (first === undefined) {
    const ending: Ending = { status: 'completed' }
    return { drafts: [begun(run.id), ...closing(run, ending, 0)], ending }
  }
  const judgement = judge(first)
  if (judgement.call !== undefined) return undefined
  const { drafts, ending } = refused(run, 0, judgement)
  return { drafts: [begun(run.id), ...drafts], ending, decision: judgement.decision }
}
