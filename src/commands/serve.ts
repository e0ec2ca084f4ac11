/** `skillgate serve`: a gate with the Docker skills behind HTTP. */
import { isFailure } from '../core/failure.js'
import { createGate } from '../core/gate.js'
import { isLoopback } from '../http/guard.js'
import { createHttpApp, startServer } from '../http/index.js'
import { parseSettings, type ServeSettings } from '../http/settings.js'
import { keepSigningKey } from '../http/signing-key.js'
import { createRedactor } from '../redaction/index.js'
import { createMemoryStore } from '../stores/memory.js'
import type { Command } from './command.js'
import { INSTALLED_SKILLS } from './installed-skills.js'
import { createLineLogger } from './line-logger.js'
import { createSkillsClient } from './skills-client.js'

const DATA_DIRECTORY = '.skillgate'

export const serve: Command = {
  name: 'serve',
  summary: 'start the HTTP server',
  help: `Environment of serve:
  ADMIN_TOKEN      required: what callers bring as "Authorization: Bearer ..."; 16 characters or more unless HOST is loopback
  HOST             address to listen on (127.0.0.1)
  PORT             port to listen on (8090); 0 takes a free one
  ALLOWED_HOSTS    names beside loopback that callers may address this server by, separated by commas
  SIGNING_KEY      32 bytes or more, kept secret: a restarted server finds by it what it left on the engine when it was killed
                   (made once and kept in ./.skillgate/signing.key)
  PUBLIC_KEYS      a JSON file of Ed25519 public keys by id, whose signatures over the images of skills count
  CORS_ORIGINS     origins whose pages may call, separated by commas
  DOCKER_HOST      the engine (unix:///var/run/docker.sock), with DOCKER_TLS_VERIFY and DOCKER_CERT_PATH as docker has them
  GATEWAY_URL      a skillgate gateway in place of an engine, with GATEWAY_CREDENTIAL, the key to it
`,
  run: () => start(parseSettings(process.env)),
}

async function start(settings: ServeSettings): Promise<void> {
  const { adminToken, host, port, allowedHosts, corsOrigins, publicKeys, gateway } = settings
  const { key: signingKey, problem } = findSigningKey(settings)
  const secrets = [adminToken, signingKey ?? '', gateway?.credential ?? ''].filter((secret) => secret.length >= 8)
  const logger = createLineLogger(createRedactor({ registered: secrets }))
  if (problem !== undefined) {
    logger.warn(
      'No signing key can be kept, so containers that this server leaves when it is killed stay. Set SIGNING_KEY.',
      {
        cause: problem,
      },
    )
  }
  const { client, check, close } = createSkillsClient({ gateway, signingKey, logger })
  const gate = createGate({
    skills: INSTALLED_SKILLS,
    store: createMemoryStore(),
    providerClient: client,
    secrets,
    publicKeys,
    logger,
  })
  const app = createHttpApp({ gate, adminToken, allowedHosts, corsOrigins, logger })
  const server = await startServer({ app, host, port, logger, replaceGlobals: true })

  let stopping = false
  const stop = async (): Promise<void> => {
    if (stopping) process.exit(1)
    stopping = true
    try {
      await server.close()
      await gate.close()
      await close()
      process.exit(0)
    } catch (error) {
      logger.error('The shutdown went wrong.', { cause: error })
      process.exit(1)
    }
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)

  process.stdout.write(`skillgate listening on ${server.url}\n`)
  if (!isLoopback(host.toLowerCase()) && allowedHosts.length === 0) {
    logger.warn('Callers from other machines are refused: ALLOWED_HOSTS names no host that they may address.', { host })
  }
  await check(() => stopping)
}

/** A key that outlives the process, and what was wrong when there is none. */
function findSigningKey({ signingKey }: ServeSettings): { key?: string; problem?: unknown } {
  if (signingKey !== undefined) return { key: signingKey }
  try {
    return { key: keepSigningKey(DATA_DIRECTORY) }
  } catch (problem) {
    if (isFailure(problem)) throw problem
    return { problem }
  }
}
