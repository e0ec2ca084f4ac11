/** `skillgate gateway`: the provider protocol in front of an engine, for hosts that have none, with a key each. */
import { readFileSync } from 'node:fs'
import { describe } from '../core/failure.js'
import { createDockerProvider } from '../docker/index.js'
import { createGatewayApp, readGatewayConfig } from '../gateway/index.js'
import { isLoopback } from '../http/guard.js'
import { startServer } from '../http/index.js'
import { parseListen, parseSigningKey, refused } from '../http/settings.js'
import { createRedactor } from '../redaction/index.js'
import { type Command, UsageError } from './command.js'
import { createLineLogger } from './line-logger.js'
import { stopOnSignals } from './stop-signals.js'

export const gateway: Command = {
  name: 'gateway',
  summary: 'serve the engine to hosts without one, with a key for each of them',
  operands: 'CONFIG',
  help: `CONFIG of gateway is a JSON file: what each key may do (docs/gateway.md). Environment of gateway:
  HOST             address to listen on (127.0.0.1)
  PORT             port to listen on (8091); 0 takes a free one
  TLS_CERT         a PEM file with the certificate, and TLS_KEY one with its key: HTTPS; needed for other machines
  TLS_CLIENT_CA    a PEM file: only clients with a certificate that it signed are let in
  SIGNING_KEY      32 bytes or more, kept secret: a restarted gateway finds by it what it left on the engine when it was killed
  DOCKER_HOST      the engine (unix:///var/run/docker.sock), with DOCKER_TLS_VERIFY and DOCKER_CERT_PATH as docker has them
`,
  async run({ operands: [file, ...more] }) {
    if (file === undefined || more.length > 0) throw new UsageError('Name one CONFIG file.')
    await start(file, process.env)
  },
}

async function start(file: string, env: Readonly<Record<string, string | undefined>>): Promise<void> {
  const { host, port } = parseListen({ ...env, PORT: env.PORT || '8091' })
  const tls = readTls(env)
  const signingKey = parseSigningKey(env.SIGNING_KEY || undefined)
  const config = readGatewayConfig(readText('CONFIG', file))
  const logger = createLineLogger(createRedactor({ registered: signingKey === undefined ? [] : [signingKey] }))
  const provider = createDockerProvider({ env, logger, ...(signingKey && { signingKey }) })
  const onRequest = (entry: object): void => logger.info('request', { ...entry })
  const app = createGatewayApp({ provider, config, logger, onRequest })
  const server = await startServer({ app, host, port, tls, logger, replaceGlobals: true })

  // The runs first: their callers are told of it while the server ends.
  stopOnSignals(logger, () => Promise.all([server.close(), provider.close()]))

  process.stdout.write(`skillgate gateway listening on ${server.url}\n`)
  if (tls === undefined && !isLoopback(host.toLowerCase())) {
    logger.warn('Keys travel readable: set TLS_CERT and TLS_KEY, or let only a proxy with TLS reach this port.', {
      host,
    })
  }
  // What is wrong with the engine is logged by the sweep, which goes on by the clock.
  await provider.sweep().catch((cause) => logger.warn('The engine cannot be used now.', { cause }))
}

function readTls({ TLS_CERT, TLS_KEY, TLS_CLIENT_CA }: Readonly<Record<string, string | undefined>>) {
  if (!TLS_CERT && !TLS_KEY && !TLS_CLIENT_CA) return undefined
  if (!TLS_CERT || !TLS_KEY)
    throw refused(TLS_CERT ? 'TLS_KEY' : 'TLS_CERT', 'is not set. TLS needs both, in PEM files')
  const ca = TLS_CLIENT_CA && readText('TLS_CLIENT_CA', TLS_CLIENT_CA)
  return { cert: readText('TLS_CERT', TLS_CERT), key: readText('TLS_KEY', TLS_KEY), ...(ca && { ca }) }
}

function readText(name: string, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw refused(name, `${describe(path)} cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
}
