/** What a process that ended left behind, and how the next one goes on from it. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { z } from 'zod'
import { createMemoryStore } from '../../stores/memory.js'
import { createDeferred } from '../deferred.js'
import { Failure } from '../failure.js'
import type { RunDocument } from '../run.js'
import { action, defineSkill } from '../skill.js'
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

const KEY = 'k'.repeat(32)

/** What the next process finds: the events and runs of this one, which goes on without being able to write. */
function outlived(memory: Store): { store: Store; die(): void } {
  let isDead = false
  const alive = async (): Promise<void> => {
    if (isDead) await new Promise(() => {})
  }
  return {
    store: {
      ...memory,
      durable: true,
      async append(events, options) {
        await alive()
        await memory.append(events, options)
      },
    },
    die() {
      isDead = true
    },
  }
}

const job = defineSkill({
  name: 'job',
  version: '1.0.0',
  description: 'Jobs that leave something to be found.',
  layer: 'L1',
  system: 'Jobs',
  actions: {
    start: action({
      description: 'Start a job.',
      risk: 'write',
      input: z.strictObject({ text: z.string().default('') }),
      async run({ text }, { request }) {
        return { text: `ended ${text}`, data: { answer: await request('POST', '/jobs', { text }) } }
      },
      async recover({ text }, { request }) {
        const found = (await request('POST', '/jobs/collect', { text })) as { job: string | null }
        return found.job === null ? 'not_started' : { text: `collected ${found.job}`, data: {} }
      },
    }),
  },
})

const POLICY = { overrides: ['demo.echo', 'demo.ping', 'job.start'].map((tool) => ({ tool, allow: true })) }

/** A run that stands where its process died, during its second intent, and the gate that comes after. */
async function afterDeath(...left: Parameters<typeof leftBehind>) {
  const { end, run, waiting, ...next } = await leftBehind(...left)
  return { ...next, run: await end(run.id), waiting: await end(waiting.id) }
}

async function leftBehind(
  second: { tool: string; params?: Record<string, unknown> },
  reply: (path: string) => unknown,
  options: { signingKey?: string; recoveryMs?: number } = { signingKey: KEY },
) {
  const memory = createMemoryStore()
  const before = outlived(memory)
  const skills = [demo, job]
  let started = 0
  const first = createFixture({
    ...options,
    skills,
    store: before.store,
    reply: () => (++started === 1 ? {} : held().promise),
  })
  const session = await first.gate.createSession()
  await session.setPolicy(POLICY)
  const intents = [
    { tool: 'demo.echo', params: { text: 'one' } },
    second,
    { tool: 'demo.echo', params: { text: 'three' } },
  ]
  const run = await session.post(message(...intents))
  const waiting = await session.post(echoes('later'))
  while (started < 2) await settle()
  before.die()
  const asked: string[] = []
  const next = createFixture({
    ...options,
    skills,
    store: { ...memory, durable: true },
    reply: ({ path }) => {
      asked.push(path)
      return reply(path)
    },
    newId: (kind) => `${kind}_after_${Math.random().toString(36).slice(2)}`,
  })
  const end = async (id: string): Promise<RunDocument> => {
    const found = await next.gate.run(id)
    await next.gate.ready()
    return found.done()
  }
  return { ...next, memory, end, run, waiting, asked, session: session.id }
}

const typesOf = async ({ gate, run }: Awaited<ReturnType<typeof afterDeath>>) =>
  (await gate.audit({ run_id: run.id })).events.map(({ type }) => type)

