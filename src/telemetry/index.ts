/** Published as `skillgate/telemetry`: runs and tool calls as OpenTelemetry spans and metrics. docs/telemetry.md lists them. */
import { type Attributes, metrics, type ObservableResult, type Span, SpanStatusCode, trace } from '@opentelemetry/api'
import { isFailure } from '../core/failure.js'
import type { Telemetry } from '../core/telemetry.js'

const SCOPE = 'skillgate'
/** Longer arguments and results are cut: a span is no log. In characters. */
const MAX_CONTENT = 16 * 1024
/** Seconds. From a call of a fast engine to the longest that a container may take. */
const BOUNDARIES = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600]

export interface TelemetryOptions {
  /** Whether spans carry the arguments and results of tools, and the messages of errors; redacted. */
  content?: boolean
}

/**
 * Observes a gate with the tracer and the meter that are registered with `@opentelemetry/api` when it is called: start
 * the SDK first. A run is a child of the span that was active when its message was posted.
 *
 * @example
 * ```ts
 * import { NodeSDK } from '@opentelemetry/sdk-node'
 * import { createGate } from 'skillgate'
 * import { dockerApi } from 'skillgate/skills/docker-api'
 * import { createMemoryStore } from 'skillgate/stores/memory'
 * import { createTelemetry } from 'skillgate/telemetry'
 *
 * new NodeSDK().start()
 * const gate = createGate({ skills: [dockerApi], store: createMemoryStore(), telemetry: createTelemetry() })
 * ```
 */
export function createTelemetry({ content = false }: TelemetryOptions = {}): Telemetry {
  const tracer = trace.getTracer(SCOPE)
  const meter = metrics.getMeter(SCOPE)
  const decisions = meter.createCounter('skillgate.decisions', { description: 'Policy decisions', unit: '{decision}' })
  const runs = meter.createObservableUpDownCounter('skillgate.runs', {
    description: 'Runs that wait or are executed',
    unit: '{run}',
  })
  const duration = (what: string, description: string) =>
    meter.createHistogram(`skillgate.${what}.duration`, {
      description,
      unit: 's',
      advice: { explicitBucketBoundaries: BOUNDARIES },
    })
  const runDuration = duration('run', 'A run, from leaving the queue to its end')
  const toolDuration = duration('tool', 'The execution of one tool call')

  /** Does the work inside a span; `tell` says what came of it, and with which attributes its duration is measured. */
  function observe<T>(
    name: string,
    attributes: Attributes,
    histogram: ReturnType<typeof duration>,
    work: () => Promise<T>,
    tell: (result: T, span: Span) => Attributes,
  ): Promise<T> {
    return tracer.startActiveSpan(name, { attributes }, async (span) => {
      const started = performance.now()
      let measured: Attributes = {}
      try {
        const result = await work()
        measured = tell(result, span)
        return result
      } catch (error) {
        measured = fail(span, isFailure(error) ? error.code : 'INTERNAL')
        throw error
      } finally {
        histogram.record((performance.now() - started) / 1_000, measured)
        span.end()
      }
    })
  }

  function fail(span: Span, code: string, message?: string): Attributes {
    span.setAttribute('error.type', code)
    span.setStatus({ code: SpanStatusCode.ERROR, ...(content && message !== undefined && { message }) })
    return { 'error.type': code }
  }

  return {
    watch(count) {
      const observe = (result: ObservableResult): void => {
        for (const [state, value] of Object.entries(count())) result.observe(value, { 'skillgate.run.state': state })
      }
      runs.addCallback(observe)
      return () => runs.removeCallback(observe)
    },

    run: ({ run_id, session_id }, work) =>
      observe(
        'skillgate.run',
        { 'skillgate.run.id': run_id, 'gen_ai.conversation.id': session_id },
        runDuration,
        work,
        ({ status, reason }, span) => {
          span.setAttribute('skillgate.run.status', status)
          const failed = reason === undefined ? {} : fail(span, reason.code, reason.message)
          return { 'skillgate.run.status': status, ...failed }
        },
      ),

    decided(decision, code, tool) {
      // A model may call for anything: names that are no tool's would each make a time series.
      decisions.add(1, {
        'skillgate.decision': decision,
        'skillgate.decision.code': code,
        'gen_ai.tool.name': tool?.name ?? '_OTHER',
      })
    },

    tool({ call_id, tool, params }, work) {
      const attributes = {
        'gen_ai.operation.name': 'execute_tool',
        'gen_ai.tool.name': tool.name,
        'gen_ai.tool.type': 'function',
        'gen_ai.tool.description': tool.description,
        'gen_ai.tool.call.id': call_id,
        'skillgate.tool.risk': tool.risk,
        ...(content && { 'gen_ai.tool.call.arguments': shorten(JSON.stringify(params())) }),
      }
      return observe(`execute_tool ${tool.name}`, attributes, toolDuration, work, ({ result, metadata }, span) => {
        if (content) span.setAttribute('gen_ai.tool.call.result', shorten(result))
        const failed = metadata.success ? {} : fail(span, metadata.error.code, metadata.error.message)
        return { 'gen_ai.tool.name': tool.name, ...failed }
      })
    },
  }
}

const shorten = (text: string): string =>
  text.length > MAX_CONTENT ? `${text.slice(0, MAX_CONTENT)}…`.toWellFormed() : text
