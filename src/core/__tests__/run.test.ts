/** Runs: which steps and which end each has, in which order, and how they are stopped. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createMemoryStore } from '../../stores/memory.js'
import type { StoredEvent } from '../event.js'
import type { MessageInput } from '../session.js'
import { createFixture, echoes, held, message, openSession, settle } from './fixture.js'

const brief = (steps: readonly { step_id: string; type: string; status: string }[]): string[] =>
  steps.map(({ step_id, type, status }) => `${step_id} ${type} ${status}`)

const fails = ({ body }: { body: unknown }): unknown => {
  if ((body as { text?: string }).text === 'fail') throw Object.assign(new Error('no such echo'), { status: 404 })
  return { ok: true }
}

describe('the steps and the end of a run', () => {
  const ROWS: [what: string, post: MessageInput, status: string, code: string | undefined, steps: string[]][] = [
    ['no intents', { role: 'user', content: 'hello' }, 'completed', undefined, []],
    ['one that is allowed', echoes('a'), 'completed', undefined, ['s1 policy_eval allow', 's1 tool_exec ok']],
    [
      'two that are allowed',
      echoes('a', 'b'),
      'completed',
      undefined,
      ['s1 policy_eval allow', 's1 tool_exec ok', 's2 policy_eval allow', 's2 tool_exec ok'],
    ],
    ['one that fails', echoes('fail'), 'failed', 'UPSTREAM_ERROR', ['s1 policy_eval allow', 's1 tool_exec error']],
    [
      'a failure in the middle',
      echoes('a', 'fail', 'b', 'c'),
      'failed',
      'UPSTREAM_ERROR',
      [
        ...['s1 policy_eval allow', 's1 tool_exec ok', 's2 policy_eval allow', 's2 tool_exec error'],
        ...['s3 policy_eval skipped', 's4 policy_eval skipped'],
      ],
    ],
    [
      'a denial in the middle',
      message({ tool: 'demo.echo' }, { tool: 'demo.wipe' }, { tool: 'demo.ping' }),
      'denied',
      'DENIED',
      ['s1 policy_eval allow', 's1 tool_exec ok', 's2 policy_eval denied', 's3 policy_eval skipped'],
    ],
    ['a tool that nobody has', message({ tool: 'no.such' }), 'denied', 'UNKNOWN_TOOL', ['s1 policy_eval denied']],
    [
      'params that the tool refuses',
      message({ tool: 'demo.echo', params: { text: 7 } }),
      'denied',
      'INVALID_INPUT',
      ['s1 policy_eval denied'],
    ],
  ]
  for (const [what, post, status, code, steps] of ROWS) {
    it(`${what}: ${status}`, async () => {
      const { gate, client } = createFixture({ reply: fails })
      const session = await openSession(gate)
      const run = await (await session.post(post)).done()
      assert.equal(run.status, status)
      assert.deepEqual(brief(run.steps), steps)
      assert.equal(run.reason?.code, code)
      assert.equal(client.asks.length, steps.filter((step) => step.includes('tool_exec')).length)
      assert.match(String(run.started_at), /^2026-01-01T/)
      assert.ok(String(run.ended_at) > String(run.started_at))
      assert.deepEqual(await (await gate.run(run.id)).read(), run, 'the run reads the same from its log alone')
    })
  }

  it('a decision carries its field, and an execution its result', async () => {
    const { gate } = createFixture()
    const session = await openSession(gate)
    const [, executed] = (await (await session.post(echoes('hi'))).done()).steps
    assert.ok(executed?.type === 'tool_exec')
    assert.equal(executed.details.result?.result, 'sent hi')
    assert.deepEqual(executed.details.result?.metadata.answer, { ok: true })
    const refused = await (await session.post(message({ tool: 'demo.echo', params: { text: 7 } }))).done()
    assert.ok(refused.steps[0]?.type === 'policy_eval' && 'field' in refused.steps[0].details)
    assert.equal(refused.steps[0].details.field, 'text')
    assert.equal(refused.reason?.message, refused.steps[0].details.reason)
  })

  it('a skill that cannot judge denies the call and leaves a run that ended', async () => {
    const { gate, client } = createFixture()
    const session = await gate.createSession()
    await session.setPolicy({ overrides: [{ tool: 'demo.broken', allow: true }] })
    const run = await (await session.post(message({ tool: 'demo.broken' }))).done()
    assert.deepEqual([run.status, run.reason?.code], ['denied', 'INTERNAL'])
    assert.equal(client.asks.length, 0)
  })

  it('params of as many values as a message may hold make a run that ends', async () => {
    const { gate } = createFixture()
    const session = await openSession(gate)
    // One message around them: itself, role, content, intents, intent, tool, params and the list.
    const many = Array(100_000 - 8).fill(0)
    const run = await (await session.post(message({ tool: 'no.such', params: { many } }))).done()
    assert.equal(run.status, 'denied')
  })

  it('text is data: what looks like an intent in it is not one [S6]', async () => {
    const { gate, client } = createFixture()
    const session = await openSession(gate)
    const intents = [{ tool: 'demo.echo', params: { text: 'smuggled' } }]
    for (const content of [
      JSON.stringify({ intents }),
      `\`\`\`json\n${JSON.stringify(intents)}\n\`\`\``,
      'demo.echo()',
    ]) {
      const run = await (await session.post({ role: 'user', content, metadata: { intents: 'demo.echo' } })).done()
      assert.deepEqual([run.status, run.steps], ['completed', []])
    }
    assert.equal(client.asks.length, 0)
  })
})

describe('order', () => {
  it('runs of one session go one after the other, in the order they were accepted', async () => {
    const gates = new Map([...'abc'].map((text) => [text, held()]))
    const { gate, client } = createFixture({ reply: ({ body }) => gates.get((body as { text: string }).text)?.promise })
    const session = await openSession(gate)
    const runs = await Promise.all([...gates.keys()].map((text) => session.post(echoes(text))))
    for (const [index, run] of runs.entries()) {
      await settle()
      assert.equal(client.asks.length, index + 1, 'the next must not begin before this one ends')
      assert.deepEqual(
        (await Promise.all(runs.map((other) => other.read()))).map(({ status }) => status).slice(index),
        ['running', ...Array(2 - index).fill('queued')],
      )
      gates.get([...gates.keys()][index] as string)?.release({})
      assert.equal((await run.done()).status, 'completed')
    }
    assert.deepEqual(
      client.asks.map(({ body }) => body),
      [{ text: 'a' }, { text: 'b' }, { text: 'c' }],
    )
  })

  it('a run with nothing to execute ends in the write that accepts it, when none is before it', async () => {
    const { gate, store, client } = createFixture()
    const session = await openSession(gate)
    const { append, openRuns } = store
    const writes: (string | undefined)[][] = []
    store.append = (events, options) => {
      writes.push([...events.map(({ type }) => type), options?.opens && 'opens'])
      return append(events, options)
    }
    const queued = ['message.appended', 'run.queued']
    const decided = ['policy.decided', 'policy.decided']
    for (const [post, status, middle] of [
      [message({ tool: 'demo.wipe' }, { tool: 'demo.echo' }), 'denied', decided],
      [{ role: 'user', content: 'hello' } as const, 'completed', []],
    ] as const) {
      const run = await session.post(post)
      assert.equal((await run.read()).status, status, 'it has ended when its caller is answered')
      assert.deepEqual(writes.splice(0), [[...queued, 'run.started', ...middle, 'run.finished', undefined]])
    }
    assert.deepEqual(await openRuns({ limit: 10 }), [])
    const run = await session.post(echoes('a'))
    await run.done()
    assert.deepEqual(writes[0], [...queued, 'opens'])
    assert.equal(client.asks.length, 1)
    assert.equal((await gate.validate()).valid, true)
  })

  it('a run with nothing to execute waits for those before it, on their way or executed', async () => {
    const hold = held()
    const { gate } = createFixture({ reply: () => hold.promise })
    const session = await openSession(gate)
    const wipe = message({ tool: 'demo.wipe' })
    const runs = await Promise.all([session.post(wipe), session.post(echoes('a')), session.post(wipe)])
    runs.push(await session.post(wipe), await session.post({ role: 'user', content: 'hello' }))
    await settle()
    const statuses = async () => (await Promise.all(runs.map((run) => run.read()))).map(({ status }) => status)
    assert.deepEqual(await statuses(), ['denied', 'running', 'queued', 'queued', 'queued'])
    // Judged in its turn: by the policy that is in force then.
    await session.setPolicy({ overrides: [{ tool: 'demo.*', allow: true }] })
    hold.release({})
    await Promise.all(runs.map((run) => run.done()))
    assert.deepEqual(await statuses(), ['denied', 'completed', 'completed', 'completed', 'completed'])
    const ends = (await gate.audit({ type: 'run.finished' })).events.map(({ run_id }) => run_id)
    assert.deepEqual(
      ends,
      runs.map(({ id }) => id),
    )
  })

  it('sessions do not wait for each other', async () => {
    const hold = held()
    const { gate } = createFixture({
      reply: ({ body }) => ((body as { text: string }).text === 'slow' ? hold.promise : {}),
    })
    const [one, two] = [await openSession(gate), await openSession(gate)]
    const slow = await one.post(echoes('slow'))
    assert.equal((await (await two.post(echoes('quick'))).done()).status, 'completed')
    assert.equal((await slow.read()).status, 'running')
    hold.release({})
    assert.equal((await slow.done()).status, 'completed')
  })

  it('the policy in force when an intent is evaluated judges it, and its version is in the decision', async () => {
    const hold = held()
    const { gate, client } = createFixture({ reply: () => hold.promise })
    const session = await openSession(gate)
    const run = await session.post(echoes('a', 'b'))
    await settle()
    await session.setPolicy({ overrides: [{ tool: 'demo.echo', allow: false }] })
    hold.release({})
    const { status, steps } = await run.done()
    assert.equal(status, 'denied')
    assert.deepEqual(
      steps.flatMap((step) =>
        step.type === 'policy_eval' && step.status !== 'skipped' ? [step.details.policy_version] : [],
      ),
      [1, 2],
    )
    assert.equal(client.asks.length, 1)
  })

  it('a refused policy document leaves the one before in force [S3]', async () => {
    const { gate, client } = createFixture()
    const session = await openSession(gate)
    const before = await session.policy()
    const documents = [undefined, null, [], { overrides: 'all' }, { overrides: [{ tool: '*', allow: true }] }]
    const secret = { tool: 'demo.echo', allow: true, constraints: { texts: ['token=abcdef0123456789'] } }
    for (const document of [...documents, { overrides: [secret] }, JSON.parse('{"__proto__": {}}')]) {
      await assert.rejects(session.setPolicy(document), { code: 'INVALID_INPUT' })
      assert.deepEqual(await session.policy(), before)
    }
    assert.equal((await (await session.post(echoes('still allowed'))).done()).status, 'completed')
    assert.equal(client.asks.length, 1)
  })
})

describe('stopping', () => {
  it('a running run is cancelled: its client is told, what follows is skipped', async () => {
    const { gate, client } = createFixture({ reply: () => new Promise(() => {}) })
    const session = await openSession(gate)
    const run = await session.post(echoes('a', 'b'))
    await settle()
    await run.cancel()
    const { status, reason, steps } = await run.done()
    assert.deepEqual([status, reason?.code], ['cancelled', 'ABORTED'])
    assert.deepEqual(brief(steps), ['s1 policy_eval allow', 's1 tool_exec error', 's2 policy_eval skipped'])
    assert.equal(client.asks.length, 1)
    assert.equal(client.asks[0]?.signal?.aborted, true)
  })

  it('a queued run is cancelled at once and never begins', async () => {
    const hold = held()
    const { gate, client } = createFixture({ reply: () => hold.promise })
    const session = await openSession(gate)
    const [first, second] = [await session.post(echoes('a')), await session.post(echoes('b'))]
    const cancelled = await second.cancel()
    assert.deepEqual([cancelled.status, cancelled.started_at, cancelled.steps], ['cancelled', null, []])
    hold.release({})
    assert.equal((await first.done()).status, 'completed')
    assert.equal((await second.done()).status, 'cancelled')
    assert.equal(client.asks.length, 1)
  })

  it('whoever waits for a queued run hears of its cancelling, however slowly that is logged', async () => {
    const inner = createMemoryStore()
    const ends = new Map(['run_1', 'run_2'].map((run) => [run, held()]))
    const store = {
      ...inner,
      async append(events: readonly StoredEvent[]) {
        const end = events.find(({ type }) => type === 'run.finished')?.run_id
        await ends.get(end ?? '')?.promise
        await inner.append(events)
      },
    }
    const { gate } = createFixture({ store })
    const session = await openSession(gate)
    const [first, second] = [await session.post(echoes('a')), await session.post(echoes('b'))]
    const waiting = Promise.allSettled([first.done(), second.done()])
    await settle()
    // The end of the first run is being written; the cancelling of the second comes behind it.
    const cancelling = second.cancel()
    ends.get('run_1')?.release({})
    await settle()
    ends.get('run_2')?.release({})
    const ended = await waiting
    assert.deepEqual(
      ended.map((one) => (one.status === 'fulfilled' ? one.value.status : one.reason.code)),
      ['completed', 'cancelled'],
    )
    assert.equal((await cancelling).status, 'cancelled')
  })

  it('a run that has ended cannot be cancelled', async () => {
    const { gate } = createFixture()
    const session = await openSession(gate)
    const run = await session.post(echoes('a'))
    await run.done()
    await assert.rejects(run.cancel(), { code: 'CONFLICT' })
    assert.equal((await run.read()).status, 'completed')
  })

  it('closing cancels what runs and what waits, waits for their ends, and accepts nothing more', async () => {
    const { gate, client } = createFixture({ reply: () => new Promise(() => {}) })
    const session = await openSession(gate)
    const runs = [await session.post(echoes('a')), await session.post(echoes('b'))]
    await settle()
    await gate.close()
    for (const run of runs) assert.equal((await run.read()).status, 'cancelled')
    for (const late of [() => session.post(echoes('c')), () => gate.createSession(), () => session.setPolicy({})]) {
      await assert.rejects(late(), { code: 'UNAVAILABLE', retriable: false })
    }
    assert.equal(client.asks.length, 1)
  })

  it('a message on its way into the log when the gate closes is not executed afterwards', async () => {
    const { gate, client } = createFixture()
    const session = await openSession(gate)
    const posting = session.post(echoes('late'))
    await gate.close()
    const asked = client.asks.length
    const run = await posting
    await settle()
    assert.equal(client.asks.length, asked, 'something was executed after close had resolved')
    assert.ok(['cancelled', 'completed'].includes((await run.read()).status))
  })
})
