/** `skillgate serve` from outside: the Docker skill example with an engine behind it, and with none. */
import assert from 'node:assert/strict'
import { after, before, describe, it, type TestContext } from 'node:test'
import type { Event, RunDocument } from '../src/index.js'
import { createFakeEngine, type FakeEngine } from '../src/testing/index.js'
import { type Cli, expect, NO_ENGINE, startCli, stopCli, until } from './cli-process.js'

/** The steps of the document "Docker skill example", with their bodies as they stand there. */
async function followExample(cli: Cli, image: string): Promise<{ sessionId: string; run: RunDocument }> {
  const skill = `{
     "name": "hello-world",
     "version": "1.0",
     "image": "${image}",
     "manifest": {}
   }`
  await expect(cli, 201, 'POST', '/v1/skills', skill)
  const label = '{"label":"Docker example","metadata":{}}'
  const { id: sessionId } = await expect<{ id: string }>(cli, 201, 'POST', '/v1/sessions', label)
  const policy = `{
     "overrides": [{
       "tool": "docker.run",
       "allow": true,
       "constraints": {
         "images": ["${image}"],
         "network_allowed": false,
         "mounts_allowed": false
       }
     }]
   }`
  await expect(cli, 200, 'PUT', `/v1/sessions/${sessionId}/policy`, policy)
  const message = `{
     "role": "user",
     "content": "Run hello-world",
     "intents": [{
       "tool": "docker.run",
       "params": {
         "image": "${image}",
         "cmd": []
       }
     }]
   }`
  const queued = await expect<{ run_id: string; status: string }>(
    cli,
    202,
    'POST',
    `/v1/sessions/${sessionId}/messages`,
    message,
  )
  assert.equal(queued.status, 'queued')
  let run: RunDocument | undefined
  await until(
    async () => {
      run = await expect<RunDocument>(cli, 200, 'GET', `/v1/runs/${queued.run_id}`)
      return run.ended_at
    },
    () => JSON.stringify(run),
  )
  assert.ok(run)
  return { sessionId, run }
}

/** Policy, audit, validation and replay, which must hold whether the tool worked or not. */
async function checkLog(cli: Cli, sessionId: string, run: RunDocument): Promise<void> {
  const audit = await expect<{ events: Event[] }>(cli, 200, 'GET', `/v1/audit?session_id=${sessionId}`)
  assert.deepEqual(
    audit.events.map(({ type }) => type),
    [
      'session.created',
      'policy.replaced',
      'message.appended',
      'run.queued',
      'run.started',
      'policy.decided',
      'tool.started',
      'tool.finished',
      'run.finished',
    ],
  )
  const validation = { valid: true, invalid_index: -1, event_count: audit.events.length }
  const path = `/v1/audit/validate?session_id=${sessionId}`
  assert.deepEqual(await expect(cli, 200, 'GET', path), validation)
  assert.equal((await expect<{ valid: boolean }>(cli, 200, 'GET', '/v1/audit/validate')).valid, true)
  const replay = await expect<Record<string, unknown>>(cli, 200, 'POST', `/v1/runs/${run.id}/replay`)
  const events = audit.events.filter(({ run_id }) => run_id === run.id)
  assert.deepEqual(replay, { run_id: run.id, mode: 'safe', valid: true, events })
  assert.deepEqual(await expect(cli, 200, 'GET', `/v1/runs/${run.id}`), run)
}

/** The run of the example on an engine that works; answers what the container printed. */
function outputOf(run: RunDocument): string {
  assert.equal(run.status, 'completed', JSON.stringify(run))
  const [evaluated, executed] = run.steps
  assert.equal(run.steps.length, 2)
  assert.deepEqual([evaluated?.type, evaluated?.status], ['policy_eval', 'allow'])
  assert.deepEqual([executed?.type, executed?.status], ['tool_exec', 'ok'])
  assert.equal(evaluated?.step_id, executed?.step_id)
  assert.ok(executed?.type === 'tool_exec')
  const { result } = executed.details
  assert.ok(result)
  const { stdout } = result.metadata.run as { stdout: string }
  assert.ok(stdout.length > 0)
  assert.ok(result.result.includes(stdout.trim()))
  return stdout
}

