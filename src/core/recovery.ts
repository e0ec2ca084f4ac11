/** Settles a step whose tool was executed by a host that is gone: by what the engine can tell, never by doing it again. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Broker, Intent } from './broker.js'
import { createDeferred } from './deferred.js'
import { Failure, isFailure } from './failure.js'
import type { Logger } from './provider.js'
import type { RunReason } from './run.js'
import { failedWith, type StepProgress } from './run-progress.js'
import { callId, finished, type Outcome, outcomeOf, type RunWork } from './run-steps.js'

export interface RecoveryOptions {
  broker: Broker
  logger?: Logger | undefined
  /** Milliseconds for which an engine that cannot be asked is waited for, from the first time that it could not. */
  patienceMs: number
  /** Other hosts share the store, and one of them may reach the engine that this one does not. */
  isShared: boolean
  now: () => Date
}

const FIRST_DELAY_MS = 100
const LONGEST_DELAY_MS = 5_000
/** For so long hosts hand a run on to each other until one has its engine. */
const OTHERS_MS = 5 * 60_000

const BEFORE: RunReason = {
  code: 'INTERRUPTED',
  message: 'The host ended before this call began, so it had no effect. Send it again if it is still wanted.',
}
const HARMLESS: RunReason = {
  code: 'INTERRUPTED',
  message: 'The host ended during this call, which only reads. Send it again if it is still wanted.',
}
const UNTOLD: RunReason = {
  code: 'INTERRUPTED',
  message: 'The host ended during this call, and whether it took effect cannot be told. Look before sending it again.',
}

export function createRecovery({ broker, logger, patienceMs, isShared, now }: RecoveryOptions) {
  return async function recover(
    run: RunWork,
    step: { step_id: string; tool: string },
    intent: Intent,
    { started_at = '', engine, isUntouched }: StepProgress & { isUntouched: boolean },
  ): Promise<Outcome> {
    const settled = (found: string, reason: RunReason, isKnown: boolean): Outcome => ({
      drafts: [
        repaired(run.id, step, found),
        finished(run.id, { ...step, status: isKnown ? 'error' : 'unknown', error: reason }),
      ],
      ending: failedWith(reason, isKnown),
      recorded: createDeferred(),
    })
    if (isUntouched) return settled('not_started', BEFORE, true)
    const tool = broker.tools.get(intent.tool)
    if (tool?.recover === undefined) {
      return tool?.meta.risk === 'read' ? settled('read_only', HARMLESS, true) : settled('unknown', UNTOLD, false)
    }
    // Not from now: a first attempt that hangs, or a process that stood still during it, says nothing of the next.
    let deadline: number | undefined
    const othersUntil = Date.parse(started_at) + OTHERS_MS
    for (let wait = FIRST_DELAY_MS; ; wait = Math.min(wait * 2, LONGEST_DELAY_MS)) {
      const recorded = createDeferred()
      try {
        const mine = engine === undefined ? undefined : await broker.engineOf(intent.tool, run.signal)
        if (mine !== engine) {
          const elsewhere = `It was started on engine ${engine}; this host has ${mine ?? 'none'}.`
          // Another engine has never heard of the call, which must not be taken for its not having begun.
          if (isShared && now().getTime() < othersUntil) throw new HandOver(elsewhere)
          throw new Failure('UNAVAILABLE', elsewhere)
        }
        const found = await broker.recover(intent, {
          signal: run.signal,
          runId: callId(run.id, step),
          recorded: recorded.promise,
        })
        if (found === 'not_started') return settled('not_started', BEFORE, true)
        const outcome = outcomeOf(run.id, step, found, { recorded })
        return { ...outcome, drafts: [repaired(run.id, step, 'collected'), ...outcome.drafts] }
      } catch (error) {
        // What it may have begun to keep until then is found by the next attempt.
        recorded.reject(error)
        if (error instanceof HandOver) throw error
        // This process ends too, or lost its lease: who comes next asks again.
        if (isFailure(run.signal.reason)) throw run.signal.reason
        const failedAt = now().getTime()
        deadline ??= failedAt + patienceMs
        // A call that still ends on this host, which others took for dead, can be asked for once it has.
        const isHopeless = isFailure(error) && !error.retriable && error.code !== 'CONFLICT'
        if (isHopeless || failedAt >= deadline || run.signal.aborted) {
          logger?.error(`What became of ${step.tool} in run ${run.id} cannot be told.`, { error })
          return settled('unknown', UNTOLD, false)
        }
        logger?.warn(`What became of ${step.tool} in run ${run.id} cannot be told yet.`, { error })
        await delay(wait, undefined, { signal: run.signal }).catch(() => {})
      }
    }
  }
}

/** To be settled by another host. No Failure of the log, for which its run would wait here. */
export class HandOver extends Error {}

const repaired = (run_id: string, step: { step_id: string; tool: string }, found: string) => ({
  type: 'log.repaired' as const,
  run_id,
  data: { ...step, found, reason: 'The host ended while this call was under way.' },
})
