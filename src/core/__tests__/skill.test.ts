/** What defineSkill owns for every skill: caps, codes, deadlines, the host's abort, and what a context may be. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { z } from 'zod'
import { createRedactor } from '../../redaction/index.js'
import { race } from '../deadline.js'
import { Failure } from '../failure.js'
import type { ProviderClient, RequestOptions } from '../provider.js'
import { type ActionDefinition, action, defineSkill, requestWithTimeout, type SkillContext } from '../skill.js'
import type { Stop } from '../stop.js'
import { held, recordingClient, settle } from './fixture.js'

type Definition = ActionDefinition<Record<string, never>, undefined>

/** A skill of one action that does what the test says. */
function skillOf(run: Definition['run'], more: Partial<Definition> = {}, codes: Failure['code'][] = []) {
  const definition = { description: 'Do it.', risk: 'read' as const, input: z.strictObject({}), run, ...more }
  const of = { name: 'one', version: '1.0.0', description: 'One.', layer: 'L1', system: 'One', codes }
  return defineSkill({ ...of, actions: { go: action(definition as never) } })
}

const execute = async (run: Definition['run'], context: SkillContext = {}, more: Partial<Definition> = {}) =>
  skillOf(run, more).execute({}, { providerClient: recordingClient(), ...context })

describe('caps', () => {
  it('a text over a megabyte keeps its head and its tail, and says so beside it', async () => {
    const text = `head ${'é'.repeat(1024 ** 2)} tail`
    const { result, metadata } = await execute(async () => ({ text, data: {} }))
    assert.ok(Buffer.byteLength(result) < 1024 ** 2 + 200)
    assert.ok(result.startsWith('head é') && result.endsWith('é tail') && !result.includes('\ufffd'))
    const truncated = metadata.truncated as { bytes_total: number; bytes_kept: number }
    assert.equal(truncated.bytes_total, Buffer.byteLength(text))
    assert.ok(truncated.bytes_kept <= 1024 ** 2)
    assert.ok(result.includes(`[… ${truncated.bytes_total - truncated.bytes_kept} bytes left out …]`))
  })

  it('a text of exactly a megabyte stays whole', async () => {
    const { result, metadata } = await execute(async () => ({ text: 'x'.repeat(1024 ** 2), data: {} }))
    assert.deepEqual([result.length, metadata.truncated], [1024 ** 2, undefined])
  })

  it('a secret that lies where a text is cut is gone before the cut', async () => {
    const secret = `ghp_${'a1B2'.repeat(9)}`
    const text = `${'x'.repeat(512 * 1024 - 11)} ${secret} ${'y '.repeat(600_000)}`
    const { result } = await execute(async () => ({ text, data: {} }))
    assert.ok(!result.includes('ghp_') && result.includes('[REDACTED]'))
  })

  const TOO_MUCH: [string, unknown][] = [
    ['more than 50 000 values', Array(50_001).fill(0)],
    ['more than 8 MiB', Array(9).fill('x'.repeat(1024 ** 2))],
    ['long keys', Object.fromEntries(Array.from({ length: 90 }, (_, index) => [`${index}${'k'.repeat(100_000)}`, 0]))],
  ]
  for (const [what, answer] of TOO_MUCH) {
    it(`data of ${what} is UPSTREAM_ERROR`, async () => {
      const { metadata } = await execute(async () => ({ text: '', data: { answer } }))
      assert.ok(metadata.success === false)
      assert.deepEqual([metadata.error.code, metadata.error.retriable], ['UPSTREAM_ERROR', false])
    })
  }

  it('data that cannot be read is UPSTREAM_ERROR, not a result without it', async () => {
    const answer = Object.defineProperty({}, 'x', { enumerable: true, get: () => assert.fail('read') })
    const { metadata } = await execute(async () => ({ text: '', data: { answer } }))
    assert.equal(metadata.success === false && metadata.error.code, 'UPSTREAM_ERROR')
  })

  it("data cannot pretend to be the result's own fields", async () => {
    const forged = { success: false, action: 'x', layer: 'x', timestamp: 'x', error: 'x' }
    const { metadata } = await execute(async () => ({ text: '', data: forged }))
    assert.deepEqual([metadata.success, metadata.action, metadata.layer], [true, 'go', 'L1'])
    assert.match(metadata.timestamp, /Z$/)
  })
})

