/** `skillgate gateway` from outside: the host on one side, the engine only behind the gateway. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, describe, it, type TestContext } from 'node:test'
import { runSpec } from '../src/docker/__tests__/run-fixture.js'
import { createGatewayClient } from '../src/gateway/index.js'
import { createFakeEngine, type FakeEngine } from '../src/testing/index.js'
import { type Cli, NO_ENGINE, spawnCli, startCli, stopCli, until } from './cli-process.js'

const KEY = 'key-of-the-example'
const CONFIG = 'examples/gateway/gateway.json'

async function startGateway(env: Record<string, string>, config = CONFIG): Promise<Cli> {
  const cli = spawnCli(['gateway', config], { PORT: '0', ...env })
  const url = await until(
    () => /^skillgate gateway listening on (\S+)\n/.exec(cli.output.stdout)?.[1],
    () => JSON.stringify(cli.output),
  )
  return { ...cli, url }
}

async function runExample(file: string, env: Record<string, string>): Promise<{ code: number; out: string }> {
  const child = spawn(process.execPath, [file], { env: { PATH: process.env.PATH, ...env }, stdio: 'pipe' })
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  return { code, out: out + err }
}

/** The example's configuration, with another image to run. */
function configFor(t: TestContext, image: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'gateway-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const config = JSON.parse(readFileSync(CONFIG, 'utf8'))
  config.keys[0].runs.images = [image]
  const path = join(directory, 'gateway.json')
  writeFileSync(path, JSON.stringify(config))
  return path
}

describe('an engine behind skillgate gateway', () => {
  let engine: FakeEngine
  let gateway: Cli
  before(async () => {
    engine = await createFakeEngine({
      programs: [
        {
          argv: ['/bin/sh'],
          program({ write }) {
            write('stdout', 'Hello through the gateway\n')
            return 0
          },
        },
        { argv: ['/wait'], program: ({ killed }) => once(killed, 'abort').then(() => 0) },
      ],
    })
    gateway = await startGateway({ DOCKER_HOST: engine.host })
  })
  after(async () => {
    await stopCli(gateway)
    await engine.close()
  })

  it('runs the five steps of the Docker skill example, with a server that has no engine of its own', async (t) => {
    const env = { DOCKER_HOST: NO_ENGINE, GATEWAY_URL: gateway.url, GATEWAY_CREDENTIAL: KEY }
    const host = await startCli(env)
    t.after(() => stopCli(host))
    const { code, out } = await runExample('examples/docker-skill/run.mjs', {
      BASE_URL: host.url,
      ADMIN_TOKEN: 'demo',
      IMAGE_DIGEST: engine.image,
    })
    assert.equal(code, 0, out)
    for (const line of [
      /s1 policy_eval docker\.run: allow/,
      /s1 tool_exec docker\.run: ok/,
      /Hello through the gateway/,
      /valid: 9 events/,
      /mode safe, valid true/,
    ]) {
      assert.match(out, line)
    }
    assert.equal(engine.containers.size, 0)
    assert.equal(host.output.stderr, '')
  })

  it('writes a line for each request, without the key', async () => {
    const line = await until(
      () => gateway.output.stderr.split('\n').find((one) => one.includes('POST /containers/run')),
      () => gateway.output.stderr,
    )
    const { level, key, route, status, run_id } = JSON.parse(line) as Record<string, unknown>
    assert.deepEqual([level, key, route, status], ['info', 'agents', 'POST /containers/run', 200])
    assert.match(String(run_id), /^run_.*\/s1$/)
    assert.ok(!gateway.output.stderr.includes(KEY))
  })

  it('examples/gateway/host.mjs runs the container of the document', async () => {
    const env = { GATEWAY_URL: gateway.url, IMAGE_DIGEST: engine.image }
    const { code, out } = await runExample('examples/gateway/host.mjs', env)
    assert.equal(code, 0, out)
    assert.match(out, /policy_eval allow[\s\S]*tool_exec ok[\s\S]*Hello through the gateway[\s\S]*log intact: true/)
  })

  it('a host that dies in the middle of a run leaves no container behind', async () => {
    const script = `
      import { createGatewayClient } from './src/gateway/index.js'
      const client = createGatewayClient({ url: process.env.URL, credential: '${KEY}' })
      await client.request('POST', '/containers/run', JSON.parse(process.env.SPEC), process.env.LIVE ? { onOutput() {} } : {})`
    const spec = runSpec(engine.image, ['/wait'], { timeout_ms: 60_000, pids: 16 })
    for (const LIVE of ['', '1']) {
      const env = { PATH: process.env.PATH, URL: gateway.url, SPEC: JSON.stringify(spec), LIVE }
      const args = ['--import', 'tsx', '--input-type=module', '-e', script]
      const host = spawn(process.execPath, args, { env, stdio: 'inherit' })
      await until(
        () => [...engine.containers.values()].find(({ state }) => state === 'running'),
        () => 'nothing runs',
      )
      host.kill('SIGKILL')
      await until(
        () => engine.containers.size === 0 || undefined,
        () => `${engine.containers.size} are left`,
      )
    }
    assert.match(gateway.output.stderr, /"code":"ABORTED"/)
  })

  it('a gateway that is ended removes what runs, and exits with 0', async (t) => {
    const own = await startGateway({ DOCKER_HOST: engine.host })
    t.after(() => stopCli(own))
    const client = createGatewayClient({ url: own.url, credential: KEY })
    t.after(() => client.close())
    const spec = { image: engine.image, cmd: ['/wait'], env: {}, timeout_ms: 60_000, memory_mb: 64, cpus: 1, pids: 16 }
    const rest = { network: 'none', mounts: [], output: { keep_bytes: 1_000, limit_bytes: 10_000 } }
    const run = client.request('POST', '/containers/run', { ...spec, ...rest })
    await Promise.all([
      assert.rejects(run, { code: 'ABORTED' }),
      until(
        () => [...engine.containers.values()].find(({ state }) => state === 'running'),
        () => 'nothing runs',
      ).then(() => own.process.kill('SIGTERM')),
    ])
    assert.equal(await own.exited, 0, JSON.stringify(own.output))
    assert.equal(engine.containers.size, 0)
    assert.equal(own.output.stdout, `skillgate gateway listening on ${own.url}\n`)
  })
})

