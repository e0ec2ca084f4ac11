/** Tells what became of a run whose host died: its container is followed to its end, or it was never started and never will be. */
import { Failure, isFailure } from '../core/failure.js'
import type { Logger, RequestOptions } from '../core/provider.js'
import type { RunOutcome, RunSpec } from '../core/run-spec.js'
import type { StopSignal } from '../core/stop.js'
import { bounded, pause } from './deadline.js'
import type { Engine } from './engine.js'
import { createFollow, type Ended } from './follow.js'
import { FENCE, type FoundRun, type Keeper, RUN_SLACK_MS } from './keeper.js'
import type { Retention } from './retention.js'
import { openOutput } from './run-log.js'
import { malformedAnswer } from './upstream.js'
import { fieldsOf, instantOf, numberOf, textOf, textsOf } from './wire.js'

export interface CollectOptions {
  onOutput: RequestOptions['onOutput']
  recorded: RequestOptions['recorded']
  signal: StopSignal
  keeper: Keeper
  retention: Retention
  /** Milliseconds for which the name of a run that was never started stays taken; 0 leaves it free. */
  fenceMs: number
  logger?: Logger | undefined
  now: () => Date
}

/** `run` is null when nothing of it is there: it was not started, unless `started` says that the engine saw it start. */
export type Collected = { engine_id: string } & Told
type Told = { run: RunOutcome; warnings?: string[] } | { run: null; started?: true }

/** A container that is there, is gone and is there again in turns is somebody's game. */
const MAX_LOOKS = 5
const LOOK_AGAIN_MS = 100
const EVENTS_MS = 2_000
/** An event is told under the engine's clock, which may be a little ahead. */
const EVENTS_AHEAD_MS = 50
/** As a signal ends it. */
const KILLED = 137
const LONGEST_TIMER_MS = 2 ** 31 - 1

/**
 * Executes nothing. Throws CONFLICT while the run is under way here, and whatever keeps it from being told; it can be asked
 * again. When `signal` ends it, the program is killed and the Failure's `partial.data.run` has the outcome so far.
 */
export async function collectRun(
  engine: Engine,
  { runId, spec }: { runId: string; spec: RunSpec },
  options: CollectOptions,
): Promise<Collected> {
  const { keeper, signal } = options
  const ticket = keeper.adopt(runId)
  const disposal = { begun: false }
  try {
    const engine_id = await engine.id(signal)
    for (let look = 1; ; look++) {
      const asked = { runId, spec, ticket, disposal }
      const seen = await lookOnce(engine, asked, options).catch((error: unknown) => {
        // What another host is removing in this moment is refused in many words, and is gone soon.
        const refused = isFailure(error) && typeof error.details?.status === 'number'
        if (disposal.begun || !refused || look === MAX_LOOKS) throw error
      })
      if (seen !== undefined) return { engine_id, ...seen }
      if (look === MAX_LOOKS) break
      await pause(LOOK_AGAIN_MS * look, signal)
    }
    throw new Failure('CONFLICT', `What there is of ${runId} changed with every look. Ask again.`, { retriable: true })
  } finally {
    if (!disposal.begun) ticket.end()
  }
}

interface Asked {
  runId: string
  spec: RunSpec
  ticket: ReturnType<Keeper['adopt']>
  /** Set when the container is the retention's, and the ticket with it. */
  disposal: { begun: boolean }
}

/** Undefined when it changed under our eyes, and one must look again. */
async function lookOnce(
  engine: Engine,
  { runId, spec, ticket, disposal }: Asked,
  options: CollectOptions,
): Promise<Told | undefined> {
  const { keeper, retention, recorded, signal } = options
  const found = await keeper.find(runId, signal)
  if (found?.mark.spec === FENCE) return absent(engine, ticket.name, options)
  const container = found && (await inspect(engine, found.id, signal))
  if (found === undefined || container === undefined) {
    return (await fence(engine, { runId, spec }, options)) ? absent(engine, ticket.name, options) : undefined
  }
  if (!wasStarted(container)) {
    await removeUnstarted(engine, found.id, signal)
    return undefined
  }
  const { ended, run } = await follow(engine, { found, container, spec }, options)
  disposal.begun = true
  const left = await retention.dispose({ id: found.id, ticket }, recorded)
  if (ended.cause === 'abort') throw aborted(signal, run)
  const warnings = [...ended.warnings, ...(left === undefined ? [] : [`container ${left} could not be removed`])]
  return warnings.length > 0 ? { run, warnings } : { run }
}

/** Undefined when it is gone by now. */
async function inspect(engine: Engine, id: string, signal: StopSignal): Promise<Record<string, unknown> | undefined> {
  try {
    const container = fieldsOf((await engine.json('containerInspect', { id, signal })).body)
    if (container.Id === id) return container
  } catch (error) {
    if (isFailure(error) && error.details?.status === 404) return undefined
    throw error
  }
  throw malformedAnswer('/containers/{id}/json', 'it is of another container')
}

const wasStarted = ({ State }: Record<string, unknown>): boolean => {
  const { Status, StartedAt } = fieldsOf(State)
  return Status !== 'created' || instantOf(StartedAt) !== undefined
}

