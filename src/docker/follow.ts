/** Follows a program that was started to its end: collects its output, kills it when it must, and tells what became of it. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Failure } from '../core/failure.js'
import type { Logger, RequestOptions } from '../core/provider.js'
import type { RunOutcome, RunSpec } from '../core/run-spec.js'
import type { StopSignal } from '../core/stop.js'
import { type Attached, createLiveOutput } from './attach.js'
import type { Engine } from './engine.js'
import type { OutputStream } from './frames.js'
import { createOutput } from './output.js'
import { CLEANUP_MS, type EndState, inspectEnd, killContainer } from './run-container.js'
import { malformedAnswer } from './upstream.js'
import { fieldsOf } from './wire.js'

/** The output ends with the container; this bounds the wait for its last bytes when the engine forgets to close it. */
const DRAIN_IDLE_MS = 2_000

/** Why a program was ended before its time. */
type Cause = 'deadline' | 'output_limit' | 'abort'

export interface Ended {
  outcome: Omit<RunOutcome, 'image_id' | 'posture'>
  /** Set when we ended it. */
  cause: Cause | undefined
  /** Set when the engine was lost after it was told to start: the program may have run, to an end unknown. */
  lost?: Failure
  warnings: string[]
}

export interface Follow {
  /** Takes output as it comes. */
  onPiece(stream: OutputStream, bytes: Buffer): void
  /** The outcome as far as it is known. */
  soFar(): Ended['outcome']
  /** Resolves when the program has ended or was killed: after `timeoutMs`, past the output's limit, or on the abort. */
  toEnd(streams: Pick<Attached, 'drained'>, timeoutMs: number): Promise<Ended>
  dispose(): void
}

export interface FollowOptions {
  output: RunSpec['output']
  signal: StopSignal
  onOutput?: RequestOptions['onOutput']
  logger?: Logger | undefined
}

export function createFollow(engine: Engine, id: string, options: FollowOptions): Follow {
  const { signal, onOutput, logger } = options
  const output = createOutput(options.output)
  const live = createLiveOutput(onOutput, logger)
  const ending = createEnding(signal)
  const soFar = (end: Partial<EndState>, cause?: Cause): Ended['outcome'] => {
    const { stdout, stderr, output: counts } = output.result()
    return {
      exit_code: cause === undefined ? (end.exit_code ?? null) : null,
      ...(cause && { signal: 'SIGKILL' }),
      ended_by: cause ?? (end.exit_code === undefined ? 'engine_lost' : 'exit'),
      stdout,
      stderr,
      timed_out: cause === 'deadline',
      oom_killed: end.oom_killed ?? false,
      output: { ...counts, ...(cause === 'output_limit' && { limit_exceeded: true }) },
      duration_ms: end.duration_ms ?? 0,
    }
  }
  return {
    onPiece(stream, bytes) {
      live.push(stream, bytes)
      if (!output.push(stream, bytes)) ending.end('output_limit')
    },
    soFar: () => soFar({}),
    async toEnd(streams, timeoutMs) {
      ending.endAfter(timeoutMs)
      const cause = await waitOrKill(engine, id, ending.cause)
      const missing = await streams.drained({ idleMs: DRAIN_IDLE_MS, longestMs: drainTime(cause) })
      live.end()
      const outcome = soFar(await inspectEnd(engine, id), cause)
      // Past the limit it was cut off by us, which the outcome says.
      return { cause, outcome, warnings: missing === undefined || cause === 'output_limit' ? [] : [missing] }
    },
    dispose: ending.dispose,
  }
}

/** Past the limit nothing more is wanted; after another kill, what is under way still counts. */
function drainTime(cause: Cause | undefined): number {
  if (cause === undefined) return CLEANUP_MS
  return cause === 'output_limit' ? 0 : DRAIN_IDLE_MS
}

/** Resolves with the cause when the program was killed for it, and with undefined when it ended by itself. */
async function waitOrKill(engine: Engine, id: string, cause: Promise<Cause>): Promise<Cause | undefined> {
  const waiting = new AbortController()
  const query = { condition: 'not-running' }
  const exited = engine.json('containerWait', { id, query, signal: waiting.signal }).then(({ body }) => {
    if (!Number.isInteger(fieldsOf(body).StatusCode)) throw malformedAnswer('/containers/{id}/wait', 'it has no status')
  })
  exited.catch(() => {})
  try {
    const reason = await Promise.race([exited, cause])
    if (reason === undefined) return undefined
    const killed = await killContainer(engine, id)
    await Promise.race([exited, delay(CLEANUP_MS, undefined, { signal: waiting.signal })])
    return killed ? reason : undefined
  } finally {
    waiting.abort()
  }
}

/** The first of a deadline, the output limit and the caller's abort. */
function createEnding(signal: StopSignal) {
  let settle: (cause: Cause) => void = () => {}
  let timer: NodeJS.Timeout | undefined
  const cause = new Promise<Cause>((resolve) => {
    settle = resolve
  })
  const onAbort = () => settle('abort')
  if (signal.aborted) onAbort()
  else signal.addEventListener('abort', onAbort, { once: true })
  return {
    cause,
    end: (why: Cause) => settle(why),
    endAfter(milliseconds: number) {
      timer = setTimeout(settle, milliseconds, 'deadline')
    },
    dispose() {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
    },
  }
}