describe('codes', () => {
  const FAILURES: [error: unknown, code: string, fields: Record<string, unknown>][] = [
    [new Failure('DENIED', 'no'), 'DENIED', { retriable: false }],
    [new Failure('TIMEOUT', 'no'), 'TIMEOUT', { retriable: true }],
    [new Failure('OUTPUT_LIMIT', 'no'), 'OUTPUT_LIMIT', { retriable: false }],
    [new Failure('ABORTED', 'no', { details: { aborted: true } }), 'TIMEOUT', { details: { aborted: true } }],
    [new Failure('NOT_FOUND', 'no'), 'UPSTREAM_ERROR', { retriable: false, details: { status: 404 } }],
    [new Failure('UNAVAILABLE', 'no'), 'UPSTREAM_ERROR', { retriable: true, details: { status: 503 } }],
    [new TypeError('secret inside'), 'UPSTREAM_ERROR', { retriable: false }],
    ['thrown text', 'UPSTREAM_ERROR', { retriable: false }],
  ]
  for (const [error, code, fields] of FAILURES) {
    it(`${String(error)} leaves as ${code}`, async () => {
      const seen: unknown[] = []
      const logger = { warn: () => {}, error: (_: string, more?: Record<string, unknown>) => seen.push(more?.cause) }
      const skill = skillOf(() => Promise.reject(error), {}, ['OUTPUT_LIMIT'])
      const { result, metadata } = await skill.execute({}, { providerClient: recordingClient(), logger })
      assert.ok(metadata.success === false)
      assert.equal(metadata.error.code, code)
      for (const [name, value] of Object.entries(fields)) assert.deepEqual(metadata.error[name as 'code'], value)
      assert.ok(!result.includes('secret inside') && !result.includes('thrown text'), 'the unknown is not shown')
      if (!(error instanceof Failure)) assert.deepEqual(seen, [error], 'its cause is for the logger')
    })
  }

  it('what was obtained before a failure goes along, redacted', async () => {
    const partial = { text: 'so far: token=abc', data: { run: { stdout: 'password=abc' }, success: true } }
    const { result, metadata } = await execute(() => Promise.reject(new Failure('DENIED', 'no', { partial })))
    assert.equal(result, 'Error: no\n\nso far: token=[REDACTED]')
    assert.deepEqual([metadata.success, metadata.run], [false, { stdout: 'password=[REDACTED]' }])
  })

  const never = () => new Promise<never>(() => {})
  const asking: Definition['run'] = (_input, { request }) => request('POST', '/x') as Promise<never>
  const ended = () => Promise.reject(new Failure('TIMEOUT', 'killed', { partial: { text: 'so far' } }))
  const CUT_OFF: [what: string, run: Definition['run'], risk: Definition['risk'], expected: true | undefined][] = [
    ['a read', asking, 'read', undefined],
    ['a write', asking, 'write', true],
    ['a destroy', asking, 'destroy', true],
    ['a write that had asked for nothing yet', never, 'write', undefined],
    ['a program whose end is known', ended, 'write', undefined],
  ]
  for (const [what, run, risk, expected] of CUT_OFF) {
    it(`${what} that was cut off ${expected ? 'may still complete, and says so' : 'does not say that it may complete'}`, async () => {
      const context = { config: { timeoutMs: 5 }, providerClient: recordingClient(never) }
      const { metadata } = await execute(run, context, { risk })
      assert.ok(metadata.success === false)
      assert.deepEqual([metadata.error.code, metadata.error.details?.in_progress], ['TIMEOUT', expected])
    })
  }
})

describe('deadlines and aborts', () => {
  it("a client that rejects after the deadline is nobody's unhandled rejection", async () => {
    const late = held<never>()
    const unhandled: unknown[] = []
    const listen = (reason: unknown) => unhandled.push(reason)
    process.on('unhandledRejection', listen)
    const request = () => late.promise.then(() => Promise.reject(new Error('too late')))
    await assert.rejects(requestWithTimeout({ request }, 'GET', '/', undefined, 5), { code: 'TIMEOUT' })
    late.release(undefined as never)
    await settle()
    process.off('unhandledRejection', listen)
    assert.deepEqual(unhandled, [])
  })

  it('the abort gives work its grace to end cleanly, and no longer', async () => {
    const controller = new AbortController()
    const work = ({ signal }: Stop) =>
      new Promise<string>((resolve) => signal.addEventListener('abort', () => setImmediate(resolve, 'ended cleanly')))
    const clean = race(work, { timeoutMs: 10_000, abortGraceMs: 5_000, signal: controller.signal })
    const never = race(() => new Promise(() => {}), { timeoutMs: 10_000, abortGraceMs: 5, signal: controller.signal })
    const abrupt = race(work, { timeoutMs: 10_000, signal: controller.signal })
    controller.abort()
    const [ended, ...aborted] = await Promise.allSettled([clean, never, abrupt])
    assert.deepEqual(ended, { status: 'fulfilled', value: 'ended cleanly' })
    for (const one of aborted) assert.equal(one.status === 'rejected' && one.reason.code, 'ABORTED')
  })

  it('work is not begun when the host has aborted already, grace or not', async () => {
    for (const abortGraceMs of [0, 5_000]) {
      let begun = false
      const work = async () => {
        begun = true
      }
      await assert.rejects(race(work, { timeoutMs: 1_000, abortGraceMs, signal: AbortSignal.abort() }), {
        code: 'ABORTED',
      })
      assert.equal(begun, false)
    }
  })

  it('leaves no timer and no listener behind', async () => {
    const controller = new AbortController()
    let listeners = 0
    const { signal } = controller
    const add = signal.addEventListener.bind(signal)
    const remove = signal.removeEventListener.bind(signal)
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners += 1
      add(...args)
    }
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners -= 1
      remove(...args)
    }
    const timersBefore = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
    await race(async () => 'done', { timeoutMs: 60_000, signal })
    await assert.rejects(race(() => Promise.reject(new Error('x')), { timeoutMs: 60_000, signal }))
    assert.equal(listeners, 0)
    assert.equal(process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length, timersBefore)
  })

  it('an action with a timing of its own has that deadline', async () => {
    const timing = () => ({ deadlineMs: 20 })
    const started = performance.now()
    const { metadata } = await execute(() => new Promise(() => {}), { config: { timeoutMs: 20_000 } }, { timing })
    assert.equal(metadata.success === false && metadata.error.details?.timeout_ms, 20)
    assert.ok(performance.now() - started < 5_000)
  })
})

