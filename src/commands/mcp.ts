/** `skillgate mcp`: one session with the Docker skills as an MCP server on standard input and output. */
import { readFileSync } from 'node:fs'
import { Writable } from 'node:stream'
import { StdioServerTransport, serveStdio } from '@modelcontextprotocol/server/stdio'
import { describe, Failure } from '../core/failure.js'
import { parseKeySettings } from '../http/settings.js'
import { createMcpServer } from '../mcp/index.js'
import { type Command, UsageError } from './command.js'
import { createDockerGate } from './docker-gate.js'
import { stopOnSignals } from './stop-signals.js'
import { parseStoreSettings, type StoreSettings } from './store.js'

/** As much as a request over HTTP may hold, and some for what follows it in the pipe. */
const MAX_MESSAGE_BYTES = 1024 * 1024 + 64 * 1024

export const mcp: Command = {
  name: 'mcp',
  summary: 'serve one session to an MCP client over stdio',
  help: `Options of mcp:
  --policy FILE    required: the policy of the session, a JSON document { "overrides": [...] } as docs/http-api.md has it

Environment of mcp:
  DATA_DIR         keeps the log in this directory, and DATABASE_URL in that database, as for serve; without either, it ends
                   with the process
  SIGNING_KEY      as for serve
  PUBLIC_KEYS      as for serve
  DOCKER_HOST      the engine, as for serve
`,
  options: { policy: { type: 'string' } },
  async run({ values: { policy } }) {
    if (typeof policy !== 'string' || policy === '') throw new UsageError('Say which policy holds: --policy FILE')
    await start(readPolicy(policy))
  },
}

async function start(policy: unknown): Promise<void> {
  const stdout = ownStdout()
  const { gate, logger, checkEngine, close } = await createDockerGate(parseKeySettings(process.env), {
    store: storeSettings(),
  })
  const session = await gate.createSession({ label: 'mcp' })
  await session.setPolicy(policy)
  const transport = new StdioServerTransport(process.stdin, stdout, { maxBufferSize: MAX_MESSAGE_BYTES })
  const connection = serveStdio(() => createMcpServer({ session, logger }), {
    transport,
    onerror: (error) => logger.warn('An MCP message could not be read.', { error }),
  })
  const stop = stopOnSignals(logger, async () => {
    await connection.close()
    await close()
  })
  // The client is gone, or sent what no message may be.
  const closed = transport.onclose
  transport.onclose = () => {
    closed?.()
    stop()
  }
  await checkEngine()
}

/** Clients start one process for each session, and only one at a time writes to a directory: it must be asked for. */
function storeSettings(): StoreSettings | undefined {
  const { DATA_DIR, DATABASE_URL } = process.env
  return DATA_DIR || DATABASE_URL ? parseStoreSettings(process.env) : undefined
}

/** Standard output for the protocol alone: what anything else in this process prints goes to standard error. */
function ownStdout(): Writable {
  const write = process.stdout.write.bind(process.stdout)
  process.stdout.write = process.stderr.write.bind(process.stderr)
  return new Writable({ write: (chunk: Buffer, encoding, done) => void write(chunk, encoding, done) })
}

function readPolicy(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    const { code = 'it is not JSON' } = error as NodeJS.ErrnoException
    throw new Failure('INVALID_INPUT', `--policy ${describe(path)} cannot be read (${code}). Name a JSON file.`)
  }
}
