#!/usr/bin/env node
/** The command line: `skillgate serve` puts a gate with the Docker skills behind HTTP. Here the parts are composed. */
import { parseArgs } from 'node:util'
import { dockerApi } from '../skills/docker-api/handler.js'
import { dockerRun } from '../skills/docker-run/handler.js'
import { isFailure } from './core/failure.js'
import { createGate } from './core/gate.js'
import type { Logger } from './core/provider.js'
import { createDockerProvider, type DockerProvider } from './docker/index.js'
import { isLoopback } from './http/guard.js'
import { createHttpApp, startServer } from './http/index.js'
import { parseSettings, type ServeSettings } from './http/settings.js'
import { keepSigningKey } from './http/signing-key.js'
import { VERSION } from './http/version.js'
import { createRedactor, type Redactor } from './redaction/index.js'
import { createMemoryStore } from './stores/memory.js'

const HELP = `skillgate ${VERSION}: run an agent's tool calls under a deny-by-default policy

Usage:
  skillgate serve      start the HTTP server
  skillgate --version
  skillgate --help

Environment of serve:
  ADMIN_TOKEN      required: what callers bring as "Authorization: Bearer ..."; 16 characters or more unless HOST is loopback
  HOST             address to listen on (127.0.0.1)
  PORT             port to listen on (8090); 0 takes a free one
  ALLOWED_HOSTS    names beside loopback that callers may address this server by, separated by commas
  SIGNING_KEY      32 bytes or more, kept secret: a restarted server finds by it what it left on the engine when it was killed
                   (made once and kept in ./.skillgate/signing.key)
  PUBLIC_KEYS      a JSON file of Ed25519 public keys by id, whose signatures over the images of skills count
  CORS_ORIGINS     origins whose pages may call, separated by commas
  DOCKER_HOST      the engine (unix:///var/run/docker.sock), with DOCKER_TLS_VERIFY and DOCKER_CERT_PATH as docker has them
`

const SETTINGS = [...HELP.matchAll(/^ {2}([A-Z_]+) /gm)].map(([, name]) => name as string)
const DATA_DIRECTORY = '.skillgate'
const USAGE_ERROR = 2
const ENGINE_CHECK_MS = 3_000

async function main(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { version: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
  })
  if (values.help) process.stdout.write(HELP)
  else if (values.version) process.stdout.write(`${VERSION}\n`)
  else if (positionals.length === 1 && positionals[0] === 'serve') await serve(parseSettings(process.env))
  else throw new UsageError(positionals.length === 0 ? 'Say what to do.' : `Unknown command: ${positionals.join(' ')}`)
}

async function serve(settings: ServeSettings): Promise<void> {
  const { adminToken, host, port, allowedHosts, corsOrigins, publicKeys } = settings
  const { key: signingKey, problem } = findSigningKey(settings)
  const secrets = [adminToken, signingKey ?? ''].filter((secret) => secret.length >= 8)
  const logger = createLineLogger(createRedactor({ registered: secrets }))
  if (problem !== undefined) {
    logger.warn(
      'No signing key can be kept, so containers that this server leaves when it is killed stay. Set SIGNING_KEY.',
      {
        cause: problem,
      },
    )
  }
  const provider = createDockerProvider({ env: process.env, logger, ...(signingKey && { signingKey }) })
  const gate = createGate({
    skills: [dockerApi, dockerRun],
    store: createMemoryStore(),
    providerClient: provider,
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
      await provider.close()
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
  await checkEngine(provider, logger, () => stopping)
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

async function checkEngine(provider: DockerProvider, logger: Logger, stopping: () => boolean): Promise<void> {
  try {
    await provider.engine({ timeoutMs: ENGINE_CHECK_MS })
  } catch (error) {
    if (stopping()) return
    const reason = isFailure(error) ? error.message : 'it does not answer as an engine does'
    logger.warn(
      'No container engine can be used, so tools will fail; everything else works. Start the engine or set DOCKER_HOST; no restart is needed for the same address.',
      { reason },
    )
  }
  // Also without an engine now: from here on the clock looks again, and tells what goes wrong.
  await provider.sweep().catch(() => {})
}

/** One line of JSON for each entry, on standard error. */
function createLineLogger(redactor: Redactor): Logger {
  const write = (level: string, message: string, fields: Record<string, unknown> = {}): void => {
    const plain = Object.entries(fields).map(([name, value]) => [name, value instanceof Error ? told(value) : value])
    const entry = redactor.value({ time: new Date(), level, message, ...Object.fromEntries(plain) })
    process.stderr.write(`${JSON.stringify(entry)}\n`)
  }
  return {
    warn: (message, fields) => write('warn', message, fields),
    error: (message, fields) => write('error', message, fields),
  }
}

const told = ({ stack, message, cause }: Error): Record<string, unknown> => ({
  error: stack ?? message,
  ...(cause instanceof Error && { cause: told(cause) }),
})

class UsageError extends Error {}

/** Why the arguments were not understood, if that is it. A flag that means a setting is answered with the variable it is. */
function usageProblem(error: NodeJS.ErrnoException, args: readonly string[]): string | undefined {
  if (error instanceof UsageError) return error.message
  if (error.code !== 'ERR_PARSE_ARGS_UNKNOWN_OPTION') {
    return error.code?.startsWith('ERR_PARSE_ARGS') ? error.message : undefined
  }
  const at = args.findIndex((arg) => arg.startsWith('-') && !/^(?:--help|-h|--version)$/.test(arg))
  const [flag = '', ...attached] = (args[at] ?? '').split('=')
  const name = flag.replace(/^-+/, '').replaceAll('-', '_').toUpperCase()
  if (!SETTINGS.includes(name)) return `Unknown option ${flag}. The settings of serve are environment variables.`
  const given = attached.length > 0 ? attached.join('=') : args[at + 1]
  // A secret is not repeated: what is printed here may be kept by somebody.
  const isSecret = name === 'ADMIN_TOKEN' || name === 'SIGNING_KEY'
  const value = isSecret || given === undefined || given.startsWith('-') ? '...' : given
  return `Unknown option ${flag}. The settings of serve are environment variables: ${name}=${value} skillgate serve`
}

main(process.argv.slice(2)).catch((error: NodeJS.ErrnoException) => {
  const usage = usageProblem(error, process.argv.slice(2))
  if (usage !== undefined) process.stderr.write(`skillgate: ${usage}\n\n${HELP}`)
  else if (error.code === 'EADDRINUSE') {
    process.stderr.write(`skillgate: ${error.message}. Set PORT to another one, or 0 for a free one.\n`)
  } else process.stderr.write(`skillgate: ${error.message}\n`)
  process.exit(usage !== undefined || isFailure(error) ? USAGE_ERROR : 1)
})
