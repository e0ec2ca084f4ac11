/** One request against a fake engine with one fault in one of its calls, and everything that must hold of it. */
import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { type Failure, type FailureCode, isFailure } from '../../core/failure.js'
import type { RunOutcome } from '../../core/run-spec.js'
import { createFakeEngine, providerPrograms } from '../../testing/index.js'
import { createDockerProvider } from '../index.js'
import { engineCall } from './engine-fixture.js'
import type { FaultKind } from './fault-table.js'
import { runSpec } from './run-fixture.js'

export const RUN = '/containers/run'
/** For a request that is to end by its deadline, and for one that is not, on a machine with other things to do. */
const DEADLINE_MS = { TIMEOUT: 1_000, other: 10_000 }
const GRACE_MS = 1_000
const KILL_AFTER_MS = 50

/** A request of the provider protocol, and the call to the engine that goes wrong in it. */
export interface FaultyCall {
  method: 'GET' | 'POST'
  path: string
  /** As the fake names it. */
  route: string
  /** Which call of this route, counted from 1; absent: all of them. */
  nth?: number
}

export interface FaultCase extends FaultyCall {
  kind: FaultKind
  expected: FailureCode | 'ok'
  limitBytes?: number
}

type Answered = { answer: { run?: RunOutcome; warnings?: string[] } }
type Settled = { failure: Failure } | Answered

/** `judged` resolves when the request was; `closed`, when the provider is closed and nothing was left. Both may reject. */
export async function judge({
  method,
  path,
  route,
  nth,
  kind,
  expected,
  limitBytes,
}: FaultCase): Promise<{ judged: Promise<void>; closed: Promise<void> }> {
  const deadlineMs = expected === 'TIMEOUT' ? DEADLINE_MS.TIMEOUT : DEADLINE_MS.other
  const fake = await createFakeEngine({ tcp: true })
  const provider = createDockerProvider({ host: fake.host, env: {}, timeoutMs: deadlineMs })
  const runs = path === RUN
  const killed = route.endsWith('/kill')
  const name = `${method} ${path}, where ${route}${nth === undefined ? '' : ` (${nth})`} ${kind.name}`
  if (!runs) {
    const body = { Image: fake.image, Cmd: providerPrograms.nothing.cmd }
    await engineCall(fake.host, 'POST', '/v1.41/containers/create?name=x', body)
  }
  const before = fake.containers.size
  let calls = 0
  let met = false
  const undo = fake.fault(route, () => {
    calls++
    if (nth !== undefined && calls !== nth) return undefined
    met = true
    return kind.fault
  })
  const spec = runSpec(fake.image, providerPrograms[killed ? 'stubborn' : 'ignoreInput'].cmd, {
    timeout_ms: killed ? KILL_AFTER_MS : 10_000,
    output: { keep_bytes: 1_000, limit_bytes: limitBytes ?? 10_000 },
  })
  let told = false
  const judgeRequest = async () => {
    const startedAt = performance.now()
    const settled: Settled = await provider
      .request(method, path, runs ? spec : undefined, { timeoutMs: deadlineMs })
      .then((answer) => ({ answer: answer as object }))
      .catch((failure) => ({ failure }))
    const took = performance.now() - startedAt
    undo()
    assert.ok(met, `${name}: the call was never made`)
    assert.ok(took <= deadlineMs + GRACE_MS, `${name}: settled after ${Math.round(took)} ms`)
    const starts = fake.requests.filter((request) => request.route === 'POST /containers/{id}/start').length
    told = 'failure' in settled ? judgeFailure(name, settled.failure, expected) : judgeAnswer(name, settled, expected)
    assert.ok(starts <= 1, `${name}: started ${starts} times`)
    if (runs && starts > 0 && 'failure' in settled) {
      const { retriable, details } = settled.failure
      assert.ok(!retriable || typeof details?.status === 'number', `${name}: a retry would run it again`)
    }
  }
  const close = async () => {
    await provider.close()
    await Promise.race([fake.disconnected(), delay(1_000)])
    assert.equal(fake.connections(), 0, `${name}: an open socket`)
    assert.ok(fake.containers.size === before || told, `${name}: a container was left, and nothing says so`)
    await fake.close()
  }
  const judged = judgeRequest()
  return { judged, closed: judged.catch(() => {}).then(close) }
}

/** Every failure says what to do: one of these, or in the engine's own words. */
const ADVICE =
  /Try again|Check|[Ll]ook at|Point DOCKER_HOST|Ask for less|Upgrade|Use |Pull it|Enable|with status 409: conflict$|was not started|needs|Set |Start /

function judgeFailure(name: string, failure: Failure, expected: FaultCase['expected']): boolean {
  assert.ok(isFailure(failure), `${name}: ${String(failure)}`)
  assert.equal(failure.code, expected, `${name}: ${failure.message}`)
  assert.match(failure.message, ADVICE, name)
  assert.doesNotMatch(failure.message, /secret/, name)
  return failure.details?.not_removed !== undefined
}

/** An answer must be the truth: what the program did, or a warning beside it. */
function judgeAnswer(name: string, { answer }: Answered, expected: FaultCase['expected']): boolean {
  const { run, warnings } = answer
  assert.equal('ok', expected, `${name}: ${JSON.stringify(run ?? answer).slice(0, 200)}`)
  if (run === undefined) return false
  const { stdout, exit_code, timed_out } = run
  const truth = timed_out ? ['begun\n', null] : ['done\n', 0]
  assert.deepEqual([stdout, exit_code], truth, name)
  return warnings !== undefined
}

/** From now on until `end`, which throws when an error was nobody's or more sockets are open than before. */
export function watchProcess(): { end(): void } {
  const stray: unknown[] = []
  const onStray = (error: unknown) => void stray.push(error)
  const sockets = () => process.getActiveResourcesInfo().filter((kind) => /Socket|Pipe/.test(kind)).length
  const openBefore = sockets()
  process.on('unhandledRejection', onStray)
  process.on('uncaughtException', onStray)
  return {
    end() {
      process.off('unhandledRejection', onStray)
      process.off('uncaughtException', onStray)
      assert.deepEqual(stray, [])
      assert.equal(sockets(), openBefore, 'open sockets')
    },
  }
}
