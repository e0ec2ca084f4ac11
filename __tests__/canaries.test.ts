/** More than forty secrets on the way through a serving process: none may be in anything that leaves it or that it keeps. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Event, RunDocument } from '../src/index.js'
import { type Caller, createCaller, createCollector, filesOf } from './canary-caller.js'
import { type CanaryEngine, fakeCanaryEngine, realCanaryEngine } from './canary-engine.js'
import {
  ADMIN_TOKEN,
  DENIED,
  ENGINE_AWAY,
  ENGINE_ERROR,
  github,
  IDEMPOTENCY_KEY,
  jwt,
  MANIFEST,
  MESSAGE,
  PLANTED,
  RUNS,
  SESSION,
  SIGNING_KEY,
  SIMULATED,
  UNKNOWN,
} from './canary-plants.js'
import { createSearch, FORMS } from './canary-search.js'
import { type Cli, spawnCli, startCli, stopCli, until } from './cli-process.js'

const PINNED = `other@sha256:${'1'.repeat(64)}`

const nested = (key: string, depth = 40): object => (depth === 0 ? {} : { [key]: nested(key, depth - 1) })

/** Requests that are refused for something in them, and what is answered may tell of that. */
async function sendNonsense({ call }: Caller, session: string): Promise<void> {
  const keys = { 'idempotency-key': IDEMPOTENCY_KEY }
  await call('POST', '/v1/sessions', { body: { label: github() }, headers: keys })
  await call('POST', '/v1/sessions', { body: SESSION, headers: { 'idempotency-key': `token=${github()} x` } })
  await call('POST', '/v1/sessions', { body: { [SIGNING_KEY]: 1, [jwt()]: 1 } })
  await call('POST', '/v1/sessions', { body: { metadata: { [SIGNING_KEY]: 1 } } })
  await call('POST', '/v1/sessions', { body: { label: { at: SIGNING_KEY } } })
  const body = { role: 'user', content: '', intents: [{ tool: 'docker.run', params: nested(SIGNING_KEY) }] }
  await call('POST', `/v1/sessions/${session}/messages`, { body })
  await call('POST', `/v1/sessions/${session}/messages`, { body: { ...body, intents: ADMIN_TOKEN } })
  const policy = (...overrides: object[]) => call('PUT', `/v1/sessions/${session}/policy`, { body: { overrides } })
  await policy({ tool: 'docker.run', allow: true, constraints: { [github()]: 1 } })
  await policy({ tool: 'docker.run', allow: true, constraints: { images: [`https://u:${github()}@r/x`] } })
  await policy({ tool: `docker.${github()}`, allow: true }, { tool: 'docker.run', allow: SIGNING_KEY })
  await call('POST', '/v1/policy/simulate', { body: { session_id: session, tool: 'docker.run', params: SIMULATED } })
  await call('POST', '/v1/policy/simulate', { body: { tool: github(), params: { token: github() } } })
  const skill = { name: 'canaries', version: '2', image: PINNED, manifest: {} }
  await call('POST', '/v1/skills', { body: { ...skill, name: github() } })
  await call('POST', '/v1/skills', { body: { ...skill, image: `https://u:${github()}@h/x` } })
  await call('POST', '/v1/skills', { body: { ...skill, signature: SIGNING_KEY, public_key_id: github() } })
  await call('GET', `/v1/nothing?token=${github()}&${jwt()}=1&${jwt()}=1`)
  await call('GET', `/v1/sessions?${'x'.repeat(40)}${github()}=1`)
  for (const id of [github(), jwt(), encodeURIComponent(SIGNING_KEY)]) {
    await call('GET', `/v1/runs/${id}`)
    await call('GET', `/v1/sessions/${id}`)
    await call('GET', `/v1/audit?session_id=${id}&type=${id}`)
  }
  await call('GET', '/v1/sessions', { headers: { authorization: `Bearer ${github()}` } })
  await call('GET', '/v1/sessions', { headers: { host: `${github()}.example` } })
  await call('POST', '/v1/sessions', { body: {}, headers: { 'content-type': `text/${jwt()}` } })
}

