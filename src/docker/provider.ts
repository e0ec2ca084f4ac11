/** The Docker provider: L1 requests in, engine calls out, and nothing that is not in the table. */
import { availableParallelism } from 'node:os'
import { describe, Failure } from '../core/failure.js'
import type { Logger, ProviderClient, RequestOptions } from '../core/provider.js'
import { type StopSignal, stopSignalOf } from '../core/stop.js'
import { createCaller, type EngineCall } from './call.js'
import { type EndpointOptions, parseEndpoint } from './connect.js'
import { containerDetails, containerRows } from './containers.js'
import { type Bounded, type Bounds, bounded } from './deadline.js'
import { createEngine, type EngineIdentity } from './engine.js'
import { imageRows } from './images.js'
import { createKeeper } from './keeper.js'
import { createLogText, createTerminalLookup } from './logs.js'
import { type L1Request, type L1Route, parseL1Request } from './routes.js'
import { type RunAnswer, type RunProgress, runProgram } from './run.js'
import { parseRunSpec } from './run-request.js'
import { createSeccompFiles } from './seccomp-file.js'
import { createSlots } from './slots.js'
import { createStatsReader } from './stats-reader.js'
import type { Sweep } from './sweep.js'
import { malformedAnswer } from './upstream.js'
import { fieldsOf, textOf } from './wire.js'

export interface DockerProviderOptions extends EndpointOptions {
  /** Milliseconds for a request that brings no `timeoutMs` of its own. */
  timeoutMs?: number
  /**
   * Runs that go on at once; others wait in the order of their coming, each as long as its request may take. The time
   * of a program and of its request begins with its turn. An integer from 1; default: two for each core.
   */
  maxConcurrentRuns?: number
  logger?: Logger
  /** Told of every finished call to the engine, for measuring. */
  onCall?: (call: EngineCall) => void
  /** The clock that a container's age is told by. */
  now?: () => Date
  /**
   * 32 bytes or more that authenticate the labels of run containers. A host that keeps its key finds what it left behind
   * when it was killed; without one, a key is made that ends with the provider.
   */
  signingKey?: string | Uint8Array
  /** Milliseconds between sweeps, from the first run on; default 30 000. */
  sweepMs?: number
  /** Leaves the run containers of hosts with this key out of `GET /containers`. */
  hideRuns?: boolean
}

export interface DockerProvider extends ProviderClient, AsyncDisposable {
  /** Which engine answers. Negotiates on first use; throws as any request does. */
  engine(options?: Pick<RequestOptions, 'signal' | 'timeoutMs'>): Promise<EngineIdentity>
  /**
   * Removes the containers that runs left behind: past their deadline, or of a process that is gone. Happens by itself
   * from the first run on; a host calls it at its start to clear what it left when it was killed.
   */
  sweep(options?: Pick<RequestOptions, 'signal' | 'timeoutMs'>): Promise<Sweep>
  /** Ends what is under way (programs are killed, their containers removed), then closes every connection. */
  close(): Promise<void>
}

type ReadRoute = Exclude<L1Route, 'POST /containers/run'>
type Answers = { [R in ReadRoute]: (request: L1Request<R>, signal: StopSignal) => Promise<unknown> }

/** What a request to run something gets beyond the program's own time: to create, kill and remove its container. */
const ENDING_MS = 10_000

/**
 * A provider for a Docker Engine (API 1.41 and up) or Podman's Docker-compatible socket.
 *
 * `request` answers the routes of the provider protocol and throws a Failure for everything else: INVALID_INPUT or
 * NOT_FOUND for what is not in the protocol (nothing is sent), UPSTREAM_ERROR with `details.status` for what the engine
 * refused, TIMEOUT and ABORTED, and for `POST /containers/run` also IMAGE_NOT_FOUND, PLATFORM_MISMATCH,
 * POSTURE_MISMATCH and ENGINE_UNSUITABLE. Throws INVALID_INPUT at once when the host or the TLS settings are nonsense.
 *
 * @example
 * ```ts
 * import { createDockerProvider } from 'skillgate/docker'
 *
 * const provider = createDockerProvider({ host: 'unix:///var/run/docker.sock' })
 * try {
 *   const { name, version } = await provider.engine()
 *   console.log(name, version, await provider.request('GET', '/containers?all=false&limit=10'))
 * } finally {
 *   await provider.close()
 * }
 * ```
 */
