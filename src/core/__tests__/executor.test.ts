/** Runs reach their ends once, whatever the log and the engine do meanwhile, and leave what waits to the next process. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { dockerRun } from '../../../skills/docker-run/handler.js'
import { createEmbeddedStore } from '../../stores/embedded.js'
import { createMemoryStore } from '../../stores/memory.js'
import { Failure } from '../failure.js'
import { createGate } from '../gate.js'
import type { SharedRuns, Store } from '../store.js'
import {
  createFixture,
  demo,
  echoes,
  held,
  message,
  openSession,
  recordingClient,
  settle,
  sharedRuns,
} from './fixture.js'

const KEY = 'a signing key of thirty-two bytes or more'
const directories: string[] = []
after(() => {
  for (const directory of directories) rmSync(directory, { recursive: true })
})

const texts = (asks: readonly { body: unknown }[]) => asks.map(({ body }) => (body as { text: string }).text)

async function ended(run: { read(): Promise<{ status: string }> }): Promise<string> {
  for (let look = 0; look < 200; look++) {
    const { status } = await run.read()
    if (status !== 'queued' && status !== 'running') return status
    await delay(20)
  }
  return 'still open'
}

describe('closing', () => {
  it('lets what runs end within its grace, begins nothing, and leaves what waits in a durable store', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'skillgate-executor-'))
    directories.push(directory)
    const hold = held()
    const reply = () => hold.promise
    const first = createFixture({ store: await createEmbeddedStore({ directory }), signingKey: KEY, reply })
    const session = await openSession(first.gate)
    const runs = [await session.post(echoes('runs')), await session.post(echoes('waits'))]
    while (first.client.asks.length === 0) await delay(5)
    const closing = first.gate.close({ graceMs: 10_000 })
    await settle()
    hold.release({})
    await closing
    assert.deepEqual(texts(first.client.asks), ['runs'])
    const next = createFixture({ store: await createEmbeddedStore({ directory }), signingKey: KEY })
    for (const { id } of runs) assert.equal(await ended(await next.gate.run(id)), 'completed')
    assert.deepEqual(texts(next.client.asks), ['waits'])
    await next.gate.close()
  })

  for (const [what, options] of [
    ['a store that ends with the process', { signingKey: KEY }],
    ['a durable store, under a key that ends with it', { store: { ...createMemoryStore(), durable: true } }],
  ] as const) {
    it(`cancels what waits in ${what}`, async () => {
      const hold = held()
      const { gate } = createFixture({ ...options, reply: () => hold.promise })
      const session = await openSession(gate)
      const runs = [await session.post(echoes('runs')), await session.post(echoes('waits'))]
      await settle()
      const closing = gate.close({ graceMs: 10_000 })
      await settle()
      hold.release({})
      await closing
      const statuses = await Promise.all(runs.map(async (run) => (await run.read()).status))
      assert.deepEqual(statuses, ['completed', 'cancelled'])
    })
  }
})

describe('a write whose outcome is not known', () => {
  /** A store whose appends that open a run of the session go through `open`. */
  const opening = (open: (sessionId: string, write: () => Promise<void>) => Promise<void>): Store => {
    const memory = createMemoryStore()
    return {
      ...memory,
      append: (events, options) => {
        const write = () => memory.append(events, options)
        return options?.opens === undefined ? write() : open(options.opens.session_id, write)
      },
    }
  }

  it('leaves a run to its writer, which another failure would have found in the store', async () => {
    const answers = new Map<string, { promise: Promise<unknown> }>()
    const store = opening(async (sessionId, write) => {
      await write()
      await answers.get(sessionId)?.promise
    })
    const { gate, client } = createFixture({ store })
    const [slow, lost] = [await openSession(gate), await openSession(gate)]
    const answer = held()
    answers.set(slow.id, answer)
    answers.set(lost.id, { promise: Promise.reject(new Error('connection lost')) })
    const posting = slow.post(echoes('slow'))
    await assert.rejects(lost.post(echoes('lost')), { code: 'UNAVAILABLE' })
    while (client.asks.length === 0) await delay(5)
    await delay(100)
    assert.deepEqual(texts(client.asks), ['lost'], 'the other one is still on its way')
    answer.release(undefined)
    assert.equal((await (await posting).done()).status, 'completed')
    assert.deepEqual(texts(client.asks), ['lost', 'slow'])
    const types = (await gate.audit({ type: 'run.finished' })).events.map(({ session_id }) => session_id)
    assert.deepEqual(types, [lost.id, slow.id])
  })

  it('is looked for until it may have come about late', async () => {
    const store = opening(async (_, write) => {
      setTimeout(write, 400)
      throw new Error('no answer to COMMIT')
    })
    const { gate, client } = createFixture({ store })
    const session = await openSession(gate)
    await assert.rejects(session.post(echoes('late'), { idempotencyKey: 'k' }), { code: 'UNAVAILABLE' })
    await delay(500)
    const run = await session.post(echoes('late'), { idempotencyKey: 'k' })
    assert.equal(run.replayed, true)
    assert.equal(await ended(run), 'completed')
    assert.deepEqual(texts(client.asks), ['late'])
    await gate.close()
  })
})

