/** The provider suite's part for `POST /containers/run`. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { PullProgress } from '../core/provider.js'
import type { RunOutcome, RunSpec } from '../core/run-spec.js'
import { providerPrograms } from './provider-programs.js'
import type { ProviderFixture } from './provider-suite.js'
import { rejection } from './rejection.js'

/** Long enough for an engine under load; only what hangs takes that long. */
const TIMEOUT_MS = 20_000

/** Declares the tests; each is skipped when the fixture has no image. */
export function testRuns(fixture: () => ProviderFixture): void {
  const testRun = (name: string, body: (image: string, t: TestContext) => Promise<void>) =>
    test(name, async (t) => {
      const { image } = fixture()
      if (image === undefined) return t.skip('the fixture has no image: the provider offers no runs')
      await body(image, t)
    })

  async function run(image: string, program: keyof typeof providerPrograms, over: Partial<RunSpec> = {}) {
    const { request } = fixture().provider
    const answer = await request('POST', '/containers/run', specOf(image, program, over))
    return (answer as { run: RunOutcome }).run
  }

  async function containerIds(): Promise<string[]> {
    const answer = await fixture().provider.request('GET', '/containers?all=true&limit=100')
    return (answer as { containers: { id: string }[] }).containers.map(({ id }) => id).sort()
  }

  /** Others may use the same engine meanwhile, and what is theirs goes away; what a run left does not. */
  async function assertNothingLeft(before: string[]): Promise<void> {
    const added = (await containerIds()).filter((id) => !before.includes(id))
    for (let look = 1; added.length > 0; look++) {
      const there = await containerIds()
      const left = added.filter((id) => there.includes(id))
      if (left.length === 0) return
      assert.ok(look < 50, `left behind: ${left}`)
      await delay(100)
    }
  }

  testRun('a run keeps standard output and standard error apart, and reports the exit code', async (image) => {
    const outcome = await run(image, 'bothStreams')
    assert.deepEqual([outcome.stdout, outcome.stderr, outcome.exit_code], ['out\n', 'err\n', 3])
    const { sha256 = { stdout: hashOf('out\n'), stderr: hashOf('err\n') }, ...counts } = outcome.output
    assert.deepEqual(counts, { bytes_total: 8, bytes_kept: 8, truncated: false })
    assert.deepEqual(sha256, { stdout: hashOf('out\n'), stderr: hashOf('err\n') })
    assert.deepEqual([outcome.timed_out, outcome.oom_killed, outcome.signal], [false, false, undefined])
    assert.match(outcome.image_id, /^sha256:[0-9a-f]{64}$/)
    assert.ok(Number.isFinite(outcome.duration_ms) && outcome.duration_ms >= 0, `duration_ms: ${outcome.duration_ms}`)
  })

  testRun('a run tells how it was confined', async (image) => {
    const { posture } = await run(image, 'nothing')
    assert.equal(posture.network, 'none')
    assert.equal(posture.read_only_root, true)
    assert.equal(posture.memory_bytes, 64 * 1024 * 1024)
  })

  testRun('what is given as input is read to its end', async (image) => {
    const stdin = `Grüße 🚢\n${'0123456789abcde\n'.repeat(6_000)}`
    const outcome = await run(image, 'echo', { stdin })
    assert.equal(outcome.exit_code, 0)
    // Compared first: a diff of this much text takes minutes to print.
    assert.ok(outcome.stdout === stdin, `${outcome.stdout.length} characters came back of ${stdin.length}`)
  })

  testRun('input that the program does not read costs no output', async (image) => {
    const outcome = await run(image, 'ignoreInput', { stdin: 'x'.repeat(1024 * 1024) })
    assert.deepEqual([outcome.stdout, outcome.exit_code], ['done\n', 0])
  })

  testRun('variables reach the program', async (image) => {
    assert.equal((await run(image, 'printEnv', { env: { GREETING: 'hello = world' } })).stdout, 'hello = world')
  })

  testRun('characters survive however the output is cut', async (image) => {
    assert.equal((await run(image, 'unicode')).stdout, 'Grüße 🚢 漢字')
  })

  testRun('a program that ignores signals is killed at its deadline, and nothing is left', async (image) => {
    const before = await containerIds()
    const outcome = await run(image, 'stubborn', { timeout_ms: 1_000 })
    assert.deepEqual([outcome.timed_out, outcome.exit_code, outcome.signal], [true, null, 'SIGKILL'])
    assert.equal(outcome.stdout, 'begun\n')
    await assertNothingLeft(before)
  })

  testRun('long output keeps its beginning and its end, and everything is counted', async (image) => {
    const outcome = await run(image, 'longOutput', { output: { keep_bytes: 1_000, limit_bytes: 1_000_000 } })
    const { sha256, ...counts } = outcome.output
    assert.deepEqual(counts, { bytes_total: 100_001, bytes_kept: 1_000, truncated: true })
    const raw = hashOf(`a${'0'.repeat(99_999)}z`)
    assert.equal(sha256?.stdout ?? raw, raw)
    assert.deepEqual([outcome.stdout.at(0), outcome.stdout.at(-1), outcome.exit_code], ['a', 'z', 0])
    assert.ok(outcome.stdout.length < 1_100, `${outcome.stdout.length} characters were kept`)
  })

  testRun('a program that prints past the limit is killed', async (image) => {
    const outcome = await run(image, 'endlessOutput', { output: { keep_bytes: 1_000, limit_bytes: 20_000 } })
    assert.equal(outcome.output.limit_exceeded, true)
    assert.deepEqual([outcome.exit_code, outcome.signal, outcome.timed_out], [null, 'SIGKILL', false])
    assert.ok(outcome.output.bytes_total > 20_000 && outcome.output.bytes_kept <= 1_000, JSON.stringify(outcome.output))
  })

  testRun('output is handed on while the program runs, and an abort ends it and leaves nothing', async (image) => {
    const before = await containerIds()
    const controller = new AbortController()
    const seen: string[] = []
    const spec = specOf(image, 'stubborn', {})
    const error = await rejection(
      fixture().provider.request('POST', '/containers/run', spec, {
        signal: controller.signal,
        onOutput(stream, text) {
          seen.push(`${stream}: ${text}`)
          controller.abort()
        },
      }),
    )
    assert.ok('stdout: begun\n'.startsWith(seen[0] ?? 'nothing'), `seen: ${seen}`)
    assert.notEqual(error.name, 'AssertionError')
    await assertNothingLeft(before)
  })

  testRun('runs side by side do not mix their outputs', async (image) => {
    const outcomes = await Promise.all(['a', 'b', 'c', 'd'].map((stdin) => run(image, 'echo', { stdin })))
    assert.deepEqual(
      outcomes.map(({ stdout }) => stdout),
      ['a', 'b', 'c', 'd'],
    )
  })

  testRun('an image that is not there is not run', async () => {
    await rejection(run(`skillgate-absent@sha256:${'0'.repeat(64)}`, 'nothing'))
  })

  testRun('an image that is not there is pulled when the spec says so, and only then', async (_image, t) => {
    const { pullable, provider } = fixture()
    if (pullable === undefined) return t.skip('the fixture has no image to pull')
    await rejection(run(pullable, 'nothing'))
    await rejection(run(pullable, 'nothing', { pull: 'never' }))
    const told: PullProgress[] = []
    const spec = specOf(pullable, 'bothStreams', { pull: 'if-missing', pull_timeout_ms: 60_000 })
    const onProgress = (progress: PullProgress) => told.push(progress)
    const answer = (await provider.request('POST', '/containers/run', spec, { onProgress })) as { run: RunOutcome }
    assert.deepEqual([answer.run.stdout, answer.run.exit_code], ['out\n', 3])
    assert.ok(told.length >= 2, 'the host is told of the beginning and the end')
    for (const { stage, image, status } of told)
      assert.deepEqual([stage, image, typeof status], ['pull', pullable, 'string'])
    told.length = 0
    await provider.request('POST', '/containers/run', spec, { onProgress })
    assert.deepEqual(told, [], 'what is there is not pulled')
  })

  testRun('a named network is used when it is internal, and refused when it is not', async (image, t) => {
    const { networks } = fixture()
    if (networks === undefined) return t.skip('the fixture has no networks')
    const { posture, exit_code } = await run(image, 'nothing', { network: { internal: networks.internal } })
    assert.equal(exit_code, 0)
    assert.equal((posture.network as { internal?: unknown }).internal, networks.internal)
    await rejection(run(image, 'nothing', { network: { internal: networks.open } }))
    await rejection(run(image, 'nothing', { network: { internal: 'no-such-network' } }))
  })

  testRun('the host’s own places are not mounted, whatever the spec says', async (image) => {
    for (const source of ['/', '/etc', '/proc/1', '/var/run/docker.sock', '/var', '/root/.ssh']) {
      const mounts = [{ source, target: '/in', read_only: true, root: source }]
      await rejection(run(image, 'nothing', { mounts }))
    }
  })

  testRun('a spec with a field that does not exist is refused', async (image) => {
    const spec = { ...specOf(image, 'nothing', {}), privileged: true }
    await rejection(fixture().provider.request('POST', '/containers/run', spec))
  })
}

export function specOf(image: string, program: keyof typeof providerPrograms, over: Partial<RunSpec>): RunSpec {
  return {
    image,
    cmd: providerPrograms[program].cmd,
    env: {},
    timeout_ms: TIMEOUT_MS,
    memory_mb: 64,
    cpus: 1,
    pids: 64,
    network: 'none',
    mounts: [],
    output: { keep_bytes: 1024 * 1024, limit_bytes: 8 * 1024 * 1024 },
    ...over,
  }
}

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex')
