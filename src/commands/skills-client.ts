/** What the skills of a command reach an engine through: a provider for the environment's engine, or a gateway's client. */
import { isFailure } from '../core/failure.js'
import type { Logger, ProviderClient } from '../core/provider.js'
import { createDockerProvider, type DockerProviderOptions } from '../docker/index.js'
import { createGatewayClient } from '../gateway/index.js'

const CHECK_MS = 3_000

export interface SkillsClient {
  client: ProviderClient
  /** Says so in the log when nothing usable answers, and begins to sweep what earlier processes left. */
  check(isStopping: () => boolean): Promise<void>
  close(): Promise<void>
}

export interface SkillsClientOptions {
  gateway: { url: string; credential: string } | undefined
  /** For the engine, where there is no gateway. */
  engine: DockerProviderOptions
  logger: Logger
}

export const createSkillsClient = ({ gateway, engine, logger }: SkillsClientOptions): SkillsClient =>
  gateway ? throughGateway(gateway, logger) : throughEngine(engine, logger)

function throughEngine(options: DockerProviderOptions, logger: Logger): SkillsClient {
  const provider = createDockerProvider({ ...options, logger })
  return {
    client: provider,
    async check(isStopping) {
      try {
        await provider.engine({ timeoutMs: CHECK_MS })
      } catch (error) {
        if (isStopping()) return
        const reason = isFailure(error) ? error.message : 'it does not answer as an engine does'
        logger.warn(
          'No container engine can be used, so tools will fail; everything else works. Start the engine or set DOCKER_HOST; no restart is needed for the same address.',
          { reason },
        )
      }
      // Also without an engine now: from here on the clock looks again, and tells what goes wrong.
      await provider.sweep().catch(() => {})
    },
    close: () => provider.close(),
  }
}

/** Leftovers are the gateway's to sweep, which made them. */
function throughGateway(gateway: { url: string; credential: string }, logger: Logger): SkillsClient {
  const client = createGatewayClient(gateway)
  return {
    client,
    async check(isStopping) {
      try {
        await client.request('GET', '/containers?limit=1', undefined, { timeoutMs: CHECK_MS })
      } catch (error) {
        // A key that may not list can do other things.
        if (isStopping() || (isFailure(error) && error.code === 'DENIED')) return
        const reason = isFailure(error) ? error.message : 'it does not answer as a gateway does'
        logger.warn('The gateway cannot be used, so tools will fail; everything else works.', { reason })
      }
    },
    close: () => client.close(),
  }
}
