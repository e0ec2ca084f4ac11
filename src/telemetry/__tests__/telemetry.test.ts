/** What OpenTelemetry's own SDK is handed of runs and tool calls. */
import assert from 'node:assert/strict'
import { after, afterEach, beforeEach, describe, it } from 'node:test'
import { trace } from '@opentelemetry/api'
import { metrics, NodeSDK, tracing } from '@opentelemetry/sdk-node'
import { createFixture, echoes, held, message, openSession } from '../../core/__tests__/fixture.js'
import { createTelemetry, type TelemetryOptions } from '../index.js'

const SECRET = 'hunter2-of-the-host'
const exporter = new tracing.InMemorySpanExporter()
const reader = new metrics.PeriodicExportingMetricReader({
  exporter: new metrics.InMemoryMetricExporter(metrics.AggregationTemporality.DELTA),
})
const sdk = new NodeSDK({
  spanProcessors: [new tracing.SimpleSpanProcessor(exporter)],
  metricReaders: [reader],
  logRecordProcessors: [],
  autoDetectResources: false,
})
sdk.start()
after(() => sdk.shutdown())

function observed(
  { content }: TelemetryOptions = {},
  { reply, store }: Pick<Parameters<typeof createFixture>[0] & object, 'reply' | 'store'> = {},
) {
  const telemetry = createTelemetry(content === undefined ? {} : { content })
  return createFixture({ telemetry, secrets: [SECRET], ...(reply && { reply }), ...(store && { store }) })
}

const spans = () => exporter.getFinishedSpans()
const spanNamed = (name: string) => {
  const span = spans().find((each) => each.name === name)
  assert.ok(span !== undefined, `${name} among ${spans().map((each) => each.name)}`)
  return span
}

/** What was measured since the last look: per instrument, its attributes and value (a count for histograms). */
async function measured(): Promise<Record<string, [attributes: object, value: number][]>> {
  const { resourceMetrics } = await reader.collect()
  const found = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics)
  return Object.fromEntries(
    found.map(({ descriptor, dataPoints }) => [
      descriptor.name,
      dataPoints.map(({ attributes, value }): [object, number] => [
        attributes,
        typeof value === 'number' ? value : (value as { count: number }).count,
      ]),
    ]),
  )
}

beforeEach(async () => void (await measured()))
afterEach(() => exporter.reset())