/** Calls of tools, each as a run: those that work, those that fail, and those that are refused. */
async function callTools({ call, ended }: Caller, engine: CanaryEngine, post: Post): Promise<RunDocument[]> {
  const { image, container: containerId } = engine
  const runs: RunDocument[] = []
  async function run(tool: string, params: object, status: string): Promise<void> {
    const document = await ended(await post(tool, params))
    assert.equal(document.status, status, JSON.stringify(document))
    runs.push(document)
    await call('POST', `/v1/runs/${document.id}/replay`)
  }

  await run('docker-api.list_containers', { all: true }, 'completed')
  await run('docker-api.get_container', { containerId }, 'completed')
  await run('docker-api.get_logs', { containerId }, 'completed')
  await run('docker-api.list_images', {}, 'completed')
  await run('docker-api.stop_container', { containerId, ...DENIED }, 'denied')
  await run('docker.unknown', UNKNOWN, 'denied')
  await run('docker.run', { image: PINNED, env: { X_PASSWORD: github() } }, 'denied')
  await run('docker.run', { image, ...RUNS.prints }, 'failed')
  await run('docker.run', { image, ...RUNS.cannotStart }, 'failed')
  if (engine.fake) {
    const undo = engine.fake.fault('GET /images/json', { reply: { status: 500, body: ENGINE_ERROR } })
    await run('docker-api.list_images', {}, 'failed')
    undo()
    assert.match(JSON.stringify(runs), /denied: token=\[REDACTED:/)
  }
  return runs
}

type Post = (tool: string, params: object) => Promise<string>

async function followCanaries(t: TestContext, engine: CanaryEngine): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'canaries-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const collector = await createCollector()
  t.after(collector.close)
  const env = {
    DATA_DIR: directory,
    DOCKER_HOST: engine.host,
    ADMIN_TOKEN,
    SIGNING_KEY,
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'true',
  }
  const servers: Cli[] = []
  t.after(() => Promise.all(servers.map(stopCli)))
  const start = async (): Promise<Cli> => {
    const cli = await startCli(env)
    servers.push(cli)
    return cli
  }
  const heal = engine.fake?.fault('GET /version', { reply: { status: 500, body: ENGINE_AWAY } })
  let server = await start()
  if (heal) {
    const { output } = server
    await until(
      () => /away: password=\[REDACTED:/.test(output.stderr) || undefined,
      () => JSON.stringify(output),
    )
    heal()
  }

  const caller = createCaller(() => server)
  const { call, ended } = caller
  const created = { body: SESSION, headers: { 'idempotency-key': IDEMPOTENCY_KEY } }
  const { id } = await call<{ id: string }>('POST', '/v1/sessions', created)
  assert.equal((await call<{ id: string }>('POST', '/v1/sessions', created)).id, id, 'the key counts')
  const constraints = { images: [engine.image] }
  const overrides = [
    { tool: 'docker-api.*', allow: true },
    { tool: 'docker.run', allow: true, constraints },
  ]
  await call('PUT', `/v1/sessions/${id}/policy`, { body: { overrides } })
  const skill = { name: 'canaries', version: '1', image: PINNED, manifest: MANIFEST }
  await call('POST', '/v1/skills', { body: skill })
  await sendNonsense(caller, id)

  const post: Post = async (tool, params) => {
    const body = { ...MESSAGE, intents: [{ tool, params }] }
    return (await call<{ run_id: string }>('POST', `/v1/sessions/${id}/messages`, { body })).run_id
  }
  const runs = await callTools(caller, engine, post)

  const speak = await caller.mcp(id, github())
  await speak('tools/list', {})
  const withProgress = { name: 'docker_run', _meta: { progressToken: 1 } }
  const spoken = await speak('tools/call', { ...withProgress, arguments: { image: engine.image, ...RUNS.mcp } })
  assert.match(spoken, /notifications\/progress[\s\S]*EXIT_NONZERO/)
  await speak('tools/call', { name: github(), arguments: { token: github(), [github()]: SIGNING_KEY } })
  await speak('tools/call', { name: jwt(), arguments: nested(SIGNING_KEY) })
  await speak(github(), {})

  // One runs and one waits while the server dies: the next one settles both.
  const lingering = await post('docker.run', { image: engine.image, ...RUNS.lingers })
  const waiting = await post('docker.run', { image: engine.image, ...RUNS.waits })
  await engine.running()
  const whileWaiting = filesOf(directory)
  await stopCli(server)
  server = await start()
  const recovered = [await ended(lingering), await ended(waiting)]
  assert.deepEqual(
    recovered.map(({ status, reason }) => reason?.code ?? status),
    ['completed', 'EXIT_NONZERO'],
  )

  for (const path of ['sessions', `sessions/${id}`, `sessions/${id}/messages`, 'skills', 'tools', 'health']) {
    await call('GET', `/v1/${path}`)
  }
  await call('GET', '/v1/openapi.json')
  await call('GET', `/v1/policy/effective?session_id=${id}`)
  const { events } = await call<{ events: Event[] }>('GET', '/v1/audit?limit=1000')
  assert.equal((await call<{ valid: boolean }>('GET', '/v1/audit/validate')).valid, true)
  const exporting = spawnCli(['audit', 'export'], env)
  assert.equal(await exporting.exited, 0, JSON.stringify(exporting.output))
  server.process.kill('SIGTERM')
  assert.equal(await server.exited, 0, JSON.stringify(server.output))

  /** Where redacted texts arrive, so that an empty channel is not taken for a clean one. */
  const full: Record<string, string> = {
    'HTTP answers': [...caller.received].join('\n'),
    'results and metadata': JSON.stringify([runs, recovered]),
    'the log': JSON.stringify(events),
    'the exported log': exporting.output.stdout,
    'MCP answers': spoken,
    'files while a run waits': whileWaiting,
    'files at the end': filesOf(directory),
    telemetry: collector.received.join('\n'),
  }
  const printed = {
    'standard output': servers.map(({ output }) => output.stdout).join('\n'),
    'standard error': [exporting, ...servers].map(({ output }) => output.stderr).join('\n'),
  }
  for (const [where, text] of Object.entries(full)) {
    assert.ok(text.includes('[REDACTED:') && /plant\d\d/i.test(text), `${where} tells of what was planted`)
  }
  const everything = Object.values(full).join('\n').toLowerCase()
  const untold = PLANTED.filter(({ tag, told }) => told && !everything.includes(tag)).map(({ tag }) => tag)
  assert.deepEqual(untold, [], 'the text around these secrets did not arrive anywhere')

  const search = createSearch(PLANTED)
  const leaks = Object.entries({ ...full, ...printed }).flatMap(([where, text]) =>
    search(text).map((leak) => `${where}: ${leak}`),
  )
  assert.deepEqual(leaks, [], 'secrets left')
  const bare = search([await engine.raw(), ...caller.sent].join('\n')).length
  assert.ok(bare > 2 * 40, `the same search finds them in what skillgate was given: ${bare}`)
  t.diagnostic(
    `${PLANTED.length} secrets, none in ${Math.round(everything.length / 1_000)} kB; ${bare} findings in what came in`,
  )
}

test('the search finds each secret, and pieces of it, in every form', () => {
  const search = createSearch(PLANTED)
  assert.ok(PLANTED.length >= 40)
  assert.equal(new Set(PLANTED.map(({ secret }) => secret)).size, PLANTED.length)
  for (const canary of PLANTED) {
    const { secret, tag } = canary
    const piece = secret.slice(3, 16)
    const found = [secret, secret.slice(-8), ...FORMS.map(([, encode]) => encode(piece)), `${btoa(`u:${piece}`)}`]
    for (const text of found) assert.match(search(`some text ${text} and more`).join(), new RegExp(tag), text)
    assert.deepEqual(search(`some text ${secret.slice(0, 7)} and more`), [])
  }
})

test('canaries on the fake engine [S11]', async (t) => {
  const engine = await fakeCanaryEngine()
  t.after(engine.close)
  await followCanaries(t, engine)
})

const { SKILLGATE_TEST_DOCKER: host, SKILLGATE_TEST_IMAGE: base, REQUIRE_LIVE } = process.env
const missing = host && base ? false : 'SKILLGATE_TEST_DOCKER and SKILLGATE_TEST_IMAGE are not both set'
if (missing) console.log(`# canaries on a real engine are not tested: ${missing}`)

test('canaries on a real engine [S11]', { skip: REQUIRE_LIVE === '1' ? false : missing }, async (t) => {
  assert.ok(host && base, missing || '')
  const engine = await realCanaryEngine(host, base)
  t.after(engine.close)
  await followCanaries(t, engine)
})
