/** The life of a run's container, in single calls: create, kill, look at the end, remove. */
import { setTimeout as delay } from 'node:timers/promises'
import { brief, Failure, isFailure } from '../core/failure.js'
import type { Logger } from '../core/provider.js'
import { createStop, type StopSignal } from '../core/stop.js'
import type { CreateRequest } from './create-body.js'
import { bounded } from './deadline.js'
import type { Engine, EngineIdentity } from './engine.js'
import type { RunTicket } from './keeper.js'
import { MAC_LABEL } from './run-labels.js'
import { malformedAnswer } from './upstream.js'
import { findMismatch } from './verify.js'
import { fieldsOf, instantOf, numberOf, textOf, textsOf } from './wire.js'

/** Time for each call that ends or removes a container, and for a create under way when the caller gave up. */
export const CLEANUP_MS = 10_000
const REMOVE_ATTEMPTS = 3
/** Of a control in a message, in characters. */
const MAX_SHOWN = 1_000

/**
 * Resolves with the full id. A create under way is waited for even after an abort, because what it makes must be removed.
 * Throws POSTURE_MISMATCH, with the container removed, when the engine warns: it drops limits it cannot keep, and says so.
 */
export async function createContainer(
  engine: Engine,
  { ticket, body }: { ticket: Pick<RunTicket, 'name' | 'labels' | 'run'>; body: unknown },
  { signal, logger }: { signal: StopSignal; logger: Logger | undefined },
): Promise<string> {
  const created = await withPatience(signal, (patient) =>
    engine.json('containerCreate', { query: { name: ticket.name }, body, signal: patient }),
  ).catch(async (error: unknown) => {
    const status = isFailure(error) ? error.details?.status : 0
    const untold = status === undefined || (typeof status === 'number' && status >= 500)
    const taken = untold ? await isTaken(engine, ticket, logger) : status === 409
    // A name of the container's own is nobody's.
    throw taken && ticket.run !== ticket.name ? alreadyThere(ticket.run) : error
  })
  const { Id, Warnings } = fieldsOf(created.body)
  const id = textOf(Id)
  if (!/^[0-9a-f]{64}$/.test(id)) {
    await isTaken(engine, ticket, logger)
    throw malformedAnswer('/containers/create', 'it has no container id')
  }
  const warnings = textsOf(Warnings).filter((warning) => warning !== '')
  if (warnings.length > 0) {
    const left = await removeContainer(engine, id, logger)
    throw new Failure(
      'POSTURE_MISMATCH',
      `The engine does not keep every control, so the program was not started. It said: ${warnings.join(' ')}`,
      { details: { warnings, ...(left && { not_removed: left }) } },
    )
  }
  return id
}

/** Two hosts, or one twice, were told to run the same call: the container's name lets one of them. */
function alreadyThere(run: string): Failure {
  return new Failure(
    'CONFLICT',
    `The call ${run} has a container already, so nothing was started for it again. Ask what became of it: POST /containers/run/collect.`,
    { retriable: false, details: { run_id: run } },
  )
}

/**
 * After a create of which the engine did not say that it was done: a container with these labels is removed. True when the
 * name is another container's, which Podman tells by a status that says nothing.
 */
async function isTaken(
  engine: Engine,
  { name, labels }: Pick<RunTicket, 'name' | 'labels'>,
  logger: Logger | undefined,
): Promise<boolean> {
  try {
    const { body } = await cleanUp('the look for a container', (signal) =>
      engine.json('containerInspect', { id: name, signal }),
    )
    const { Id, Config } = fieldsOf(body)
    if (fieldsOf(fieldsOf(Config).Labels)[MAC_LABEL] !== labels[MAC_LABEL]) return true
    await removeContainer(engine, textOf(Id), logger)
  } catch (error) {
    if (!isFailure(error) || error.details?.status !== 404) {
      logger?.error('a container that may have been created could not be looked for', { container: name, cause: error })
    }
  }
  return false
}