describe('spans', () => {
  it('are one for a run and one in it for each tool execution, with the GenAI attributes and no content', async () => {
    const { gate } = observed()
    await (await (await openSession(gate)).post(echoes(SECRET))).done()
    const run = spanNamed('skillgate.run')
    const tool = spanNamed('execute_tool demo.echo')
    assert.equal(spans().length, 2)
    assert.deepEqual(run.attributes, {
      'skillgate.run.id': 'run_1',
      'gen_ai.conversation.id': 'ses_1',
      'skillgate.run.status': 'completed',
    })
    assert.deepEqual(tool.attributes, {
      'gen_ai.operation.name': 'execute_tool',
      'gen_ai.tool.name': 'demo.echo',
      'gen_ai.tool.type': 'function',
      'gen_ai.tool.description': 'Send a text.',
      'gen_ai.tool.call.id': 'run_1/s1',
      'skillgate.tool.risk': 'write',
    })
    assert.equal(tool.parentSpanContext?.spanId, run.spanContext().spanId)
    assert.deepEqual([run.status, tool.status], [{ code: 0 }, { code: 0 }])
  })

  it('are children of the span in which the message was posted, and parents of what the client does', async () => {
    let inClient: string | undefined
    const { gate } = observed(
      {},
      {
        reply() {
          inClient = trace.getActiveSpan()?.spanContext().spanId
        },
      },
    )
    const session = await openSession(gate)
    const posted = await trace.getTracer('host').startActiveSpan('host', async (span) => {
      const run = await session.post(echoes('a'))
      span.end()
      return run
    })
    await posted.done()
    assert.equal(spanNamed('skillgate.run').parentSpanContext?.spanId, spanNamed('host').spanContext().spanId)
    assert.equal(inClient, spanNamed('execute_tool demo.echo').spanContext().spanId)
  })

  it('carry arguments and results when asked for, redacted and cut [S11]', async () => {
    const { gate } = observed({ content: true })
    await (await (await openSession(gate)).post(echoes(`${SECRET} in a text`, 'x'.repeat(100_000)))).done()
    const [first, second] = spans().map(({ attributes }) => attributes)
    assert.match(String(first?.['gen_ai.tool.call.arguments']), /^\{"text":".*REDACTED.* in a text"\}$/)
    assert.match(String(first?.['gen_ai.tool.call.result']), /^sent .*REDACTED.* in a text$/)
    assert.equal(String(second?.['gen_ai.tool.call.result']).length, 16 * 1024 + 1)
    assert.doesNotMatch(JSON.stringify(spans().map(({ attributes }) => attributes)), new RegExp(SECRET))
  })

  const fails = () => {
    throw new Error(`no luck with ${SECRET}`)
  }
  const FAILED: [what: string, tool: string, params: object, code: string, executed: boolean][] = [
    ['a denied call', 'demo.wipe', {}, 'DENIED', false],
    ['a call that its tool refuses', 'demo.echo', { txt: 1 }, 'INVALID_INPUT', false],
    ['an unknown tool', 'demo.nothing', {}, 'UNKNOWN_TOOL', false],
    ['a failed execution', 'demo.ping', {}, 'UPSTREAM_ERROR', true],
  ]
  for (const [what, tool, params, code, executed] of FAILED) {
    it(`of ${what} say error.type ${code}, and why only when content was asked for`, async () => {
      for (const content of [false, true]) {
        const { gate } = observed({ content }, { reply: fails })
        await (await (await openSession(gate)).post(message({ tool, params: { ...params } }))).done()
        assert.equal(spans().length, executed ? 2 : 1)
        for (const { attributes, status } of spans()) {
          assert.equal(attributes['error.type'], code)
          assert.equal(status.code, 2)
          assert.equal(status.message !== undefined, content)
          assert.doesNotMatch(String(status.message), new RegExp(SECRET))
        }
        exporter.reset()
      }
    })
  }

  it('of a denial whose reason quotes a secret do not show it [S11]', async () => {
    const { gate } = observed({ content: true })
    const session = await openSession(gate)
    await session.setPolicy({ overrides: [{ tool: 'demo.echo', allow: true, constraints: { texts: [] } }] })
    await (await session.post(echoes(SECRET))).done()
    const { message: told } = spanNamed('skillgate.run').status
    assert.match(String(told), /^text .*REDACTED.* is not in the policy's texts/)
    assert.doesNotMatch(String(told), new RegExp(SECRET))
  })

  it('end also when the log could not be written', async () => {
    const { gate, store } = observed()
    const run = await (await openSession(gate)).post(echoes('a'))
    const { append } = store
    store.append = () => Promise.reject(new Error('disk full'))
    await assert.rejects(run.done(), { code: 'UNAVAILABLE' })
    assert.equal(spanNamed('skillgate.run').attributes['error.type'], 'UNAVAILABLE')
    store.append = append
    await gate.close()
  })
})

describe('metrics', () => {
  it('count decisions and measure runs and executions', async () => {
    const { gate } = observed()
    const session = await openSession(gate)
    for (const intent of [echoes('a'), message({ tool: 'demo.wipe' }), message({ tool: 'made-up.by-a-model' })]) {
      await (await session.post(intent)).done()
    }
    const found = await measured()
    const decision = (decided: string, code: string, name: string) => ({
      'skillgate.decision': decided,
      'skillgate.decision.code': code,
      'gen_ai.tool.name': name,
    })
    assert.deepEqual(found['skillgate.decisions'], [
      [decision('allow', 'ALLOWED', 'demo.echo'), 1],
      [decision('deny', 'DENIED', 'demo.wipe'), 1],
      [decision('deny', 'UNKNOWN_TOOL', '_OTHER'), 1],
    ])
    assert.deepEqual(found['skillgate.run.duration'], [
      [{ 'skillgate.run.status': 'completed' }, 1],
      [{ 'skillgate.run.status': 'denied', 'error.type': 'DENIED' }, 1],
      [{ 'skillgate.run.status': 'denied', 'error.type': 'UNKNOWN_TOOL' }, 1],
    ])
    assert.deepEqual(found['skillgate.tool.duration'], [[{ 'gen_ai.tool.name': 'demo.echo' }, 1]])
  })

  it('know how many runs wait and are executed, until the gate is closed', async () => {
    const answer = held()
    const asked = held()
    const reply = () => {
      asked.release(undefined)
      return answer.promise
    }
    const { gate } = observed({}, { reply })
    const session = await openSession(gate)
    const posted = [await session.post(echoes('a')), await session.post(echoes('b')), await session.post(echoes('c'))]
    await asked.promise
    const states = (queued: number, running: number) => [
      [{ 'skillgate.run.state': 'queued' }, queued],
      [{ 'skillgate.run.state': 'running' }, running],
    ]
    assert.deepEqual((await measured())['skillgate.runs'], states(2, 1))
    answer.release({})
    for (const run of posted) await run.done()
    assert.deepEqual((await measured())['skillgate.runs'], states(-2, -1), 'since the last look')
    await gate.close()
    assert.deepEqual((await measured())['skillgate.runs'], states(0, 0), 'nothing is told any more')
  })
})
