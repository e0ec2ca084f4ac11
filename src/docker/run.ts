/** Runs one program in a container of its own: create, attach, start, wait or kill, and always remove. */

import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'
import { Failure, isFailure } from '../core/failure.js'
import type { Logger, RequestOptions } from '../core/provider.js'
import type { RunOutcome, RunSpec } from '../core/run-spec.js'
import type { StopSignal } from '../core/stop.js'
import { attach, createLiveOutput } from './attach.js'
import { type CreateContext, type CreateRequest, createBody } from './create-body.js'
import type { Engine, EngineIdentity } from './engine.js'
import type { Keeper } from './keeper.js'
import { createOutput } from './output.js'
import { assertPosture } from './preflight.js'
import {
  CLEANUP_MS,
  createContainer,
  type EndState,
  inspectEnd,
  killContainer,
  removeContainer,
  verifyContainer,
  withPatience,
} from './run-container.js'
import { resolveImage } from './run-image.js'
import { resolveNetwork } from './run-network.js'
import { seccompProfile } from './seccomp.js'
import type { SeccompFiles } from './seccomp-file.js'
import { malformedAnswer } from './upstream.js'
import { fieldsOf } from './wire.js'

export interface RunOptions {
  signal: StopSignal
  keeper: Keeper
  /** Present when the engine reads files of this machine. */
  seccompFiles: SeccompFiles | undefined
  /** The call in the host's log, for the container's label. */
  runId?: string | undefined
  onOutput?: RequestOptions['onOutput']
  onProgress?: RequestOptions['onProgress']
  logger?: Logger | undefined
  /** Kept up to date for a caller who cannot wait for the end. */
  progress?: RunProgress
}

/** What is known of a run that goes on. */
export interface RunProgress {
  /** From when the program is told to start: the outcome so far. */
  soFar?: () => RunOutcome
  /** From its end: the answer, while its container is removed. */
  answer?: RunAnswer
}

/** `warnings` tells what the outcome cannot: a container that could not be removed, output that may be missing. */
export interface RunAnswer {
  run: RunOutcome
  warnings?: string[]
}

/** The output ends with the container; this bounds the wait for its last bytes when the engine forgets to close it. */
const DRAIN_IDLE_MS = 2_000

/** Why a program was ended before its time. */
type Cause = 'deadline' | 'output_limit' | 'abort'

/**
 * Resolves with what became of the program. Rejects when it never ran; when `signal` ended it (ABORTED or TIMEOUT) or the
 * engine was lost, the Failure's `partial.data.run` has the outcome so far. The container is removed either way.
 */
export async function runProgram(engine: Engine, spec: RunSpec, options: RunOptions): Promise<RunAnswer> {
  const { signal, keeper, runId, progress = {} } = options
  const identity = await engine.identity(signal)
  const enginePosture = await engine.posture(signal)
  const seccomp = await seccompFor(identity, options)
  assertPosture(enginePosture, spec.require_posture ?? [], { ownSeccomp: seccomp !== undefined })
  const networkId = await resolveNetwork(engine, spec.network, signal)
  const image = await resolveImage(engine, spec, identity, options)
  const ticket = keeper.begin(spec, runId)
  try {
    const request = createBody(spec, {
      image,
      identity,
      labels: ticket.labels,
      seccomp,
      networkId,
      swapLimit: enginePosture.swap_limit,
    })
    const posture = { ...request.posture, engine: { name: identity.name, ...enginePosture }, spec_sha256: ticket.spec }
    const complete = (outcome: Ended['outcome']): RunOutcome => ({ ...outcome, image_id: image.id, posture })
    const failureOf = ({ lost, cause }: Ended): Failure | undefined =>
      lost ?? (cause === 'abort' ? signal.reason : undefined)
    const { ended, left } = await runOnce(engine, spec, {
      ...options,
      request,
      identity,
      name: ticket.name,
      onStart(soFar) {
        progress.soFar = () => complete(soFar())
      },
      onEnd(end, id) {
        const warnings = [...end.warnings, `container ${id} was still being removed when the time was over`]
        if (failureOf(end) === undefined) progress.answer = { run: complete(end.outcome), warnings }
      },
    })
    const run = complete(ended.outcome)
    const failure = failureOf(ended)
    if (failure !== undefined) {
      throw amend(failure, {
        // Asking again would run the program again.
        retriable: false,
        partial: { data: { run } },
        details: { ...(ended.lost && { may_have_run: true }), ...(left !== undefined && { not_removed: left }) },
      })
    }
    const warnings = [...ended.warnings, ...(left === undefined ? [] : [`container ${left} could not be removed`])]
    return warnings.length === 0 ? { run } : { run, warnings }
  } finally {
    ticket.end()
  }
}