/** Throws POSTURE_MISMATCH naming the control that the engine did not keep; the container must then never be started. */
export async function verifyContainer(
  engine: Engine,
  id: string,
  { request, identity, signal }: { request: CreateRequest; identity: EngineIdentity; signal: StopSignal },
): Promise<void> {
  const { body } = await engine.json('containerInspect', { id, signal })
  const made = fieldsOf(body)
  const mismatch = made.Id === id ? findMismatch(request, made, identity) : { field: 'Id', asked: id, found: made.Id }
  if (mismatch === undefined) return
  const { field, asked, found } = mismatch
  throw new Failure(
    'POSTURE_MISMATCH',
    `The engine made a container whose ${field} is not as asked, so the program was not started. Asked ${shown(asked)}, found ${shown(found)}.`,
    { details: { field, asked: shown(asked), found: shown(found) } },
  )
}

function shown(value: unknown): string {
  try {
    return brief(JSON.stringify(value) ?? 'nothing', MAX_SHOWN)
  } catch {
    return 'something nested too deeply to show'
  }
}

/** False when it had ended by itself already. */
export async function killContainer(engine: Engine, id: string): Promise<boolean> {
  try {
    await cleanUp('the kill', (signal) => engine.json('containerKill', { id, query: { signal: 'SIGKILL' }, signal }))
    return true
  } catch (error) {
    if (isFailure(error) && (error.details?.status === 409 || error.details?.status === 404)) return false
    throw error
  }
}

export interface EndState {
  exit_code: number
  oom_killed: boolean
  duration_ms: number
}

export async function inspectEnd(engine: Engine, id: string): Promise<EndState> {
  const { body } = await cleanUp('the last look at the container', (signal) =>
    engine.json('containerInspect', { id, signal }),
  )
  const { Id, State } = fieldsOf(body)
  const state = fieldsOf(State)
  const [startedAt, finishedAt] = [instantOf(state.StartedAt), instantOf(state.FinishedAt)]
  const ended = Id === id && state.Running === false && startedAt !== undefined && finishedAt !== undefined
  // Nothing may stand for success but the engine's own word of it.
  if (!ended || !Number.isInteger(state.ExitCode)) {
    throw malformedAnswer('/containers/{id}/json', 'it does not tell how the program ended')
  }
  return {
    exit_code: numberOf(state.ExitCode),
    oom_killed: state.OOMKilled === true,
    duration_ms: Math.max(0, Date.parse(finishedAt) - Date.parse(startedAt)),
  }
}

/** Kills and removes the container with its anonymous volumes. Resolves with its id when that failed, for the caller to tell. */
export async function removeContainer(
  engine: Engine,
  id: string,
  logger: Logger | undefined,
  attempts = REMOVE_ATTEMPTS,
): Promise<string | undefined> {
  for (let attempt = 1; ; attempt++) {
    try {
      await cleanUp('the removal', (signal) =>
        engine.json('containerRemove', { id, query: { force: 'true', v: 'true' }, signal }),
      )
      return undefined
    } catch (error) {
      if (isFailure(error) && error.details?.status === 404) return undefined
      if (attempt >= attempts) {
        logger?.error('a container could not be removed', { container: id, cause: error })
        return id
      }
      await delay(200 * attempt)
    }
  }
}

const cleanUp = <T>(what: string, work: (signal: StopSignal) => Promise<T>): Promise<T> =>
  bounded({ timeoutMs: CLEANUP_MS, what, write: true }, work).done

/** For a call whose effect must be known even when the caller gives up: `perform`'s signal fires `CLEANUP_MS` after theirs. */
export async function withPatience<T>(signal: StopSignal, perform: (patient: StopSignal) => Promise<T>): Promise<T> {
  signal.throwIfAborted()
  const stop = createStop()
  let timer: NodeJS.Timeout | undefined
  const onAbort = () => {
    timer = setTimeout(() => stop.abort(signal.reason as Failure), CLEANUP_MS)
  }
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await perform(stop.signal)
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
  }
}
