/** One run in its turn: it waits for a slot, is bounded, and keeps the slot until its container is dealt with. */
import { availableParallelism } from 'node:os'
import { describe, Failure } from '../core/failure.js'
import type { StopSignal } from '../core/stop.js'
import type { Bounded, Bounds } from './deadline.js'
import type { RunAnswer, RunProgress } from './run.js'
import { createSlots } from './slots.js'

/** What a request to run something gets beyond the program's own time: to create, kill and remove its container. */
export const ENDING_MS = 10_000

/** As the provider bounds every request. */
type Perform = <T>(bounds: Bounds<T>, work: (signal: StopSignal) => Promise<T>) => Bounded<T>

type TurnBounds = Pick<Bounds<RunAnswer>, 'what' | 'timeoutMs' | 'signal'>

/** Resolves with the run's answer; the time of its request begins with its turn. */
export type RunTurn = (
  bounds: TurnBounds,
  work: (signal: StopSignal, progress: RunProgress) => Promise<RunAnswer>,
) => Promise<RunAnswer>

/** Throws INVALID_INPUT for a `maxConcurrentRuns` that is no integer from 1. */
export function createRunTurn(perform: Perform, maxConcurrentRuns = availableParallelism() * 2): RunTurn {
  if (!Number.isSafeInteger(maxConcurrentRuns) || maxConcurrentRuns < 1) {
    throw new Failure(
      'INVALID_INPUT',
      `maxConcurrentRuns must be an integer from 1, got ${describe(maxConcurrentRuns)}.`,
      {
        details: { field: 'maxConcurrentRuns' },
      },
    )
  }
  const slots = createSlots(maxConcurrentRuns)

  return async function runInTurn(bounds, work) {
    const { signal, timeoutMs } = bounds
    const cameAt = performance.now()
    const waiting = perform({ ...bounds, write: false }, (stop) => slots.acquire(stop))
    const release = await waiting.done.catch((error) => {
      throw neverBegan(error, { timeoutMs, maxConcurrentRuns })
    })
    if (signal !== undefined && 'postpone' in signal) signal.postpone?.(performance.now() - cameAt)
    const progress: RunProgress = {}
    const late = (reason: Failure) => lateAnswer(reason, progress)
    const call = perform({ ...bounds, late, write: true, abortGraceMs: ENDING_MS }, (stop) => work(stop, progress))
    call.ended.then(release)
    return call.done
  }
}

/** For a caller whose time is over while the container is still being dealt with. */
function lateAnswer(reason: Failure, { answer, soFar }: RunProgress): RunAnswer {
  if (answer !== undefined) return answer
  if (soFar === undefined) throw reason
  const why = reason.code === 'TIMEOUT' ? 'its time was over' : 'its caller gave up'
  const message = `The run was ended because ${why}, and the engine has not removed its container yet. It may have run: look at what it did before you ask again.`
  throw new Failure(reason.code, message, {
    // Asking again would run the program again.
    retriable: false,
    details: { in_progress: true, may_have_run: true },
    partial: { data: { run: soFar() } },
    cause: reason.cause,
  })
}

function neverBegan(
  error: Failure,
  { timeoutMs, maxConcurrentRuns }: { timeoutMs: number; maxConcurrentRuns: number },
): Failure {
  const message =
    error.code === 'TIMEOUT'
      ? `The run waited ${timeoutMs} ms for its turn and never began: ${maxConcurrentRuns} may go on at once. Try again, allow more time, or raise maxConcurrentRuns.`
      : error.message
  return new Failure(error.code, message, { details: { in_progress: false }, cause: error.cause })
}
