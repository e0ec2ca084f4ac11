/** A run whose output or whose end the engine keeps to itself: what is known is told, with a warning or as a failure. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { isFailure } from '../../core/failure.js'
import type { RunOutcome } from '../../core/run-spec.js'
import { frame } from '../../testing/fake-wire.js'
import { createFakeEngine, type FakeFault, type FakeProgram, providerPrograms } from '../../testing/index.js'
import { rejection } from '../../testing/rejection.js'
import { createDockerProvider } from '../index.js'

const ATTACH = 'POST /containers/{id}/attach'
/** Longer than engines take between closing the output and telling the end. */
const LONG_MS = 1_300

const lasting: FakeProgram = async ({ killed }) => {
  await delay(LONG_MS, undefined, { signal: killed }).catch(() => {})
  return 0
}

async function open(t: TestContext, route: string, fault: FakeFault) {
  const fake = await createFakeEngine({ programs: [{ argv: ['lasting'], program: lasting }] })
  const provider = createDockerProvider({ host: fake.host })
  t.after(async () => {
    await provider.close()
    await fake.close()
  })
  const undo = fake.fault(route, fault)
  const start = (cmd: string[], options: object = {}) => {
    const limits = { timeout_ms: 10_000, memory_mb: 16, cpus: 1, pids: 16 }
    const output = { keep_bytes: 1_000, limit_bytes: 10_000 }
    const spec = { image: fake.image, cmd, env: {}, network: 'none', mounts: [], output, ...limits }
    return provider.request('POST', '/containers/run', spec, options) as Promise<{
      run: RunOutcome
      warnings?: string[]
    }>
  }
  return { fake, start, undo }
}

test('output that the engine closes while the program goes on may be incomplete, and a warning says so', async (t) => {
  const { start } = await open(t, ATTACH, {
    raw(socket, { head }) {
      socket.write(head)
      setTimeout(() => socket.end(frame('stdout', Buffer.from('half'))), 100)
    },
  })
  const { run, warnings } = await start(['lasting'])
  assert.deepEqual([run.stdout, run.exit_code], ['half', 0])
  assert.match(warnings?.join() ?? '', /closed the output before the program ended/)
})

test('output that the engine never closes may be incomplete, and a warning says so', async (t) => {
  const { start } = await open(t, ATTACH, {
    raw: (socket, { head }) => socket.write(Buffer.concat([Buffer.from(head), frame('stdout', Buffer.from('so far'))])),
  })
  const { run, warnings } = await start(providerPrograms.nothing.cmd)
  assert.deepEqual([run.stdout, run.exit_code], ['so far', 0])
  assert.match(warnings?.join() ?? '', /did not close the output/)
})

test('output that is complete has no warning', async (t) => {
  const { start } = await open(t, ATTACH, {})
  assert.equal((await start(['lasting'])).warnings, undefined)
})

for (const [what, route, cmd] of [
  ['the wait', 'POST /containers/{id}/wait', providerPrograms.stubborn.cmd],
  ['the last look', 'GET /containers/{id}/json', providerPrograms.nothing.cmd],
] as const) {
  test(`when ${what} hangs past the deadline, the failure has the outcome so far, and the container goes later`, async (t) => {
    let started = false
    const { fake, start, undo } = await open(t, 'POST /containers/{id}/start', {})
    undo()
    fake.fault('POST /containers/{id}/start', () => {
      started = true
      return undefined
    })
    fake.fault('POST /containers/{id}/kill', { end: 'hang' })
    const mend = fake.fault(route, () => (started ? { end: 'hang' } : undefined))
    const error = await rejection(start([...cmd], { timeoutMs: 500 }))
    assert.ok(isFailure(error), String(error))
    assert.deepEqual(
      [error.code, error.retriable, error.details?.may_have_run, error.details?.in_progress],
      ['TIMEOUT', false, true, true],
    )
    assert.ok(error.partial?.data)
    const { stdout, exit_code } = error.partial.data.run as RunOutcome
    assert.deepEqual([stdout, exit_code], [cmd === providerPrograms.stubborn.cmd ? 'begun\n' : '', null])
    assert.equal(fake.containers.size, 1)
    mend()
    while (fake.containers.size > 0) await delay(50)
  })
}