/** Never by force: a host that was only paused may start it in this moment, and then the next look finds it started. */
async function removeUnstarted(engine: Engine, id: string, signal: StopSignal): Promise<void> {
  await engine.json('containerRemove', { id, query: { v: 'true' }, signal }).catch((error: unknown) => {
    if (!isFailure(error) || (error.details?.status !== 404 && error.details?.status !== 409)) throw error
  })
}

/**
 * Takes the run's name, so that a host that was only paused cannot create its container later. False when somebody was
 * quicker. An engine without the image can start nothing of it either.
 */
async function fence(
  engine: Engine,
  { runId, spec }: { runId: string; spec: RunSpec },
  { keeper, fenceMs, signal }: CollectOptions,
): Promise<boolean> {
  if (fenceMs === 0) return true
  const { name, labels } = keeper.fence(runId, fenceMs)
  const body = {
    Image: spec.image,
    Entrypoint: ['/never-to-be-started'],
    NetworkDisabled: true,
    Labels: labels,
    HostConfig: { NetworkMode: 'none' },
  }
  try {
    await engine.json('containerCreate', { query: { name }, body, signal })
    return true
  } catch (error) {
    if (!isFailure(error) || error.details?.status === undefined) throw error
    if (error.details.status === 404) return true
    // Whatever else it was, the next look shows whether somebody has the name.
    if ((await inspect(engine, name, signal).catch(() => ({}))) === undefined) throw error
    return false
  }
}

/** The engine remembers its latest events for a while, so a container that somebody else removed may still be told of. */
async function absent(engine: Engine, name: string, { signal, now, logger }: CollectOptions): Promise<Told> {
  const until = ((now().getTime() + EVENTS_AHEAD_MS) / 1000).toFixed(3)
  const filters = JSON.stringify({ type: ['container'], event: ['start'], container: [name] })
  let told = ''
  try {
    const bounds = { timeoutMs: EVENTS_MS, what: 'the look at its events', write: false, signal }
    await bounded(bounds, (joined) =>
      engine.stream('events', { query: { since: 0, until, filters }, signal: joined }, (chunk) => {
        told += chunk.toString('utf8')
      }),
    ).done
  } catch (cause) {
    signal.throwIfAborted()
    logger?.warn('the events of the engine could not be looked at', { cause })
  }
  return told.trim() === '' ? { run: null } : { run: null, started: true }
}

/** Waits for the program's end, and kills it when its time is over. */
async function follow(
  engine: Engine,
  { found: { id, mark }, container, spec }: { found: FoundRun; container: Record<string, unknown>; spec: RunSpec },
  { signal, onOutput, logger, now }: CollectOptions,
): Promise<{ ended: Ended; run: RunOutcome }> {
  const running = fieldsOf(container.State).Running === true
  const following = createFollow(engine, id, { output: spec.output, signal, onOutput, logger })
  const output = await openOutput(engine, { id, container, running }, { signal, onPiece: following.onPiece })
  try {
    // By the clock of hosts, which wrote it: the program has had all of its time by then.
    const leftMs = Math.max(0, mark.deadline - RUN_SLACK_MS - now().getTime())
    const ended = await following.toEnd(output, running ? Math.min(leftMs, spec.timeout_ms) : LONGEST_TIMER_MS)
    const { sha256: _, ...counts } = ended.outcome.output
    const outcome: Ended['outcome'] = {
      ...ended.outcome,
      ...(wasKilledInTime(ended.outcome, spec) && KILLED_IN_TIME),
      output: { ...counts, recovered: output.source, truncated: counts.truncated || output.isIncomplete() },
    }
    const image_id = textOf(container.Image)
    const run = {
      ...outcome,
      image_id,
      posture: { ...(await postureOf(engine, container, signal)), spec_sha256: mark.spec },
    }
    return { ended, run }
  } finally {
    following.dispose()
    output.close()
  }
}

/** Its own host killed it at its deadline and did not live to tell. */
const wasKilledInTime = ({ ended_by, exit_code, oom_killed, duration_ms }: Ended['outcome'], spec: RunSpec): boolean =>
  ended_by === 'exit' && exit_code === KILLED && !oom_killed && duration_ms >= spec.timeout_ms

const KILLED_IN_TIME = { exit_code: null, signal: 'SIGKILL', ended_by: 'deadline', timed_out: true } as const

/** As the engine tells it now; that it was as asked was verified before its start. */
async function postureOf(engine: Engine, { Config, HostConfig }: Record<string, unknown>, signal: StopSignal) {
  const [config, host] = [fieldsOf(Config), fieldsOf(HostConfig)]
  const { name } = await engine.identity(signal)
  return {
    argv: [...textsOf(config.Entrypoint), ...textsOf(config.Cmd)],
    user: textOf(config.User),
    workdir: textOf(config.WorkingDir),
    read_only_root: host.ReadonlyRootfs === true,
    network: textOf(host.NetworkMode),
    memory_bytes: numberOf(host.Memory),
    cpus: numberOf(host.NanoCpus) / 1e9,
    pids: numberOf(host.PidsLimit),
    engine: { name, engine_id: await engine.id(signal) },
  }
}

const aborted = ({ reason }: StopSignal, run: RunOutcome): Failure =>
  new Failure(reason?.code ?? 'ABORTED', reason?.message ?? 'The run was ended.', {
    retriable: false,
    partial: { data: { run } },
    cause: reason?.cause,
  })