describe('skillgate gateway', () => {
  for (const [name, args, env, reason] of [
    ['no configuration', [], {}, /Name one CONFIG file/],
    ['one that is not there', ['/nonexistent.json'], {}, /CONFIG "\/nonexistent\.json" .* cannot be read \(ENOENT\)/],
    ['one that is none', ['package.json'], {}, /Unknown field|keys is missing/],
    ['one that is not JSON', ['README.md'], {}, /not JSON/],
    ['a certificate without its key', [CONFIG], { TLS_CERT: 'cert.pem' }, /TLS_KEY is not set/],
    ['a port that is none', [CONFIG], { PORT: 'x' }, /PORT "x"/],
    ['a short signing key', [CONFIG], { SIGNING_KEY: 'x' }, /SIGNING_KEY has 1 bytes/],
  ] as [string, string[], Record<string, string>, RegExp][]) {
    it(`exits with 2 for ${name}`, async () => {
      const { output, exited } = spawnCli(['gateway', ...args], { DOCKER_HOST: NO_ENGINE, ...env })
      assert.equal(await exited, 2, JSON.stringify(output))
      assert.match(output.stderr, reason)
      assert.equal(output.stdout, '')
    })
  }

  it('serves HTTPS, and only to clients with a certificate when it is told so', async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'gateway-tls-'))
    t.after(() => rmSync(directory, { recursive: true }))
    const at = (name: string) => join(directory, name)
    const openssl = (...args: string[]) => {
      const { status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' })
      assert.equal(status, 0, stderr)
    }
    const subject = ['-subj', '/CN=gateway', '-addext', 'subjectAltName=IP:127.0.0.1']
    const keys = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
    openssl('req', '-x509', ...keys, '-days', '1', ...subject, '-keyout', at('key.pem'), '-out', at('cert.pem'))
    const [cert, key] = [readFileSync(at('cert.pem')), readFileSync(at('key.pem'))]
    const engine = await createFakeEngine()
    t.after(() => engine.close())
    const env = { DOCKER_HOST: engine.host, TLS_CERT: at('cert.pem'), TLS_KEY: at('key.pem') }
    for (const [asked, tls, works] of [
      [{}, { ca: cert }, true],
      [{}, {}, false],
      [{ TLS_CLIENT_CA: at('cert.pem') }, { ca: cert, cert, key }, true],
      [{ TLS_CLIENT_CA: at('cert.pem') }, { ca: cert }, false],
    ] as const) {
      const gateway = await startGateway({ ...env, ...asked })
      assert.match(gateway.url, /^https:/)
      const client = createGatewayClient({ url: gateway.url, credential: KEY, tls })
      const answer = client.request('GET', '/containers')
      if (works) assert.deepEqual(await answer, { containers: [] })
      else await assert.rejects(answer, { code: 'UPSTREAM_ERROR' })
      await client.close()
      await stopCli(gateway)
    }
  })
})

describe('a gateway before a real engine', () => {
  const { SKILLGATE_TEST_DOCKER: DOCKER_HOST, SKILLGATE_TEST_IMAGE: image, REQUIRE_LIVE } = process.env
  it('runs the five steps of the Docker skill example', async (t) => {
    if (!DOCKER_HOST || !image) {
      const reason = 'SKILLGATE_TEST_DOCKER and SKILLGATE_TEST_IMAGE name no engine and image'
      assert.notEqual(REQUIRE_LIVE, '1', reason)
      console.log(`skipped: ${reason}`)
      return t.skip(reason)
    }
    const gateway = await startGateway({ DOCKER_HOST }, configFor(t, image))
    t.after(() => stopCli(gateway))
    const host = await startCli({ DOCKER_HOST: NO_ENGINE, GATEWAY_URL: gateway.url, GATEWAY_CREDENTIAL: KEY })
    t.after(() => stopCli(host))
    const env = { BASE_URL: host.url, ADMIN_TOKEN: 'demo', IMAGE_DIGEST: image }
    const { code, out } = await runExample('examples/docker-skill/run.mjs', env)
    assert.equal(code, 0, out)
    assert.match(out, /tool_exec docker\.run: ok[\s\S]*valid: 9 events[\s\S]*valid true/)
  })
})
