/** The Docker provider: L1 requests in, engine calls out, and nothing that is not in the table. */
import { Failure } from '../core/failure.js'
import { type L1Request, type L1Route, parseL1Request } from '../core/l1-request.js'
import type { Logger, ProviderClient, RequestOptions } from '../core/provider.js'
import { PULL_TIMEOUT_MS, parseCollectRequest, parseRunSpec, type RunSpec } from '../core/run-spec.js'
import { type StopSignal, stopSignalOf } from '../core/stop.js'
import { createCaller, type EngineCall } from './call.js'
import { collectRun } from './collect.js'
import { type EndpointOptions, parseEndpoint } from './connect.js'
import { containerDetails, containerRows } from './containers.js'
import { type Bounded, type Bounds, bounded } from './deadline.js'
import { createEngine, type EngineIdentity } from './engine.js'
import { imageRows } from './images.js'
import { createKeeper } from './keeper.js'
import { createLogText, createTerminalLookup } from './logs.js'
import { createRetention } from './retention.js'
import { runProgram } from './run.js'
import { resolveMounts } from './run-mounts.js'
import { createRunTurn, ENDING_MS } from './run-turn.js'
import { createSeccompFiles } from './seccomp-file.js'
import { createStatsReader } from './stats-reader.js'
import type { Sweep } from './sweep.js'
import { malformedAnswer } from './upstream.js'
import { fieldsOf, textOf } from './wire.js'

export interface DockerProviderOptions extends EndpointOptions {
  /** Milliseconds for a request that brings no `timeoutMs` of its own. */
  timeoutMs?: number
  /**
   * The engine's files are not this process's. Default: true for an engine on TCP. Set it for a Unix socket that leads to
   * another machine (forwarded, or of a virtual machine); a mount's source must then be a root itself.
   */
  remote?: boolean
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
  /** Milliseconds between sweeps, from the first sweep or run on; default 30 000. */
  sweepMs?: number
  /**
   * Whether the host's log still waits for the outcome of a call, by the `runId` of its request: its container is then no
   * leftover, and can be collected. Without it, a sweep removes what a dead host did not live to record.
   */
  isRunOpen?: (runId: string) => Promise<boolean>
  /**
   * Milliseconds for which a run that was found never started keeps its container's name taken, by a container that is
   * never started: a host that was only paused cannot start it later. 0 for a host that shares its runs with no other.
   * Default: a day.
   */
  fenceMs?: number
  /** Leaves the run containers of hosts with this key out of `GET /containers`. */
  hideRuns?: boolean
}

export interface DockerProvider extends ProviderClient, AsyncDisposable {
  /**
   * Which engine answers, with its own id (stable across its restarts, empty when it has none), by which a host can tell
   * where a run was started. Negotiates on first use; throws as any request does.
   */
  engine(options?: Pick<RequestOptions, 'signal' | 'timeoutMs'>): Promise<EngineIdentity & { id: string }>
  /**
   * Removes the containers that runs left behind: past their deadline, or of a process that is gone. Happens by the
   * clock from the first call or the first run on; a host calls it at its start to clear what it left when it was killed.
   */
  sweep(options?: Pick<RequestOptions, 'signal' | 'timeoutMs'>): Promise<Sweep>
  /** Ends what is under way (programs are killed, their containers removed once that is recorded), then closes every connection. */
  close(): Promise<void>
}