describe('a run that was under way when its process ended', () => {
  it('is settled with what the engine still has, and goes on', async () => {
    const found = await afterDeath({ tool: 'job.start' }, (path) => (path === '/jobs/collect' ? { job: 'it' } : {}))
    assert.equal(found.run.status, 'completed')
    assert.deepEqual(found.asked, ['/jobs/collect', '/echo', '/echo'])
    const step = found.run.steps.find(({ type, step_id }) => type === 'tool_exec' && step_id === 's2')
    assert.match(JSON.stringify(step), /collected it/)
    assert.ok((await typesOf(found)).includes('log.repaired'))
    assert.equal(found.waiting.status, 'completed')
    assert.deepEqual((await found.gate.validate()).valid, true)
  })

  it('failed without effect when the engine knows that it was not begun', async () => {
    const { run, asked, waiting } = await afterDeath({ tool: 'job.start' }, (path) =>
      path === '/jobs/collect' ? { job: null } : {},
    )
    assert.deepEqual([run.status, run.reason?.code], ['failed', 'INTERRUPTED'])
    assert.match(run.reason?.message ?? '', /no effect/)
    assert.deepEqual(asked, ['/jobs/collect', '/echo'])
    assert.equal(waiting.status, 'completed')
  })

  it('is unknown when the engine cannot be asked, and nothing is done again', async () => {
    const { run, asked } = await afterDeath(
      { tool: 'job.start' },
      (path) => {
        if (path === '/jobs/collect') throw new Failure('UPSTREAM_ERROR', 'gone')
        return {}
      },
      { signingKey: KEY, recoveryMs: 0 },
    )
    assert.deepEqual([run.status, run.reason?.code], ['unknown', 'INTERRUPTED'])
    assert.deepEqual(asked, ['/jobs/collect', '/echo'])
  })

  it('is asked for again when the first look took longer than an engine is waited for', async () => {
    let looks = 0
    const { run } = await afterDeath(
      { tool: 'job.start' },
      (path) => {
        if (path !== '/jobs/collect') return {}
        if (++looks === 1) throw new Failure('TIMEOUT', 'The engine did not answer.')
        return { job: 'it' }
      },
      // The clock moves a second at every look at it.
      { signingKey: KEY, recoveryMs: 500 },
    )
    assert.deepEqual([run.status, looks], ['completed', 2])
  })

  it('is handed on at once by a host that has another engine, which is asked nothing', async () => {
    const memory = createMemoryStore()
    const before = outlived(memory)
    const began = createDeferred()
    const on = (engine: string, reply?: () => unknown) =>
      Object.assign(recordingClient(reply), { engineId: async () => engine })
    const here = on('here', () => {
      began.resolve()
      return held().promise
    })
    const first = createFixture({ skills: [demo, job], store: before.store, signingKey: KEY, providerClient: here })
    const session = await first.gate.createSession()
    await session.setPolicy(POLICY)
    const run = await session.post(message({ tool: 'job.start' }))
    await began.promise
    before.die()

    const there = on('there')
    let perform: Parameters<SharedRuns['start']>[0]['perform'] | undefined
    const shared = sharedRuns(async (options) => {
      perform = options.perform
    })
    const store = { ...memory, durable: true, shared }
    const { gate } = createFixture({ skills: [demo, job], store, signingKey: KEY, providerClient: there })
    await gate.ready()
    const open = await memory.openRun(run.id)
    assert.ok(perform !== undefined && open !== undefined)
    await assert.rejects(perform(open), { code: 'UNAVAILABLE' })
    assert.deepEqual(there.asks, [])
    assert.equal((await (await gate.run(run.id)).read()).status, 'running')
  })

  it('stays open when the next process ends as well before the engine could be asked', async () => {
    const { gate, memory, run, asked } = await leftBehind({ tool: 'job.start' }, () => {
      throw new Failure('UPSTREAM_ERROR', 'not yet')
    })
    while (asked.length === 0) await settle()
    await gate.close()
    const found = await (await createFixture({ store: memory }).gate.run(run.id)).read()
    assert.equal(found.status, 'running')
    assert.equal((await memory.openRuns({ limit: 9 })).length, 2)
  })

  it('is unknown for a change that leaves nothing to be found', async () => {
    const { run, asked } = await afterDeath({ tool: 'demo.echo' }, () => ({}))
    assert.deepEqual([run.status, run.reason?.code], ['unknown', 'INTERRUPTED'])
    assert.deepEqual(asked, ['/echo'])
  })

  it('failed when it only read', async () => {
    const { run } = await afterDeath({ tool: 'demo.ping' }, () => ({}))
    assert.deepEqual([run.status, run.reason?.code], ['failed', 'INTERRUPTED'])
    assert.match(run.reason?.message ?? '', /only reads/)
    assert.deepEqual(
      run.steps.filter(({ step_id }) => step_id === 's3').map(({ status }) => status),
      ['skipped'],
    )
  })

  it('cannot be gone on with under another key, and says so', async () => {
    const { waiting } = await afterDeath({ tool: 'demo.ping' }, () => ({}), {})
    assert.deepEqual([waiting.status, waiting.reason?.code], ['failed', 'INTERRUPTED'])
    assert.match(waiting.reason?.message ?? '', /signing key/)
  })
})

describe('a log that cannot be written for a while', () => {
  it('keeps what came of a tool until it can, and tells nobody that it is recorded before', async () => {
    const memory = createMemoryStore()
    let isDown = false
    const store: Store = {
      ...memory,
      async append(events, options) {
        if (isDown) throw new Error('disk full')
        await memory.append(events, options)
      },
    }
    const fixture = createFixture({
      store,
      reply: () => {
        isDown = true
        return {}
      },
    })
    const session = await openSession(fixture.gate)
    const run = await session.post(echoes('a'))
    await assert.rejects(run.done(), { code: 'UNAVAILABLE' })
    assert.equal((await run.read()).status, 'running')
    isDown = false
    while ((await run.read()).status === 'running') await new Promise((resolve) => setTimeout(resolve, 10))
    assert.equal((await run.read()).status, 'completed')
    assert.equal(fixture.client.asks.length, 1)
  })
})

it('what a store mended when it was opened stands in the log of the session, or of the registry', async () => {
  const memory = createMemoryStore()
  const { id } = await createFixture({ store: memory }).gate.createSession()
  const repairs = [
    { session_id: id, what: 'Its last event had no place.' },
    { session_id: null, what: 'The end of the log was told wrong.' },
  ]
  const { gate } = createFixture({ store: { ...memory, repairs: () => repairs } })
  await gate.ready()
  const { events } = await gate.audit({ type: 'log.repaired' })
  assert.deepEqual(
    events.map(({ session_id, data }) => [session_id, data.reason]),
    [
      [id, 'Its last event had no place.'],
      ['registry', 'The end of the log was told wrong.'],
    ],
  )
  assert.equal((await gate.validate()).valid, true)
})
