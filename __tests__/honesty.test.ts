/** What was cut, left behind or is not known is said beside the answer, not hidden in it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dockerApi } from '../skills/docker-api/handler.js'
import { dockerRun } from '../skills/docker-run/handler.js'
import { createDockerProvider } from '../src/docker/index.js'
import { createGate, isFailure, type ProviderClient, type SkillResult } from '../src/index.js'
import { createMemoryStore } from '../src/stores/memory.js'
import { createFakeEngine, type FakeProgram } from '../src/testing/index.js'

const IMAGE = `busybox@sha256:${'b5'.repeat(32)}`

const client = (answer: unknown): ProviderClient => ({ request: async () => answer })

const gateOn = (providerClient: ProviderClient, secrets: string[] = []) =>
  createGate({ skills: [dockerApi, dockerRun], store: createMemoryStore(), providerClient, secrets })

async function resultOf(gate: ReturnType<typeof gateOn>, tool: string, params: object, constraints: object) {
  const session = await gate.createSession()
  await session.setPolicy({ overrides: [{ tool, allow: true, constraints }] })
  const run = await session.post({ role: 'user', content: '', intents: [{ tool, params: { ...params } }] })
  const { steps, status } = await run.done()
  const step = steps.find(({ type }) => type === 'tool_exec')
  return { status, details: step?.details as { result: SkillResult; capped?: true } }
}

test('a narrowed listing that looked at the first 100 only says so', async () => {
  const containers = Array.from({ length: 100 }, (_, index) => ({
    id: `c${index}`,
    name: `web-${index}`,
    status: 'running',
  }))
  const gate = gateOn(client({ containers }))
  const cut = await resultOf(gate, 'docker-api.list_containers', {}, { containers: ['web-110'] })
  assert.match(cut.details.result.result, /0 results[\s\S]*Only the first 100 were searched/)
  assert.equal(cut.details.result.metadata.searched, 100)
  const open = await resultOf(gate, 'docker-api.list_containers', {}, {})
  assert.equal('searched' in open.details.result.metadata, false)
})

test('the suggested fix for a container covers that container alone', async () => {
  const gate = gateOn(client({}))
  const { suggested_fix } = await gate.simulate({ tool: 'docker-api.stop_container', params: { containerId: 'db' } })
  assert.deepEqual(suggested_fix, {
    tool: 'docker-api.stop_container',
    allow: true,
    constraints: { containers: ['db'] },
  })
})

test('a policy whose image is a tag is told what to send', async () => {
  const session = await gateOn(client({})).createSession()
  const constraints = { images: [IMAGE, 'busybox:latest'] }
  await assert.rejects(session.setPolicy({ overrides: [{ tool: 'docker.run', allow: true, constraints }] }), {
    code: 'INVALID_INPUT',
    message: /images\[1\] .* not pinned .*busybox:latest.* repository@sha256:<64 hex>/,
    details: { field: 'overrides[0].constraints.images[1]' },
  })
})

test('a container that does not exist looks like one that the policy does not cover', async () => {
  const missing = { request: () => Promise.reject(Object.assign(new Error('no such container'), { status: 404 })) }
  const { details } = await resultOf(
    gateOn(missing),
    'docker-api.get_container',
    { containerId: 'db' },
    { containers: ['web'] },
  )
  assert.equal(details.result.metadata.success === false && details.result.metadata.error.code, 'DENIED')
})

test('[S16] a container that could not be removed is told in the result', async () => {
  const engine = await createFakeEngine()
  const provider = createDockerProvider({ host: engine.host })
  const undo = engine.fault('DELETE /containers/{id}', { reply: { status: 500, body: '{"message":"busy"}' } })
  try {
    const { metadata, result } = await dockerRun.execute({ image: IMAGE, cmd: ['true'] }, { providerClient: provider })
    assert.match(result, /could not be removed/)
    assert.equal((metadata.warnings as string[]).length, 1)
  } finally {
    undo()
    await provider.close()
    await engine.close()
  }
})

test('when the engine is lost after the start, what was printed stays and a retry is not advised', async () => {
  const print: FakeProgram = async ({ write, killed }) => {
    write('stdout', 'half done')
    await new Promise((resolve) => killed.addEventListener('abort', resolve, { once: true }))
    return 0
  }
  const engine = await createFakeEngine({ programs: [{ argv: ['/bin/job'], program: print }] })
  const provider = createDockerProvider({ host: engine.host })
  engine.fault('POST /containers/{id}/wait', { delayMs: 100, end: 'drop' })
  try {
    const { metadata } = await dockerRun.execute({ image: IMAGE, cmd: ['/bin/job'] }, { providerClient: provider })
    assert.equal(metadata.success, false)
    if (metadata.success) return
    assert.deepEqual([metadata.error.code, metadata.error.retriable], ['UPSTREAM_ERROR', false])
    assert.equal(metadata.error.details?.may_have_run, true)
    assert.deepEqual(
      [(metadata.run as { stdout: string }).stdout, (metadata.run as { exit_code: null }).exit_code],
      ['half done', null],
    )
    assert.equal(engine.containers.size, 0)
  } finally {
    await provider.close()
    await engine.close()
  }
})

test('a long text is cut in the log, and a field beside it says so', async () => {
  const outcome = {
    exit_code: 0,
    stdout: 'x'.repeat(600_000),
    stderr: '',
    timed_out: false,
    oom_killed: false,
    image_id: 'i',
    duration_ms: 1,
    posture: {},
    output: { bytes_total: 600_000, bytes_kept: 600_000, truncated: false },
  }
  const { details, status } = await resultOf(
    gateOn(client({ run: outcome })),
    'docker.run',
    { image: IMAGE },
    { images: [IMAGE] },
  )
  assert.deepEqual([status, details.capped], ['completed', true])
})

test('a secret too short to be recognised is refused, not ignored', () => {
  assert.throws(
    () => gateOn(client({}), ['short']),
    (error) => isFailure(error) && error.details?.field === 'secrets[0]',
  )
})