it('runs from before are executed when the log failed once while the gate began', async () => {
  const memory = createMemoryStore()
  const store = { ...memory, durable: true }
  const before = createFixture({ store, signingKey: KEY, reply: () => new Promise(() => {}) })
  const session = await openSession(before.gate)
  await session.post(echoes('hangs'))
  const waiting = await session.post(echoes('waits'))
  await settle()
  let failures = 1
  const openRuns: Store['openRuns'] = (page) =>
    failures-- > 0 ? Promise.reject(new Error('reset')) : memory.openRuns(page)
  const { gate } = createFixture({ store: { ...store, openRuns }, signingKey: KEY })
  assert.equal(await ended(await gate.run(waiting.id)), 'completed')
  await before.gate.close()
})

it('a run that cannot be carried through ends, and the next of its session begins', async () => {
  const { gate, store } = createFixture()
  const session = await openSession(gate)
  const { append } = store
  let conflicts = 0
  store.append = async (events, options) => {
    if (events.some(({ type }) => type === 'tool.started') && ++conflicts <= 20) throw new Failure('CONFLICT', 'again')
    return append(events, options)
  }
  const [run, next] = [await session.post(echoes('a')), await session.post(echoes('b'))]
  const { status, reason } = await run.done()
  assert.deepEqual([status, reason?.code], ['unknown', 'INTERNAL'])
  assert.equal((await next.done()).status, 'completed')
})

it('params and results nested up to the limit of messages are logged, and end no run', async () => {
  let nested: unknown = ['deep']
  for (let level = 0; level < 24; level++) nested = { nested }
  const { gate } = createFixture({ reply: () => ({ nested }) })
  const session = await openSession(gate)
  const first = { tool: 'demo.echo', params: { text: 'a' } }
  const run = await (await session.post(message(first, { tool: 'demo.echo', params: { nested } }))).done()
  assert.deepEqual([run.status, run.reason?.code], ['denied', 'INVALID_INPUT'])
  assert.deepEqual(
    run.steps.map(({ status }) => status),
    ['allow', 'ok', 'denied'],
  )
})

describe('an engine that is asked who it is', () => {
  const IMAGE = `x@sha256:${'0'.repeat(64)}`
  const intent = message({ tool: 'docker.run', params: { image: IMAGE } })
  const openDocker = async (engineId: () => Promise<string>) => {
    const providerClient = { ...recordingClient(), engineId }
    const gate = createGate({ skills: [dockerRun], store: createMemoryStore(), providerClient })
    const session = await gate.createSession()
    await session.setPolicy({ overrides: [{ tool: 'docker.run', allow: true, constraints: { images: [IMAGE] } }] })
    return { gate, run: await session.post(intent) }
  }

  it('and does not answer holds up neither cancelling nor health', async () => {
    const { gate, run } = await openDocker(() => new Promise(() => {}))
    await settle()
    await run.cancel()
    assert.equal(await ended(run), 'cancelled')
    assert.equal((await gate.health()).engine, 'unavailable')
    await gate.close()
  })

  it('and throws leaves the call to say what is wrong', async () => {
    const { gate, run } = await openDocker(() => {
      throw new Error('no')
    })
    assert.equal((await run.done()).status, 'failed')
    assert.equal((await gate.health()).engine, 'unavailable')
  })
})

it('what another host cancels as soon as this one has begun is cancelled', async () => {
  const memory = createMemoryStore()
  const on = (start: SharedRuns['start']): Store => ({ ...memory, durable: true, shared: sharedRuns(start) })
  const asking = createFixture({ store: on(async () => {}), signingKey: KEY })
  const run = await (await openSession(asking.gate)).post(echoes('long'))
  const performing = createFixture({
    skills: [demo],
    signingKey: KEY,
    reply: () => new Promise(() => {}),
    store: on(async ({ perform }) => {
      const open = await memory.openRun(run.id)
      if (open !== undefined) void perform(open).catch(() => {})
    }),
  })
  await performing.gate.ready()
  while (performing.client.asks.length === 0) await delay(5)
  await run.cancel()
  await run.cancel()
  assert.equal((await asking.gate.audit({ type: 'run.cancel_requested' })).events.length, 1)
  assert.equal(await ended(run), 'cancelled')
  await Promise.all([performing.gate.close(), asking.gate.close()])
})
