/** The official conformance suite for MCP servers against `/mcp`, and its table in docs/mcp.md against that run. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { createHttpApp, startServer } from '../src/http/index.js'
import { action, createGate, defineSkill, Failure, type ProviderClient } from '../src/index.js'
import { createMcpEndpoint } from '../src/mcp/index.js'
import { createMemoryStore } from '../src/stores/memory.js'

/** Scenarios for what a gate of tools does not have. Everything else must pass. */
const SKIPPED: Readonly<Record<string, string>> = {
  'logging-set-level': 'no log messages are sent to clients',
  'completion-complete': 'no prompts or resource templates whose arguments could be completed',
  'tools-call-image': 'results of skills are text and data',
  'tools-call-audio': 'results of skills are text and data',
  'tools-call-mixed-content': 'results of skills are text and data',
  'tools-call-embedded-resource': 'no resources',
  'tools-call-with-logging': 'no log messages are sent to clients',
  'tools-call-sampling': "a tool never asks the client's model",
  'tools-call-elicitation': 'a tool never asks the user',
  'elicitation-sep1034-defaults': 'a tool never asks the user',
  'elicitation-sep1330-enums': 'a tool never asks the user',
  'server-sse-polling': 'streams cannot be resumed: a call whose connection is lost is cancelled',
  'resources-list': 'no resources',
  'resources-read-text': 'no resources',
  'resources-read-binary': 'no resources',
  'resources-templates-read': 'no resources',
  'resources-subscribe': 'no resources',
  'resources-unsubscribe': 'no resources',
  'prompts-list': 'no prompts',
  'prompts-get-simple': 'no prompts',
  'prompts-get-with-args': 'no prompts',
  'prompts-get-embedded-resource': 'no prompts',
  'prompts-get-with-image': 'no prompts',
}

/** The tools that scenarios call by name, as skills. */
const said = action({
  description: 'Answer a text.',
  risk: 'read',
  input: z.strictObject({}),
  run: async () => ({ text: 'This is a simple text response for testing.', data: {} }),
})
const failing = action({
  description: 'Fail.',
  risk: 'read',
  input: z.strictObject({}),
  run: async () => {
    throw new Failure('UPSTREAM_ERROR', 'This tool intentionally returns an error for testing')
  },
})
const progressing = action({
  description: 'Tell how far it has come.',
  risk: 'read',
  input: z.strictObject({}),
  run: async (_input, { request }) => ({ text: 'Done.', data: { answer: await request('GET', '/slow') } }),
})
const Address = z.strictObject({ street: z.string(), city: z.string() }).meta({ id: 'address' })
const addressed = action({
  description: 'Take what has a schema of its own.',
  risk: 'read',
  input: z.strictObject({ name: z.string(), address: Address }),
  run: async () => ({ text: 'Taken.', data: {} }),
})
const about = { version: '1.0.0', description: 'For the suite.', layer: 'L1', system: 'Suite' }
const skills = [
  defineSkill({
    ...about,
    name: 'test',
    actions: { simple_text: said, error_handling: failing, tool_with_progress: progressing },
  }),
  defineSkill({ ...about, name: 'json', actions: { schema_2020_12_tool: addressed } }),
]
const providerClient: ProviderClient = {
  async request(_method, _path, _body, { onProgress } = {}) {
    for (const bytes_done of [0, 50, 100]) {
      onProgress?.({ stage: 'pull', image: 'x', status: 'Downloading', bytes_done, bytes_total: 100 })
    }
    return {}
  },
}

