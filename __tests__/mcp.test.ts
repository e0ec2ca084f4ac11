/** MCP from outside: the official client through `skillgate mcp` and through `/mcp` of `skillgate serve`, in both revisions. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type CallToolResult, Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { createDockerProvider } from '../src/docker/index.js'
import { createFakeEngine } from '../src/testing/index.js'
import { CLI, expect, startCli, stopCli, until } from './cli-process.js'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const shell = (line: string): string[] => ['/bin/sh', '-c', line]
const HELLO = shell('echo hello')
const WAIT = shell('echo started; sleep 60')

interface Engine {
  host: string
  image: string
}

const policyFor = ({ image }: Engine) => ({
  overrides: [
    { tool: 'docker.run', allow: true, constraints: { images: [image] } },
    { tool: 'docker-api.list_containers', allow: true },
    { tool: 'docker-api.stop_container', allow: true },
    { tool: 'docker-api.stop_container', allow: false },
  ],
})

/** The two ways in. Each answers a connected client. */
const DOORS: Readonly<Record<string, (t: TestContext, engine: Engine, client: Client) => Promise<void>>> = {
  async stdio(t, engine, client) {
    const directory = await mkdtemp(join(tmpdir(), 'skillgate-mcp-'))
    const policy = join(directory, 'policy.json')
    await writeFile(policy, JSON.stringify(policyFor(engine)))
    const args = [...CLI, 'mcp', '--policy', policy]
    const env = { PATH: process.env.PATH ?? '', DOCKER_HOST: engine.host, SIGNING_KEY: 'k'.repeat(32) }
    const transport = new StdioClientTransport({ command: process.execPath, args, env, cwd: ROOT, stderr: 'ignore' })
    t.after(async () => {
      await client.close()
      await rm(directory, { recursive: true })
    })
    await client.connect(transport)
  },
  async http(t, engine, client) {
    const cli = await startCli({ DOCKER_HOST: engine.host })
    t.after(async () => {
      await client.close()
      await stopCli(cli)
    })
    const { id } = await expect<{ id: string }>(cli, 201, 'POST', '/v1/sessions', '{}')
    await expect(cli, 200, 'PUT', `/v1/sessions/${id}/policy`, JSON.stringify(policyFor(engine)))
    const headers = { authorization: 'Bearer demo', 'skillgate-session': id }
    await client.connect(new StreamableHTTPClientTransport(new URL(`${cli.url}/mcp`), { requestInit: { headers } }))
  },
}

const REVISIONS = { '2025-11-25': 'legacy', '2026-07-28': { pin: '2026-07-28' } } as const

async function containersOn({ host }: Engine): Promise<Set<string>> {
  await using provider = createDockerProvider({ host })
  const answer = (await provider.request('GET', '/containers?all=true&limit=100')) as { containers: { id: string }[] }
  return new Set(answer.containers.map(({ id }) => id))
}

const textOf = ({ content }: CallToolResult): string => (content[0] as { text: string }).text

/** List, call, cancel, denied call: what a host does with the tools. */
async function drive(client: Client, engine: Engine): Promise<void> {
  const { tools } = await client.listTools()
  assert.deepEqual(
    tools.map(({ name }) => name),
    ['docker-api_list_containers', 'docker_run'],
  )
  const [list, run] = tools
  assert.equal(list?.annotations?.readOnlyHint, true)
  assert.deepEqual(run?.annotations, {
    readOnlyHint: false,
    destructiveHint: false,
    idempotentHint: false,
    openWorldHint: true,
  })
  assert.deepEqual(run?.inputSchema.required, ['image'])

  const hello = await client.callTool({ name: 'docker_run', arguments: { image: engine.image, cmd: HELLO } })
  assert.equal(hello.isError, undefined, JSON.stringify(hello))
  assert.match(textOf(hello), /hello/)
  const { run_id, metadata } = hello.structuredContent as { run_id: string; metadata: { run: { stdout: string } } }
  assert.match(run_id, /^run_/)
  assert.equal(metadata.run.stdout, 'hello\n')

  const before = await containersOn(engine)
  const cancel = new AbortController()
  let during: string[] = []
  const told: string[] = []
  const cancelled = client.callTool(
    { name: 'docker_run', arguments: { image: engine.image, cmd: WAIT } },
    {
      signal: cancel.signal,
      async onprogress({ message = '' }) {
        told.push(message)
        if (!message.includes('started') || during.length > 0) return
        during = [...(await containersOn(engine))].filter((id) => !before.has(id))
        cancel.abort()
      },
    },
  )
  await assert.rejects(cancelled)
  assert.ok(during.length > 0, `a container ran: ${told}`)
  await until(
    async () => {
      const left = await containersOn(engine)
      return during.some((id) => left.has(id)) ? undefined : true
    },
    () => 'the container of the cancelled call is still there',
  )

  const refused: [name: string, params: Record<string, unknown>, code: string][] = [
    ['docker_run', { image: `other@sha256:${'0'.repeat(64)}` }, 'DENIED'],
    ['docker_run', { image: engine.image, cmd: 'ls' }, 'INVALID_INPUT'],
    ['docker-api_list_images', {}, 'DENIED'],
    ['docker-api_stop_container', { containerId: 'x' }, 'DENIED'],
    ['docker_exec', {}, 'UNKNOWN_TOOL'],
  ]
  for (const [name, params, code] of refused) {
    const answer = await client.callTool({ name, arguments: params })
    assert.equal(answer.isError, true, name)
    const { code: said, retriable, reason, run_id: id } = answer.structuredContent as Record<string, unknown>
    assert.deepEqual({ said, retriable, id: typeof id }, { said: code, retriable: false, id: 'string' })
    assert.equal(textOf(answer), `Error: ${reason}`)
  }
}

async function fakeEngine(t: TestContext): Promise<Engine> {
  const engine = await createFakeEngine({
    programs: [
      {
        argv: HELLO,
        program({ write }) {
          write('stdout', 'hello\n')
          return 0
        },
      },
      {
        argv: WAIT,
        program({ write, killed }) {
          write('stdout', 'started\n')
          return once(killed, 'abort').then(() => 0)
        },
      },
    ],
  })
  t.after(() => engine.close())
  return engine
}

/** Undefined, said aloud, when there is none. */
function liveEngine(t: TestContext): Engine | undefined {
  const { SKILLGATE_TEST_DOCKER: host, SKILLGATE_TEST_IMAGE: image, REQUIRE_LIVE } = process.env
  if (host && image) return { host, image }
  const reason = 'SKILLGATE_TEST_DOCKER and SKILLGATE_TEST_IMAGE name no engine and image'
  assert.notEqual(REQUIRE_LIVE, '1', reason)
  console.log(`skipped: ${reason}`)
  t.skip(reason)
  return undefined
}

for (const [door, connect] of Object.entries(DOORS)) {
  for (const [revision, mode] of Object.entries(REVISIONS)) {
    describe(`the official client over ${door}, revision ${revision}`, () => {
      const run = async (t: TestContext, engine: Engine | undefined): Promise<void> => {
        if (engine === undefined) return
        const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } })
        await connect(t, engine, client)
        await drive(client, engine)
      }
      it('lists, calls, cancels and is denied on the fake engine', async (t) => run(t, await fakeEngine(t)))
      it('lists, calls, cancels and is denied on a real engine', (t) => run(t, liveEngine(t)))
    })
  }
}