/** Docker takes the profile itself, Podman a file of its own machine; a remote one has only its own profile. */
async function seccompFor(
  { name, arch }: EngineIdentity,
  { seccompFiles }: RunOptions,
): Promise<CreateContext['seccomp']> {
  const profile = seccompProfile(arch)
  if (name === 'docker') return { option: profile.json, sha256: profile.sha256 }
  return seccompFiles && { option: await seccompFiles.path(profile), sha256: profile.sha256 }
}

interface Prepared extends RunOptions {
  request: CreateRequest
  identity: EngineIdentity
  name: string
  onStart(soFar: () => Ended['outcome']): void
  onEnd(ended: Ended, id: string): void
}

/** Creates, verifies, executes and removes; `left` is the id of a container that could not be removed. */
async function runOnce(
  engine: Engine,
  spec: RunSpec,
  prepared: Prepared,
): Promise<{ ended: Ended; left: string | undefined }> {
  const { request, identity, name, signal, logger, onEnd } = prepared
  const id = await createContainer(engine, { name, body: request.body }, { signal, logger })
  let ended: Ended
  try {
    await verifyContainer(engine, id, { request, identity, signal })
    ended = await execute(engine, id, spec, prepared)
    onEnd(ended, id)
  } catch (error) {
    const left = await removeContainer(engine, id, logger)
    if (left === undefined || !isFailure(error)) throw error
    throw amend(error, { details: { not_removed: left } })
  }
  return { ended, left: await removeContainer(engine, id, logger) }
}

interface Ended {
  outcome: Omit<RunOutcome, 'image_id' | 'posture'>
  /** Set when we ended it. */
  cause: Cause | undefined
  /** Set when the engine was lost after it was told to start: the program may have run, to an end unknown. */
  lost?: Failure
  warnings: string[]
}

async function execute(engine: Engine, id: string, spec: RunSpec, options: Prepared): Promise<Ended> {
  const { signal, onOutput, logger, onStart } = options
  const output = createOutput(spec.output)
  const live = createLiveOutput(onOutput, logger)
  const ending = createEnding(signal)
  const streams = await attach(engine, id, {
    stdin: spec.stdin,
    signal,
    onPiece(stream, bytes) {
      live.push(stream, bytes)
      if (!output.push(stream, bytes)) ending.end('output_limit')
    },
  })
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
  let mayHaveRun = false
  try {
    // What the engine has closed already is not what the program will print to. One turn reads the end, the next tells it.
    await nextTurn()
    await nextTurn()
    if (streams.closed()) throw malformedAnswer('/containers/{id}/attach', 'it ended before the program was started')
    onStart(() => soFar({}))
    // Once, by full id: a second start of a container that has exited would run the program again.
    const { changed } = await withPatience(signal, (patient) =>
      engine.json('containerStart', { id, signal: patient }),
    ).catch((error: unknown) => {
      mayHaveRun = isFailure(error) && error.details?.status === undefined
      throw error
    })
    mayHaveRun = true
    if (!changed) throw malformedAnswer('/containers/{id}/start', 'it had been started already, and not by this run')
    ending.endAfter(spec.timeout_ms)
    const cause = await waitOrKill(engine, id, ending.cause)
    const missing = await streams.drained({ idleMs: DRAIN_IDLE_MS, longestMs: drainTime(cause) })
    live.end()
    const outcome = soFar(await inspectEnd(engine, id), cause)
    // Past the limit it was cut off by us, which the outcome says.
    return { cause, outcome, warnings: missing === undefined || cause === 'output_limit' ? [] : [missing] }
  } catch (error) {
    if (!mayHaveRun || !isFailure(error)) throw error
    return { cause: undefined, outcome: soFar({}), lost: error, warnings: [] }
  } finally {
    ending.dispose()
    streams.close()
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

function amend(
  failure: Failure,
  { details, partial, retriable }: Pick<Failure, 'details'> & { partial?: Failure['partial']; retriable?: boolean },
): Failure {
  return new Failure(failure.code, failure.message, {
    retriable: retriable ?? failure.retriable,
    details: { ...failure.details, ...details },
    partial: partial ?? failure.partial,
    cause: failure.cause,
  })
}