/** The suite brings neither a token nor a session: this stands between, as a host's own front would. */
async function serveForSuite() {
  const gate = createGate({ skills, store: createMemoryStore(), providerClient })
  const session = await gate.createSession()
  await session.setPolicy({ overrides: skills.map(({ meta }) => ({ tool: `${meta.name}.*`, allow: true })) })
  const mcp = createMcpEndpoint({ gate })
  const app = createHttpApp({ gate, adminToken: 'token-of-the-suite', mounts: { '/mcp': mcp.fetch } })
  const fetch = (request: Request): Promise<Response> => {
    const headers = new Headers(request.headers)
    headers.set('authorization', 'Bearer token-of-the-suite')
    headers.set('skillgate-session', session.id)
    const { url, method, body, signal } = request
    return app.fetch(new Request(url, { method, headers, signal, ...(body && { body, duplex: 'half' }) }))
  }
  const server = await startServer({ app: { fetch }, port: 0 })
  const close = async (): Promise<void> => {
    await Promise.all([server.close(), mcp.close()])
    await gate.close()
  }
  return { url: `http://localhost:${server.port}/mcp`, close }
}

/** Node 20 has no `fs.globSync`, which the suite imports for a command that is not used here. */
const WITHOUT_GLOB = `export async function load(url, context, next) {
  const loaded = await next(url, context)
  if (!url.endsWith('/conformance/dist/index.js')) return loaded
  return { ...loaded, source: String(loaded.source).replace(/globSync as \\w+,/, '') }
}`
const dataUrl = (code: string): string => `data:text/javascript,${encodeURIComponent(code)}`
const PRELOAD = dataUrl(`import { register } from 'node:module'; register(${JSON.stringify(dataUrl(WITHOUT_GLOB))})`)
const SUITE = fileURLToPath(import.meta.resolve('@modelcontextprotocol/conformance/dist/index.js'))

async function runSuite(args: string[]): Promise<string> {
  const child = spawn(process.execPath, ['--import', PRELOAD, SUITE, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)])
  return out + err
}

interface Check {
  id: string
  status: 'SUCCESS' | 'FAILURE' | 'WARNING' | 'INFO'
  errorMessage?: string
}

describe('the conformance suite for MCP servers', () => {
  let server: Awaited<ReturnType<typeof serveForSuite>>
  let directory: string
  const results = new Map<string, Check[]>()
  before(async () => {
    server = await serveForSuite()
    directory = await mkdtemp(join(tmpdir(), 'skillgate-conformance-'))
    const out = await runSuite(['server', '--url', server.url, '--suite', 'all', '-o', directory])
    for (const folder of await readdir(directory)) {
      const name = folder.replace(/^server-/, '').replace(/-\d{4}-\d\d-\d\dT.*$/, '')
      results.set(name, JSON.parse(await readFile(join(directory, folder, 'checks.json'), 'utf8')))
    }
    assert.ok(results.size >= 30, `scenarios were run: ${[...results.keys()].join(', ')}\n${out}`)
  })
  after(async () => {
    await server.close()
    await rm(directory, { recursive: true })
  })

  const failed = (checks: readonly Check[]): Check[] => checks.filter(({ status }) => /FAILURE|WARNING/.test(status))

  it('passes every scenario that is not about what a gate of tools does not have', () => {
    for (const [name, reason] of Object.entries(SKIPPED)) console.log(`skipped: ${name}: ${reason}`)
    const wrong = [...results].filter(([name]) => !(name in SKIPPED)).filter(([, checks]) => failed(checks).length > 0)
    assert.deepEqual(wrong, [])
    assert.ok(results.has('dns-rebinding-protection') && !('dns-rebinding-protection' in SKIPPED))
  })

  it('skips only scenarios that are there and would fail', () => {
    const stale = Object.keys(SKIPPED).filter((name) => failed(results.get(name) ?? []).length === 0)
    assert.deepEqual(stale, [])
  })

  it('is what the table in docs/mcp.md says', async () => {
    const rows = [...results]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, checks]) => {
        const passed = checks.filter(({ status }) => status === 'SUCCESS').length
        return `| \`${name}\` | ${SKIPPED[name] === undefined ? `passes (${passed})` : `not applicable: ${SKIPPED[name]}`} |`
      })
    const document = await readFile(new URL('../docs/mcp.md', import.meta.url), 'utf8')
    assert.deepEqual(
      document.split('\n').filter((line) => /^\| `[\w-]+` \| (passes|not applicable)/.test(line)),
      rows,
    )
  })
})