export function createDockerProvider({
  host,
  tls,
  env = process.env,
  timeoutMs: defaultTimeoutMs = 30_000,
  maxConcurrentRuns = availableParallelism() * 2,
  logger,
  onCall,
  now = () => new Date(),
  signingKey,
  sweepMs = 30_000,
  hideRuns = false,
}: DockerProviderOptions = {}): DockerProvider {
  const endpoint = parseEndpoint({ host, tls, env })
  const slots = createSlots(parseMaxRuns(maxConcurrentRuns))
  const caller = createCaller({ endpoint, onCall, onLost: () => engine.forget() })
  const engine = createEngine(caller, endpoint.address)
  const keeper = createKeeper({ engine, signingKey, logger, now })
  const seccompFiles = endpoint.address.startsWith('unix:') ? createSeccompFiles() : undefined
  let sweeping: NodeJS.Timeout | undefined
  const readStats = createStatsReader(engine)
  const terminalOf = createTerminalLookup(inspect)
  const active = new Set<Pick<Bounded<unknown>, 'abort' | 'ended'>>()
  let closed: Promise<void> | undefined

  async function inspect(id: string, signal: StopSignal): Promise<Record<string, unknown>> {
    const container = fieldsOf((await engine.json('containerInspect', { id, signal })).body)
    if (textOf(container.Id) === '') throw malformedAnswer('/containers/{id}/json', 'it has no container id')
    return container
  }

  const answers: Answers = {
    async 'GET /containers'({ query: { all, limit } }, signal) {
      // Without `all` the engine lists what runs; its `limit` would bring stopped ones back.
      const query = all ? { all: 'true', ...(!hideRuns && { limit }) } : {}
      const { body } = await engine.json('containerList', { query, signal })
      const listed = listIn(body, '/containers/json')
      return { containers: containerRows(hideRuns ? listed.filter((one) => !keeper.isRun(one)) : listed, limit) }
    },
    async 'GET /containers/{id}'({ id }, signal) {
      return { container: containerDetails(await inspect(id, signal), now()) }
    },
    async 'POST /containers/{id}/start'({ id }, signal) {
      const { changed } = await engine.json('containerStart', { id, signal })
      return { changed }
    },
    async 'POST /containers/{id}/stop'({ id, query: { timeout } }, signal) {
      const { changed } = await engine.json('containerStop', { id, query: { t: timeout }, signal })
      return { changed }
    },
    async 'GET /containers/{id}/logs'({ id, query: { tail, timestamps } }, signal) {
      const terminal = await terminalOf(id, signal)
      const text = createLogText(terminal)
      const query = { stdout: 1, stderr: 1, follow: 0, tail, timestamps: timestamps ? 1 : 0 }
      await engine.stream('containerLogs', { id: terminal.id, query, signal }, text.push)
      return { logs: text.end() }
    },
    async 'GET /containers/{id}/stats'({ id }, signal) {
      return { stats: await readStats(id, signal) }
    },
    async 'GET /images'({ query: { limit } }, signal) {
      const { body } = await engine.json('imageList', { signal })
      return { images: imageRows(listIn(body, '/images/json'), limit) }
    },
  }

  const sweep: DockerProvider['sweep'] = async ({ signal, timeoutMs } = {}) =>
    perform({ what: 'the sweep', write: true, signal, timeoutMs: positive(timeoutMs) ?? defaultTimeoutMs }, (joined) =>
      keeper.sweep(joined),
    ).done

  /** The first run is swept for; from then on it happens by the clock. */
  async function keepSwept(signal: StopSignal): Promise<void> {
    if (sweeping !== undefined) return
    const failed = (cause: unknown) => logger?.warn('leftovers of runs could not be looked for', { cause })
    sweeping = setInterval(() => sweep().catch(failed), sweepMs).unref()
    await keeper.sweep(signal).catch(failed)
  }

  function perform<T>(bounds: Bounds<T>, work: (signal: StopSignal) => Promise<T>): Bounded<T> {
    if (closed) throw new Failure('UNAVAILABLE', 'The provider is closed. Create another.', { retriable: false })
    const call = bounded(bounds, work)
    active.add(call)
    call.ended.then(() => active.delete(call))
    return call
  }

  /** One run in its turn, which lasts until the container is dealt with, also when the caller was answered before. */
  async function runInTurn(
    {
      late,
      ...bounds
    }: Pick<Bounds<RunAnswer>, 'what' | 'timeoutMs' | 'signal'> & { late(reason: Failure): RunAnswer },
    work: (signal: StopSignal) => Promise<RunAnswer>,
  ): Promise<RunAnswer> {
    const { signal, timeoutMs } = bounds
    const cameAt = performance.now()
    const waiting = perform({ ...bounds, write: false }, (stop) => slots.acquire(stop))
    const release = await waiting.done.catch((error) => {
      throw neverBegan(error, { timeoutMs, maxConcurrentRuns })
    })
    if (signal !== undefined && 'postpone' in signal) signal.postpone?.(performance.now() - cameAt)
    const call = perform({ ...bounds, late, write: true, abortGraceMs: ENDING_MS }, work)
    call.ended.then(release)
    return call.done
  }

  async function shutDown(): Promise<void> {
    clearInterval(sweeping)
    for (const call of active) call.abort(new Failure('ABORTED', 'The provider was closed.'))
    while (active.size > 0) await Promise.all([...active].map(({ ended }) => ended))
    await caller.close()
    await seccompFiles?.remove()
  }

  function close(): Promise<void> {
    closed ??= shutDown()
    return closed
  }

  return {
    async request(method, path, given, options = {}) {
      const { timeoutMs, onOutput, runId } = options
      const request = parseL1Request(method, path)
      const signal = stopSignalOf(options) ?? options.signal
      if (request.route === 'POST /containers/run') {
        const spec = parseRunSpec(given)
        const bounds = { what: request.route, signal, timeoutMs: positive(timeoutMs) ?? spec.timeout_ms + ENDING_MS }
        const progress: RunProgress = {}
        return runInTurn({ ...bounds, late: (reason) => lateAnswer(reason, progress) }, async (joined) => {
          await keepSwept(joined)
          return runProgram(engine, spec, { signal: joined, onOutput, runId, keeper, seccompFiles, logger, progress })
        })
      }
      const longest = defaultTimeoutMs + stopTime(request)
      const bounds = { what: request.route, signal, timeoutMs: positive(timeoutMs) ?? longest, write: method !== 'GET' }
      const answer = answers[request.route] as (request: L1Request, signal: StopSignal) => Promise<unknown>
      return perform(bounds, (joined) => answer(request, joined)).done
    },
    engine: async ({ signal, timeoutMs } = {}) =>
      perform(
        { what: 'the version exchange', write: false, signal, timeoutMs: positive(timeoutMs) ?? defaultTimeoutMs },
        (joined) => engine.identity(joined),
      ).done,
    sweep,
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** A stop answers when the container has ended, which it may take all of its time for. */
function stopTime(request: L1Request): number {
  return request.route === 'POST /containers/{id}/stop' ? request.query.timeout * 1000 : 0
}

function parseMaxRuns(value: number): number {
  if (Number.isSafeInteger(value) && value >= 1) return value
  throw new Failure('INVALID_INPUT', `maxConcurrentRuns must be an integer from 1, got ${describe(value)}.`, {
    details: { field: 'maxConcurrentRuns' },
  })
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

function positive(value: unknown): number | undefined {
  return typeof value === 'number' && value > 0 && Number.isFinite(value) ? value : undefined
}

function listIn(body: unknown, route: string): unknown[] {
  if (Array.isArray(body)) return body
  throw malformedAnswer(route, 'it is not a list')
}