describe('the context', () => {
  it("a registered secret of the context's redactor does not leave", async () => {
    const redactor = createRedactor({ registered: ['correct horse battery'] })
    const { result } = await execute(async () => ({ text: 'correct horse battery', data: {} }), { redactor })
    assert.equal(result, '[REDACTED:registered]')
  })

  it('how far a pull is and what the program prints reach the host as they come', async () => {
    const seen: string[] = []
    const providerClient = {
      request: async (_method: string, _path: string, _body: unknown, options?: RequestOptions) => {
        options?.onProgress?.({ stage: 'pull', image: 'x', status: 'Pulling' })
        options?.onOutput?.('stdout', 'line')
      },
    }
    const onOutput = (stream: string, text: string) => seen.push(`${stream} ${text}`)
    await execute(async (_input, { request }) => ({ text: '', data: { answer: await request('GET', '/') } }), {
      providerClient,
      onOutput,
      onProgress: ({ stage, status }) => seen.push(`${stage} ${status}`),
    })
    assert.deepEqual(seen, ['pull Pulling', 'stdout line'])
  })
})

describe('recovery', () => {
  const unused: Definition['run'] = async () => assert.fail('nothing is executed')
  const recover = async (tell: NonNullable<Definition['recover']>, context: SkillContext = {}) => {
    const { tools } = skillOf(unused, { recover: tell }, ['EXIT_NONZERO'])
    return tools.get('one.go')?.recover?.({}, { providerClient: recordingClient(), runId: 'run_1/s1', ...context })
  }

  it('an action that knows no way to tell has none', () => {
    assert.equal(skillOf(unused).tools.get('one.go')?.recover, undefined)
  })

  it('tells what became of the call it is named, as a result like any other', async () => {
    const redactor = createRedactor({ registered: ['hunter2-hunter2'] })
    const told = await recover(async (_input, { runId }) => ({ text: `${runId} hunter2-hunter2`, data: { n: 1 } }), {
      redactor,
    })
    assert.ok(typeof told === 'object' && told.metadata.success)
    assert.ok(told.result.startsWith('run_1/s1 ') && !told.result.includes('hunter2'), told.result)
    assert.equal(told.metadata.n, 1)
  })

  it('tells that nothing was started, and nothing else says so', async () => {
    assert.equal(await recover(async () => 'not_started'), 'not_started')
  })

  it('a failure that is answered is the result, and one that is thrown tells nothing', async () => {
    const failure = new Failure('EXIT_NONZERO', 'It exited with 3.', { partial: { data: { run: 3 } } })
    const told = await recover(async () => failure)
    assert.ok(typeof told === 'object' && !told.metadata.success)
    assert.deepEqual([told.metadata.error.code, told.metadata.run], ['EXIT_NONZERO', 3])
    await assert.rejects(
      recover(() => Promise.reject(failure)),
      { code: 'EXIT_NONZERO' },
    )
  })

  for (const [name, tell, context, code] of [
    ['without a client', async () => 'not_started', { providerClient: undefined }, 'PROVIDER_NOT_CONFIGURED'],
    ['after an abort', async () => 'not_started', { signal: AbortSignal.abort() }, 'TIMEOUT'],
    ['that fails unexpectedly', () => Promise.reject(new TypeError('x')), {}, 'UPSTREAM_ERROR'],
  ] as [string, NonNullable<Definition['recover']>, SkillContext, string][]) {
    it(`a look ${name} tells nothing`, async () => {
      await assert.rejects(recover(tell, context), { name: 'Failure', code })
    })
  }

  it('what the host says of its log reaches the client with the request', async () => {
    const recorded = Promise.resolve()
    let told: RequestOptions | undefined
    const providerClient: ProviderClient = {
      async request(_method, _path, _body, options) {
        told = options
      },
    }
    await skillOf(async (_input, { request }) => {
      await request('GET', '/x')
      return { text: '', data: {} }
    }).execute({}, { providerClient, recorded })
    assert.equal(told?.recorded, recorded)
  })
})