type ReadRoute = Exclude<L1Route, 'POST /containers/run' | 'POST /containers/run/collect'>
type Answers = { [R in ReadRoute]: (request: L1Request<R>, signal: StopSignal) => Promise<unknown> }

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
  remote,
  maxConcurrentRuns,
  logger,
  onCall,
  now = () => new Date(),
  signingKey,
  sweepMs = 30_000,
  isRunOpen,
  fenceMs = 24 * 3_600_000,
  hideRuns = false,
}: DockerProviderOptions = {}): DockerProvider {
  const endpoint = parseEndpoint({ host, tls, env })
  const { socketPath } = endpoint.connect
  const mountHost = { remote: remote ?? socketPath === undefined, socketPath }
  const caller = createCaller({ endpoint, onCall, onLost: () => engine.forget() })
  const engine = createEngine(caller, endpoint.address)
  const keeper = createKeeper({ engine, signingKey, logger, now, isRunOpen })
  const retention = createRetention(engine, logger)
  const seccompFiles = mountHost.remote ? undefined : createSeccompFiles()
  let sweeping: NodeJS.Timeout | undefined
  const readStats = createStatsReader(engine)
  const terminalOf = createTerminalLookup(inspect)
  const active = new Set<Pick<Bounded<unknown>, 'abort' | 'ended'>>()
  let closed: Promise<void> | undefined
  const runInTurn = createRunTurn(perform, maxConcurrentRuns)

  async function inspect(id: string, signal: StopSignal): Promise<Record<string, unknown>> {
    const container = fieldsOf((await engine.json('containerInspect', { id, signal })).body)
    if (textOf(container.Id) === '') throw malformedAnswer('/containers/{id}/json', 'it has no container id')
    return container
  }

  const answers: Answers = {
    async 'GET /containers'({ query: { all, limit } }, signal) {
      // Without `all` the engine lists what runs; its `limit` would bring stopped ones back.
      const query: Record<string, string | number> = all ? { all: 'true' } : {}
      if (all && !hideRuns) query.limit = limit
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

  const sweep: DockerProvider['sweep'] = async ({ signal, timeoutMs } = {}) => {
    goOnSweeping()
    return perform(
      { what: 'the sweep', write: true, signal, timeoutMs: positive(timeoutMs) ?? defaultTimeoutMs },
      (joined) => keeper.sweep(joined),
    ).done
  }
  let sweepFails = false
  /** An engine that is away stays away for a while: told once, until it is there again. */
  const sweepFailed = (cause: unknown) => {
    if (!sweepFails) logger?.warn('leftovers of runs could not be looked for', { cause })
    sweepFails = true
  }
  const swept = () => {
    sweepFails = false
  }

  /** From the first sweep or run on, whatever comes of it: what another host left may be over its deadline only later. */
  function goOnSweeping(): boolean {
    if (sweeping !== undefined || closed) return false
    sweeping = setInterval(() => sweep().then(swept, sweepFailed), sweepMs).unref()
    return true
  }

  /** The first run is swept for; from then on it happens by the clock. */
  async function keepSwept(signal: StopSignal): Promise<void> {
    if (goOnSweeping()) await keeper.sweep(signal).catch(sweepFailed)
  }

  function perform<T>(bounds: Bounds<T>, work: (signal: StopSignal) => Promise<T>): Bounded<T> {
    if (closed) throw new Failure('UNAVAILABLE', 'The provider is closed. Create another.', { retriable: false })
    const call = bounded(bounds, work)
    active.add(call)
    call.ended.then(() => active.delete(call))
    return call
  }

  async function shutDown(): Promise<void> {
    clearInterval(sweeping)
    for (const call of active) call.abort(new Failure('ABORTED', 'The provider was closed.'))
    while (active.size > 0) await Promise.all([...active].map(({ ended }) => ended))
    await retention.close()
    await caller.close()
    await seccompFiles?.remove()
  }

  function close(): Promise<void> {
    closed ??= shutDown()
    return closed
  }

  const identify: DockerProvider['engine'] = async ({ signal, timeoutMs } = {}) =>
    perform(
      { what: 'the version exchange', write: false, signal, timeoutMs: positive(timeoutMs) ?? defaultTimeoutMs },
      async (joined) => ({ ...(await engine.identity(joined)), id: await engine.id(joined) }),
    ).done

  return {
    async request(method, path, given, options = {}) {
      const { timeoutMs, onOutput, onProgress, runId, recorded } = options
      // What rejects while nobody waits for it is nobody's rejection.
      recorded?.catch(() => {})
      const request = parseL1Request(method, path)
      const signal = stopSignalOf(options) ?? options.signal
      if (request.route === 'POST /containers/run') {
        const spec = parseRunSpec(given)
        const longest = spec.timeout_ms + pullTime(spec) + ENDING_MS
        const bounds = { what: request.route, signal, timeoutMs: positive(timeoutMs) ?? longest }
        return runInTurn(bounds, async (joined, progress) => {
          // Before anything is asked of the engine.
          const mounts = await resolveMounts(spec.mounts, mountHost)
          await keepSwept(joined)
          const told = { onOutput, onProgress, runId, recorded, keeper, retention, seccompFiles, logger, progress }
          return runProgram(engine, { ...spec, mounts }, { signal: joined, ...told })
        })
      }
      if (request.route === 'POST /containers/run/collect') {
        const { run_id, spec } = parseCollectRequest(given)
        if (signingKey === undefined) throw keyless()
        const bounds = { what: request.route, signal, timeoutMs: positive(timeoutMs) ?? spec.timeout_ms + ENDING_MS }
        return perform({ ...bounds, write: true, abortGraceMs: ENDING_MS }, (joined) => {
          const told = { onOutput, recorded, keeper, retention, logger, now, fenceMs }
          return collectRun(engine, { runId: run_id, spec }, { signal: joined, ...told })
        }).done
      }
      const longest = defaultTimeoutMs + stopTime(request)
      const bounds = { what: request.route, signal, timeoutMs: positive(timeoutMs) ?? longest, write: method !== 'GET' }
      const answer = answers[request.route] as (request: L1Request, signal: StopSignal) => Promise<unknown>
      // Awaited: a promise that is only returned takes three turns instead of one.
      return await perform(bounds, (joined) => answer(request, joined)).done
    },
    engine: identify,
    engineId: async () => (await identify()).id,
    sweep,
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** A stop answers when the container has ended, which it may take all of its time for. */
function stopTime(request: L1Request): number {
  return request.route === 'POST /containers/{id}/stop' ? request.query.timeout * 1000 : 0
}

function pullTime({ pull, pull_timeout_ms = PULL_TIMEOUT_MS }: RunSpec): number {
  return pull === 'if-missing' ? pull_timeout_ms : 0
}

function positive(value: unknown): number | undefined {
  return typeof value === 'number' && value > 0 && Number.isFinite(value) ? value : undefined
}

/** A key of this process alone recognises nothing that another left: its "not started" would be a guess. */
const keyless = (): Failure =>
  new Failure(
    'INVALID_INPUT',
    'Collecting a run needs the signingKey of the host that began it. Give the provider one.',
    {
      details: { field: 'signingKey' },
    },
  )

function listIn(body: unknown, route: string): unknown[] {
  if (Array.isArray(body)) return body
  throw malformedAnswer(route, 'it is not a list')
}