describe('the Docker skill example on the fake engine', () => {
  const image = `hello-world@sha256:${'ab'.repeat(32)}`
  let engine: FakeEngine
  let cli: Cli
  before(async () => {
    engine = await createFakeEngine({
      images: [{ reference: image, tags: [], created: new Date(), config: { Cmd: ['/hello'] } }],
      programs: [
        {
          argv: ['/hello'],
          program({ write }) {
            write('stdout', 'Hello from Docker!\n')
            return 0
          },
        },
      ],
    })
    cli = await startCli({ DOCKER_HOST: engine.host })
  })
  after(async () => {
    await stopCli(cli)
    await engine.close()
  })

  it('[S10] runs the container, and audit, validation and replay tell of it without executing again', async () => {
    const { sessionId, run } = await followExample(cli, image)
    assert.equal(outputOf(run), 'Hello from Docker!\n')
    // The answer may be there before the container is gone.
    await until(
      () => engine.containers.size === 0 || undefined,
      () => 'the container is still there',
    )
    const asked = engine.requests.length
    await checkLog(cli, sessionId, run)
    assert.equal(engine.requests.length, asked)
    assert.equal(engine.containers.size, 0)
  })

  it('answers the same registration again with 200 and refuses another image with 409', async () => {
    const skill = (digit: string): string =>
      JSON.stringify({ name: 'twice', version: '1.0', image: `x@sha256:${digit.repeat(64)}`, manifest: {} })
    await expect(cli, 201, 'POST', '/v1/skills', skill('1'))
    await expect(cli, 200, 'POST', '/v1/skills', skill('1'))
    await expect(cli, 409, 'POST', '/v1/skills', skill('2'))
  })

  it('prints one line on standard output and no warning', () => {
    assert.equal(cli.output.stdout, `skillgate listening on ${cli.url}\n`)
    assert.equal(cli.output.stderr, '')
  })
})

describe('the Docker skill example on a real engine', () => {
  const { SKILLGATE_TEST_DOCKER: host, SKILLGATE_TEST_IMAGE: image, REQUIRE_LIVE } = process.env
  it('runs the container and returns its output', async (t: TestContext) => {
    if (!host || !image) {
      const reason = 'SKILLGATE_TEST_DOCKER and SKILLGATE_TEST_IMAGE name no engine and image'
      assert.notEqual(REQUIRE_LIVE, '1', reason)
      console.log(`skipped: ${reason}`)
      t.skip(reason)
      return
    }
    const cli = await startCli({ DOCKER_HOST: host })
    t.after(() => stopCli(cli))
    const { sessionId, run } = await followExample(cli, image)
    t.diagnostic(`the container printed ${JSON.stringify(outputOf(run))}`)
    await checkLog(cli, sessionId, run)
  })
})

describe('the Docker skill example without an engine', () => {
  it('ends in a tool_exec error that says so; policy, audit and replay still complete', async (t) => {
    const cli = await startCli({ DOCKER_HOST: NO_ENGINE })
    t.after(() => stopCli(cli))
    const { sessionId, run } = await followExample(cli, `hello-world@sha256:${'ab'.repeat(32)}`)
    assert.equal(run.status, 'failed')
    const [evaluated, executed] = run.steps
    assert.deepEqual([evaluated?.type, evaluated?.status], ['policy_eval', 'allow'])
    assert.ok(executed?.type === 'tool_exec' && executed.status === 'error')
    assert.equal(run.reason?.code, 'UPSTREAM_ERROR')
    assert.match(executed.details.result?.result ?? '', /\/nonexistent\/skillgate\/docker\.sock/)
    await checkLog(cli, sessionId, run)
    const warning = await until(
      () => cli.output.stderr.split('\n').find((line) => line.includes('No container engine')),
      () => JSON.stringify(cli.output),
    )
    const { level, reason } = JSON.parse(warning) as { level: string; reason: string }
    assert.equal(level, 'warn')
    assert.match(reason, /\/nonexistent\/skillgate\/docker\.sock/)
  })
})
