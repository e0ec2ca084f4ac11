/** Executes runs: each session's in the order accepted, different sessions in parallel, every step logged before its effect. */
import type { Redactor } from '../redaction/index.js'
import type { Broker, Call, Intent, Judgement } from './broker.js'
import { canonical, parseData, sha256 } from './data.js'
import type { Draft } from './event.js'
import { Failure } from './failure.js'
import type { Log } from './log.js'
import type { Logger } from './provider.js'
import type { RunReason } from './run.js'
import type { Ending, ObservedCall, Telemetry } from './telemetry.js'
import type { Listeners, SkillContext, ToolMeta } from './tool.js'

interface ActiveRun {
  sessionId: string
  phase: 'queued' | 'running' | 'ended'
  controller: AbortController
  /** Resolves when the cancelling of a queued run is in the log. */
  cancelled?: Promise<void>
  /** Resolves when the run's end is in the log; rejects when the log could not be written. */
  done: Promise<unknown>
}

export interface QueuedRun {
  id: string
  sessionId: string
  intents: readonly Intent[]
  listeners?: Listeners
}

export interface Executor {
  enqueue(run: QueuedRun): void
  /** Undefined for a run that this process does not execute (any more). */
  done(runId: string): Promise<unknown> | undefined
  /** Ends a queued run at once and tells a running one to stop. CONFLICT when it has ended. */
  cancel(runId: string): Promise<void>
  /** Cancels everything and waits for it to end. */
  close(): Promise<void>
}

/** A decision as the status of its step. */
const STEP_STATUS = { allow: 'allow', deny: 'denied', ask: 'pending' } as const
const CANCELLED: Ending = { status: 'cancelled', reason: { code: 'ABORTED', message: 'The run was cancelled.' } }

export function createExecutor({
  log,
  broker,
  logger,
  redactor,
  telemetry,
}: {
  log: Log
  broker: Broker
  logger?: Logger | undefined
  redactor: Redactor
  telemetry?: Telemetry | undefined
}): Executor {
  const active = new Map<string, ActiveRun>()
  const tails = new Map<string, Promise<unknown>>()

  function enqueue(run: QueuedRun): void {
    const { id, sessionId } = run
    const entry: ActiveRun = { sessionId, phase: 'queued', controller: new AbortController(), done: Promise.resolve() }
    const before = tails.get(sessionId) ?? Promise.resolve()
    const leaveQueue = telemetry?.queued()
    entry.done = before
      .then((): Promise<unknown> | undefined => {
        leaveQueue?.()
        if (entry.phase === 'ended') return entry.cancelled
        if (telemetry === undefined) return execute(run, entry)
        const work = async () => redactor.value(await execute(run, entry)) as Ending
        return telemetry.run({ run_id: id, session_id: sessionId }, work)
      })
      .finally(() => {
        entry.phase = 'ended'
        active.delete(id)
      })
    const tail = entry.done.catch((error) =>
      logger?.error(`Run ${id} stopped: its log could not be written.`, { error }),
    )
    active.set(id, entry)
    tails.set(sessionId, tail)
    tail.then(() => tails.get(sessionId) === tail && tails.delete(sessionId))
  }

  async function execute({ id, sessionId, intents, listeners }: QueuedRun, entry: ActiveRun): Promise<Ending> {
    entry.phase = 'running'
    const { signal } = entry.controller
    /** Events of what is over, written together with the next that must be durable before an effect. */
    let pending: Draft[] = [{ type: 'run.started', run_id: id, data: {} }]
    let ending: Ending = { status: 'completed' }
    for (const [index, intent] of intents.entries()) {
      const step = { step_id: `s${index + 1}`, tool: intent.tool }
      if (ending.status !== 'completed' || signal.aborted) {
        if (ending.status === 'completed') ending = CANCELLED
        pending.push(
          decided(id, step, {
            eval: { status: 'skipped', details: { reason: 'The run had ended before this intent.' } },
          }),
        )
        continue
      }
      const { decision, call } = await judge(sessionId, id, step, intent, pending)
      pending = []
      telemetry?.decided(decision.decision, decision.code, broker.tools.get(intent.tool)?.meta)
      if (call === undefined) {
        const status = decision.decision === 'deny' ? 'denied' : 'failed'
        ending = { status, reason: { code: decision.code as RunReason['code'], message: decision.reason } }
        continue
      }
      const { draft, failed } = await perform(id, step, call, { signal, ...listeners, runId: `${id}/${step.step_id}` })
      pending.push(draft)
      if (failed !== undefined) {
        const status = failed.code === 'INTERNAL' ? 'unknown' : 'failed'
        ending = signal.aborted ? CANCELLED : { status, reason: failed }
      }
    }
    pending.push({ type: 'run.finished', run_id: id, data: { ...ending } })
    await log.write(sessionId, () => ({ drafts: pending, result: undefined }))
    return ending
  }

  /** Judges under the policy that the decision will stand behind in the chain; an allowed call is logged as started. */
  function judge(
    sessionId: string,
    runId: string,
    step: { step_id: string; tool: string },
    intent: Intent,
    before: Draft[],
  ): Promise<Judgement> {
    return log.write(sessionId, ({ policy }) => {
      const judgement = broker.judge(policy, intent)
      const { decision, params, params_hash, call } = judgement
      const status = STEP_STATUS[decision.decision]
      const drafts = [...before, decided(runId, step, { eval: { status, details: decision }, params, params_hash })]
      if (call !== undefined) drafts.push({ type: 'tool.started', run_id: runId, data: { ...step, params_hash } })
      return { drafts, result: judgement }
    })
  }

  async function perform(
    runId: string,
    step: { step_id: string; tool: string },
    call: Call,
    options: Pick<SkillContext, 'signal' | 'runId'> & Listeners,
  ): Promise<{ draft: Draft; failed?: RunReason }> {
    const started = performance.now()
    const finished = (data: Record<string, unknown>): Draft => ({
      type: 'tool.finished',
      run_id: runId,
      data: { ...step, ...data, duration_ms: Math.round(performance.now() - started) },
    })
    try {
      const work = () => broker.execute(call, options)
      const result = await (telemetry === undefined ? work() : telemetry.tool(observed(runId, step, call), work))
      const recorded = parseData(result)
      const seen = { result: recorded, result_hash: sha256(canonical(recorded)) }
      const { metadata } = result
      if (metadata.success) return { draft: finished({ status: 'ok', ...seen }) }
      const { code, message } = metadata.error
      return { draft: finished({ status: 'error', ...seen }), failed: { code, message } }
    } catch (error) {
      logger?.error(`${step.tool} of run ${runId} ended without a result that can be recorded.`, { error })
      const failed: RunReason = { code: 'INTERNAL', message: 'The tool ended without a result that can be recorded.' }
      return { draft: finished({ status: 'unknown' }), failed }
    }
  }

  const observed = (
    run_id: string,
    { step_id, tool }: { step_id: string; tool: string },
    call: Call,
  ): ObservedCall => ({
    run_id,
    step_id,
    tool: broker.tools.get(tool)?.meta as ToolMeta,
    params: () => redactor.value(call.input),
  })

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

  return {
    enqueue,
    cancel,
    done: (runId) => active.get(runId)?.done,
    async close() {
      const running = [...active.values()]
      await Promise.allSettled([...active.keys()].map(cancel))
      await Promise.allSettled(running.map(({ done }) => done))
    },
  }
}

const decided = (run_id: string, step: { step_id: string; tool: string }, data: Record<string, unknown>): Draft => ({
  type: 'policy.decided',
  run_id,
  data: { ...step, ...data },
})
