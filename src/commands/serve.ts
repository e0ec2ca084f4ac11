/** `skillgate serve`: a gate with the Docker skills behind HTTP, and behind MCP over HTTP. */
import { isLoopback } from '../http/guard.js'
import { createHttpApp, startServer } from '../http/index.js'
import { parseSettings, type ServeSettings } from '../http/settings.js'
import { createMcpEndpoint } from '../mcp/index.js'
import type { Command } from './command.js'
import { createDockerGate } from './docker-gate.js'
import { stopOnSignals } from './stop-signals.js'
import { parseStoreSettings, STORE_SETTINGS } from './store.js'

export const serve: Command = {
  name: 'serve',
  summary: 'start the HTTP server',
  help: `Environment of serve:
  ADMIN_TOKEN      required: what callers bring as "Authorization: Bearer ..."; 16 characters or more unless HOST is loopback
  HOST             address to listen on (127.0.0.1)
  PORT             port to listen on (8090); 0 takes a free one
  ALLOWED_HOSTS    names beside loopback that callers may address this server by, separated by commas
${STORE_SETTINGS}  LEASE_MS         milliseconds after which other hosts take over the runs of one that went silent (15000)
  CONCURRENCY      with DATABASE_URL: runs that this host performs at a time (16)
  MAX_CONCURRENT_RUNS  with DATABASE_URL: runs at a time of all hosts together, the same on each
  SIGNING_KEY      32 bytes or more, kept secret: a restarted server finds by it what it left on the engine when it was killed,
                   and reads by it what waited (made once and kept in DATA_DIR; required with DATABASE_URL)
  PUBLIC_KEYS      a JSON file of Ed25519 public keys by id, whose signatures over the images of skills count
  CORS_ORIGINS     origins whose pages may call, separated by commas
  DOCKER_HOST      the engine (unix:///var/run/docker.sock), with DOCKER_TLS_VERIFY and DOCKER_CERT_PATH as docker has them
  GATEWAY_URL      a skillgate gateway in place of an engine, with GATEWAY_CREDENTIAL, the key to it
  OTEL_...         OpenTelemetry's own variables: OTEL_EXPORTER_OTLP_ENDPOINT and its like export traces and metrics
                   through @opentelemetry/sdk-node, if it is installed
`,
  run: () => start(parseSettings(process.env)),
}

async function start(settings: ServeSettings): Promise<void> {
  const { adminToken, host, port, allowedHosts, corsOrigins } = settings
  const store = parseStoreSettings(process.env)
  const { gate, logger, checkEngine, close } = await createDockerGate(settings, { secrets: [adminToken], store })
  const mcp = createMcpEndpoint({ gate, logger })
  const mounts = { '/mcp': mcp.fetch }
  const app = createHttpApp({ gate, adminToken, allowedHosts, corsOrigins, mounts, logger })
  const server = await startServer({ app, host, port, logger, replaceGlobals: true })
  stopOnSignals(logger, async () => {
    // Together: the streams of MCP clients stay open until their endpoint closes.
    await Promise.all([server.close(), mcp.close()])
    await close()
  })

  process.stdout.write(`skillgate listening on ${server.url}\n`)
  if (!isLoopback(host.toLowerCase()) && allowedHosts.length === 0) {
    logger.warn('Callers from other machines are refused: ALLOWED_HOSTS names no host that they may address.', { host })
  }
  await checkEngine()
}
