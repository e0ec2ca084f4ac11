/** `skillgate mcp` as a process: what it refuses to start with, that nothing but protocol leaves it, and how it ends. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createFakeEngine, type FakeEngine } from '../src/testing/index.js'
import { CLI, NO_ENGINE, spawnCli, until } from './cli-process.js'

let directory: string
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'skillgate-mcp-'))
})
after(() => rm(directory, { recursive: true }))

async function policyFile(content: string): Promise<string> {
  const path = join(directory, `${crypto.randomUUID()}.json`)
  await writeFile(path, content)
  return path
}

describe('skillgate mcp exits with 2 and the reason for', { concurrency: 4 }, () => {
  const refused: [name: string, content: string | undefined, reason: RegExp][] = [
    ['no policy', undefined, /--policy FILE[\s\S]*Usage:/],
    ['a policy that is no JSON', '{', /--policy .* cannot be read \(it is not JSON\)/],
    [
      'a policy for a tool that is none',
      '{"overrides":[{"tool":"x.y","allow":true}]}',
      /"x\.y" \(string\) is no installed tool/,
    ],
    ['a policy that is a list', '[]', /policy/],
  ]
  const env = { DOCKER_HOST: NO_ENGINE, SIGNING_KEY: 'k'.repeat(32) }
  for (const [name, content, reason] of refused) {
    it(name, async () => {
      const args = content === undefined ? [] : ['--policy', await policyFile(content)]
      const { output, exited } = spawnCli(['mcp', ...args], env)
      assert.equal(await exited, 2, JSON.stringify(output))
      assert.equal(output.stdout, '')
      assert.match(output.stderr, reason)
    })
  }

  it('a policy that is not there', async () => {
    const { output, exited } = spawnCli(['mcp', '--policy', '/nonexistent/policy.json'], env)
    assert.equal(await exited, 2)
    assert.match(output.stderr, /"\/nonexistent\/policy\.json" \(string\) cannot be read \(ENOENT\)/)
  })
})

/** Prints to standard output when it is told to, as a careless library would. */
const NOISE = `data:text/javascript,process.on('SIGUSR2', () => console.log('noise'))`

async function start(t: TestContext, engine: { host: string; image: string }) {
  const overrides = [{ tool: 'docker.run', allow: true, constraints: { images: [engine.image] } }]
  const policy = await policyFile(JSON.stringify({ overrides }))
  const args = ['--import', NOISE, ...CLI, 'mcp', '--policy', policy]
  const child = spawn(process.execPath, args, {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    env: { PATH: process.env.PATH, DOCKER_HOST: engine.host, SIGNING_KEY: 'k'.repeat(32) },
    stdio: 'pipe',
  })
  t.after(() => child.kill('SIGKILL'))
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text
    })
  }
  child.stdin.on('error', () => {})
  const exited = once(child, 'close').then(([code]) => code as number | null)
  const send = (line: string): void => void child.stdin.write(`${line}\n`)
  const answer = (id: number): Promise<Record<string, unknown>> =>
    until(
      () => {
        const lines = output.stdout.split('\n').slice(0, -1)
        return lines.map((line) => JSON.parse(line)).find((message) => message.id === id)
      },
      () => JSON.stringify(output),
    )
  const request = (id: number, method: string, params: object = {}): void =>
    send(JSON.stringify({ jsonrpc: '2.0', id, method, params }))
  request(1, 'initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 't', version: '1' } })
  await answer(1)
  send('{"jsonrpc":"2.0","method":"notifications/initialized"}')
  return { child, output, exited, send, request, answer }
}

describe('skillgate mcp', () => {
  let engine: FakeEngine
  before(async () => {
    engine = await createFakeEngine({
      programs: [{ argv: ['/wait'], program: ({ killed }) => once(killed, 'abort').then(() => 0) }],
    })
  })
  after(() => engine.close())

  it('writes nothing but protocol to standard output, and outlives what is not JSON', async (t) => {
    const { child, output, send, request, answer, exited } = await start(t, engine)
    child.kill('SIGUSR2')
    await until(
      () => (output.stderr.includes('noise') ? true : undefined),
      () => JSON.stringify(output),
    )
    send('not json')
    send('{"jsonrpc":"2.0"}')
    send('[]')
    request(2, 'tools/list')
    assert.deepEqual(Object.keys(await answer(2)).toSorted(), ['id', 'jsonrpc', 'result'])
    assert.ok(
      output.stdout
        .split('\n')
        .slice(0, -1)
        .every((line) => JSON.parse(line).jsonrpc === '2.0'),
    )
    child.stdin.end()
    assert.equal(await exited, 0)
  })

  it('ends when a message is larger than 1 MiB, and says why on standard error', async (t) => {
    const { send, exited, output } = await start(t, engine)
    send('x'.repeat(2 * 1024 * 1024))
    assert.equal(await exited, 0)
    assert.match(output.stderr, /exceeded maximum size/)
  })

  const endings: [name: string, end: (child: Awaited<ReturnType<typeof start>>['child']) => void][] = [
    ['the client dies', ({ stdin, stdout }) => [stdin, stdout].forEach((pipe) => void pipe.destroy())],
    ['the client closes the connection', ({ stdin }) => stdin.end()],
    ['it is told to end', (child) => child.kill('SIGTERM')],
  ]
  for (const [name, end] of endings) {
    it(`removes the container of a running call when ${name}, and exits with 0`, async (t) => {
      const { child, exited, request, output } = await start(t, engine)
      const started = engine.requests.length
      request(2, 'tools/call', { name: 'docker_run', arguments: { image: engine.image, cmd: ['/wait'] } })
      await until(
        () => engine.requests.slice(started).find(({ route }) => route === 'POST /containers/{id}/start'),
        () => JSON.stringify(output),
      )
      end(child)
      assert.equal(await exited, 0, output.stderr)
      assert.equal(engine.containers.size, 0)
    })
  }
})
