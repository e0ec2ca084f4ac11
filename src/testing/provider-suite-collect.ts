/** The provider suite's part for `POST /containers/run/collect`: nothing is told of a run that did not happen, nothing runs twice. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { RunOutcome, RunSpec } from '../core/run-spec.js'
import type { ProviderFixture } from './provider-suite.js'
import { specOf } from './provider-suite-run.js'
import { rejection } from './rejection.js'

interface Collected {
  run: RunOutcome | null
  started?: boolean
  engine_id?: string
}

/** Declares the tests; each is skipped when the fixture has no image or no successor. */
export function testCollect(fixture: () => ProviderFixture): void {
  const testRecovery = (
    name: string,
    body: (parts: Required<Pick<ProviderFixture, 'image' | 'successor'>>) => Promise<void>,
  ) =>
    test(name, async (t) => {
      const { image, successor } = fixture()
      if (image === undefined || successor === undefined) {
        return t.skip('the fixture has no image or no successor: the provider collects no runs')
      }
      await body({ image, successor })
    })

  const begin = async (runId: string, spec: RunSpec, recorded: Promise<void>) => {
    const { request } = fixture().provider
    return ((await request('POST', '/containers/run', spec, { runId, recorded })) as { run: RunOutcome }).run
  }
  const unwritten = () => {
    const lost = Promise.reject<void>(new Error('the log could not be written'))
    lost.catch(() => {})
    return lost
  }
  const newId = () => `run_${randomUUID()}/s1`

  testRecovery(
    'a run that was never started is told so, and so is one whose result is recorded',
    async ({ image, successor }) => {
      const spec = specOf(image, 'bothStreams', {})
      const collect = async (run_id: string) =>
        (await successor.request('POST', '/containers/run/collect', { run_id, spec })) as Collected
      const never = await collect(newId())
      assert.deepEqual([never.run, never.started ?? false], [null, false])
      const id = newId()
      await begin(id, spec, Promise.resolve())
      for (let look = 1; ; look++) {
        // The container goes behind the answer; while it is there, its own host still has it.
        const { run } = await collect(id)
        if (run === null) break
        assert.ok(look < 50, 'what is recorded is removed')
        await delay(100)
      }
    },
  )

  testRecovery(
    'what could not be recorded is collected: the same end, and the output that was kept',
    async ({ image, successor }) => {
      const spec = specOf(image, 'bothStreams', {})
      const run_id = newId()
      const live = await begin(run_id, spec, unwritten())
      const body = { run_id, spec }
      const ask = async (recorded?: Promise<void>) =>
        (await successor.request('POST', '/containers/run/collect', body, recorded && { recorded })) as Collected
      for (const { run } of [await ask(unwritten()), await ask()]) {
        assert.deepEqual([run?.exit_code, run?.image_id, run?.timed_out], [3, live.image_id, false])
        const kept = run?.output.recovered !== 'none'
        assert.deepEqual([run?.stdout, run?.stderr], kept ? ['out\n', 'err\n'] : ['', ''])
        assert.equal(run?.output.truncated, !kept)
      }
      assert.equal((await ask()).run, null)
    },
  )

  testRecovery('a call that has a container already is not started again', async ({ image, successor }) => {
    const spec = specOf(image, 'bothStreams', {})
    const run_id = newId()
    await begin(run_id, spec, unwritten())
    for (const { request } of [fixture().provider, successor]) {
      await rejection(request('POST', '/containers/run', spec, { runId: run_id }))
    }
    const { run } = (await successor.request('POST', '/containers/run/collect', { run_id, spec })) as Collected
    assert.equal(run?.exit_code, 3)
  })

  testRecovery('a request to collect that is none is refused', async ({ image, successor }) => {
    const spec = specOf(image, 'nothing', {})
    for (const body of [
      undefined,
      { spec },
      { run_id: newId() },
      { run_id: 'a b', spec },
      { run_id: newId(), spec, force: true },
    ]) {
      await rejection(successor.request('POST', '/containers/run/collect', body))
    }
  })
}
