/** Runs one program in a container of its own: create, attach, start, wait or kill, and always remove. */

import { setImmediate as nextTurn } from 'node:timers/promises'
import { Failure, isFailure } from '../core/failure.js'
import type { Logger, RequestOptions } from '../core/provider.js'
import type { RunOutcome, RunSpec } from '../core/run-spec.js'
import type { StopSignal } from '../core/stop.js'
import { attach } from './attach.js'
import { type CreateContext, type CreateRequest, createBody } from './create-body.js'
import type { Engine, EngineIdentity } from './engine.js'
import { createFollow, type Ended } from './follow.js'
import type { Keeper, RunTicket } from './keeper.js'
import { assertPosture } from './preflight.js'
import type { Retention } from './retention.js'
import { createContainer, removeContainer, verifyContainer, withPatience } from './run-container.js'
import { resolveImage } from './run-image.js'
import { resolveNetwork } from './run-network.js'
import { seccompProfile } from './seccomp.js'
import type { SeccompFiles } from './seccomp-file.js'
import { malformedAnswer } from './upstream.js'

export interface RunOptions {
  signal: StopSignal
  keeper: Keeper
  retention: Retention
  /** Present when the engine reads files of this machine. */
  seccompFiles: SeccompFiles | undefined
  /** The call in the host's log, for the container's label. */
  runId?: string | undefined
  /** Until when the container is kept. */
  recorded?: RequestOptions['recorded']
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

/**
 * Resolves with what became of the program. Rejects when it never ran; when `signal` ended it (ABORTED or TIMEOUT) or the
 * engine was lost, the Failure's `partial.data.run` has the outcome so far. A container
 * that was started is removed when the outcome is recorded, any other at once.
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
  let over = ticket.end
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
      ticket,
      onStart(soFar) {
        // From here on it is over when its container is dealt with.
        over = () => {}
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
    over()
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
  ticket: RunTicket
  onStart(soFar: () => Ended['outcome']): void
  onEnd(ended: Ended, id: string): void
}

/** Creates, verifies, executes and removes; `left` is the id of a container that could not be removed. */
async function runOnce(
  engine: Engine,
  spec: RunSpec,
  prepared: Prepared,
): Promise<{ ended: Ended; left: string | undefined }> {
  const { request, identity, ticket, signal, logger, onEnd, retention, recorded } = prepared
  const id = await createContainer(engine, { ticket, body: request.body }, { signal, logger })
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
  return { ended, left: await retention.dispose({ id, ticket }, recorded) }
}

async function execute(engine: Engine, id: string, spec: RunSpec, options: Prepared): Promise<Ended> {
  const { signal, onStart } = options
  const follow = createFollow(engine, id, { ...options, output: spec.output })
  const streams = await attach(engine, id, { stdin: spec.stdin, signal, onPiece: follow.onPiece })
  let mayHaveRun = false
  try {
    // What the engine has closed already is not what the program will print to. One turn reads the end, the next tells it.
    await nextTurn()
    await nextTurn()
    if (streams.closed()) throw malformedAnswer('/containers/{id}/attach', 'it ended before the program was started')
    onStart(follow.soFar)
    // Once, by full id: a second start of a container that has exited would run the program again.
    const { changed } = await withPatience(signal, (patient) =>
      engine.json('containerStart', { id, signal: patient }),
    ).catch((error: unknown) => {
      mayHaveRun = isFailure(error) && error.details?.status === undefined
      throw error
    })
    mayHaveRun = true
    if (!changed) throw malformedAnswer('/containers/{id}/start', 'it had been started already, and not by this run')
    return await follow.toEnd(streams, spec.timeout_ms)
  } catch (error) {
    if (!mayHaveRun || !isFailure(error)) throw error
    return { cause: undefined, outcome: follow.soFar(), lost: error, warnings: [] }
  } finally {
    follow.dispose()
    streams.close()
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
