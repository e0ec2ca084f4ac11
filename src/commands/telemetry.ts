/** OpenTelemetry of a command: the SDK, when its environment asks for it and it is installed. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '../core/provider.js'
import type { Telemetry } from '../core/telemetry.js'

/** Any of these asks for telemetry. */
const ASKED = /^OTEL_(EXPORTER_OTLP_(TRACES_|METRICS_)?ENDPOINT|(TRACES|METRICS)_EXPORTER)$/
/** Shorter than what service managers wait before they kill. */
const MAX_STOP_MS = 4_000

export interface Exporting {
  /** Undefined when nobody asked for it, or the SDK is not there. */
  telemetry?: Telemetry
  /** Sends what was collected. Never rejects. */
  stop(): Promise<void>
}

/** Starts the SDK by its own environment variables. It is loaded only when one of them says where to export. */
export async function startTelemetry(
  env: Readonly<Record<string, string | undefined>>,
  logger: Logger,
): Promise<Exporting> {
  const asked = Object.keys(env).filter((name) => ASKED.test(name) && env[name])
  if (asked.length === 0 || env.OTEL_SDK_DISABLED?.toLowerCase() === 'true') return { stop: async () => {} }
  const parts = await load(asked, logger)
  if (parts === undefined) return { stop: async () => {} }
  const { NodeSDK, createTelemetry } = parts
  const isNamed = env.OTEL_SERVICE_NAME || /\bservice\.name=/.test(env.OTEL_RESOURCE_ATTRIBUTES ?? '')
  const sdk = new NodeSDK(isNamed ? {} : { serviceName: 'skillgate' })
  sdk.start()
  return {
    telemetry: createTelemetry({ content: env.OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT === 'true' }),
    async stop() {
      try {
        await Promise.race([sdk.shutdown(), expire()])
      } catch (cause) {
        logger.warn('The last telemetry was not sent.', { cause })
      }
    },
  }
}

async function expire(): Promise<never> {
  await delay(MAX_STOP_MS, undefined, { ref: false })
  throw new Error(`The collector did not take it within ${MAX_STOP_MS} ms.`)
}

async function load(asked: string[], logger: Logger) {
  try {
    const [{ NodeSDK }, { createTelemetry }] = await Promise.all([
      import('@opentelemetry/sdk-node'),
      import('../telemetry/index.js'),
    ])
    return { NodeSDK, createTelemetry }
  } catch (cause) {
    logger.warn(
      `${asked.join(', ')} asks for telemetry, but OpenTelemetry cannot be loaded, so nothing is exported. Install it beside skillgate: npm install @opentelemetry/api @opentelemetry/sdk-node`,
      { cause },
    )
    return undefined
  }
}
