/** The `skillgate` command: what it refuses, what it prints, how it ends. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { describe, it } from 'node:test'
import { createFakeEngine } from '../src/testing/index.js'
import { expect, NO_ENGINE, spawnCli, startCli, stopCli, until } from './cli-process.js'

describe('the command line', () => {
  const USABLE = { ADMIN_TOKEN: 'demo', PORT: '0', DOCKER_HOST: NO_ENGINE }
  const refused: [name: string, args: string[], env: Record<string, string>, reason: RegExp][] = [
    ['no token', ['serve'], { PORT: '0' }, /ADMIN_TOKEN is not set/],
    ['a short token for the world', ['serve'], { ...USABLE, HOST: '0.0.0.0' }, /ADMIN_TOKEN has 4 characters/],
    ['a port that is none', ['serve'], { ...USABLE, PORT: 'http' }, /PORT "http"/],
    ['a host that is none', ['serve'], { ...USABLE, HOST: 'http://x' }, /HOST "http:\/\/x"/],
    [
      'an allowed host that is none',
      ['serve'],
      { ...USABLE, ALLOWED_HOSTS: 'https://x' },
      /Allowed host "https:\/\/x"/,
    ],
    ['an origin that is none', ['serve'], { ...USABLE, CORS_ORIGINS: '*' }, /CORS origin "\*"/],
    ['an engine that is none', ['serve'], { ...USABLE, DOCKER_HOST: 'docker' }, /Docker host "docker"/],
    [
      'TLS without certificates',
      ['serve'],
      { ...USABLE, DOCKER_HOST: 'tcp://h', DOCKER_TLS_VERIFY: '1' },
      /DOCKER_CERT_PATH/,
    ],
    ['keys that are not there', ['serve'], { ...USABLE, PUBLIC_KEYS: '/nonexistent/keys' }, /PUBLIC_KEYS .*ENOENT/],
    ['a setting as a flag', ['serve', '--port', '9000'], USABLE, /--port\. .* variables: PORT=9000 skillgate serve\n/],
    ['a setting as a flag with =', ['serve', '--cors-origins=http://a'], USABLE, /CORS_ORIGINS=http:\/\/a skillgate/],
    ['an unknown flag', ['serve', '--verbose'], USABLE, /Unknown option --verbose\. .* environment variables\.\n/],
    ['a flag with a value too many', ['--help=1'], USABLE, /--help.* does not take an argument/],
    ['an unknown command', ['start'], USABLE, /Unknown command: start/],
    ['two commands', ['serve', 'now'], USABLE, /Unknown command: serve now/],
    ['no command', [], USABLE, /Usage:/],
  ]
  describe('exits with 2 and the reason for', { concurrency: 4 }, () => {
    for (const [name, args, env, reason] of refused) {
      it(name, async () => {
        const { output, exited } = spawnCli(args, env)
        assert.equal(await exited, 2, JSON.stringify(output))
        assert.equal(output.stdout, '')
        assert.match(output.stderr, reason)
        assert.doesNotMatch(output.stderr, /\n\s+at /)
      })
    }
  })

  it('does not repeat a token that came as a flag', async () => {
    const { output, exited } = spawnCli(['serve', '--admin-token', 'hunter2'], USABLE)
    assert.equal(await exited, 2)
    assert.match(output.stderr, /ADMIN_TOKEN=\.\.\. skillgate serve/)
    assert.doesNotMatch(output.stderr, /hunter2/)
  })

  const told: [flag: string, text: RegExp][] = [
    ['--version', /^\d+\.\d+\.\d+\n$/],
    ['--help', /Usage:[\s\S]*ADMIN_TOKEN[\s\S]*DOCKER_HOST/],
  ]
  for (const [flag, text] of told) {
    it(`answers ${flag}`, async () => {
      const { output, exited } = spawnCli([flag], {})
      assert.equal(await exited, 0)
      assert.match(output.stdout, text)
      assert.equal(output.stderr, '')
    })
  }

  it('exits with 1 and says what to do when the port is in use', async (t) => {
    const other = createServer().listen(0, '127.0.0.1')
    t.after(() => other.close())
    await once(other, 'listening')
    const { port } = other.address() as { port: number }
    const { output, exited } = spawnCli(['serve'], { ...USABLE, PORT: String(port) })
    assert.equal(await exited, 1)
    assert.match(output.stderr, new RegExp(`${port}.*Set PORT`))
  })

  it('warns when it listens to the world under no name', async (t) => {
    const cli = await startCli({ HOST: '0.0.0.0', ADMIN_TOKEN: 'correct-horse-battery', DOCKER_HOST: NO_ENGINE })
    t.after(() => stopCli(cli))
    await until(
      () => /ALLOWED_HOSTS/.exec(cli.output.stderr) ?? undefined,
      () => JSON.stringify(cli.output),
    )
  })

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`exits with 0 after ${signal}`, async (t) => {
      const cli = await startCli({ DOCKER_HOST: NO_ENGINE })
      t.after(() => stopCli(cli))
      await expect(cli, 201, 'POST', '/v1/sessions', '{}')
      cli.process.kill(signal)
      assert.equal(await cli.exited, 0)
    })
  }

  it('ends a running container before it exits', async (t) => {
    const engine = await createFakeEngine({
      programs: [{ argv: ['/wait'], program: ({ killed }) => once(killed, 'abort').then(() => 0) }],
    })
    t.after(() => engine.close())
    const cli = await startCli({ DOCKER_HOST: engine.host })
    t.after(() => stopCli(cli))
    const { id } = await expect<{ id: string }>(cli, 201, 'POST', '/v1/sessions', '{}')
    const override = { tool: 'docker.run', allow: true, constraints: { images: [engine.image] } }
    await expect(cli, 200, 'PUT', `/v1/sessions/${id}/policy`, JSON.stringify({ overrides: [override] }))
    const intent = { tool: 'docker.run', params: { image: engine.image, cmd: ['/wait'] } }
    const message = JSON.stringify({ role: 'user', content: '', intents: [intent] })
    await expect(cli, 202, 'POST', `/v1/sessions/${id}/messages`, message)
    await until(
      () => (engine.requests.some(({ route }) => route === 'POST /containers/{id}/start') ? true : undefined),
      () => JSON.stringify(engine.requests.map(({ route }) => route)),
    )
    cli.process.kill('SIGTERM')
    assert.equal(await cli.exited, 0)
    assert.equal(engine.containers.size, 0)
  })

  it('exits at once after a second signal', async (t) => {
    const cli = await startCli({ DOCKER_HOST: NO_ENGINE })
    t.after(() => stopCli(cli))
    const port = Number(new URL(cli.url).port)
    const held = connect(port, '127.0.0.1', () => held.write('GET /v1/health HTTP/1.1\r\n'))
    held.on('error', () => {})
    t.after(() => held.destroy())
    await once(held, 'connect')
    cli.process.kill('SIGTERM')
    // Refused connections tell that the first signal was taken; the held one keeps the server from ending.
    await until(
      () =>
        fetch(`${cli.url}/v1/health`).then(
          () => undefined,
          () => true,
        ),
      () => 'it still answers',
    )
    cli.process.kill('SIGTERM')
    assert.equal(await cli.exited, 1)
  })
})
