/** The examples do what their READMEs say, and say what is wrong when they cannot. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { dockerRun } from '../skills/docker-run/handler.js'
import { createGate } from '../src/core/gate.js'
import { createDockerProvider } from '../src/docker/index.js'
import { createHttpApp, startServer } from '../src/http/index.js'
import { createMemoryStore } from '../src/stores/memory.js'
import { createFakeEngine, type FakeProgram } from '../src/testing/index.js'

const TOKEN = 'token-of-the-example'
const IMAGE = `busybox@sha256:${'b5'.repeat(32)}`

const hello: FakeProgram = ({ write }) => {
  write('stdout', 'Hello from the fake\n')
  return 0
}

async function runNode(args: string[], env: Record<string, string> = {}): Promise<{ code: number; out: string }> {
  const child = spawn(process.execPath, args, {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exit = new Promise<number>((resolve) => child.once('exit', (code) => resolve(code ?? 1)))
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)])
  return { code: await exit, out: out + err }
}

async function serveOn(host: string) {
  const providerClient = createDockerProvider({ host })
  const gate = createGate({ skills: [dockerRun], store: createMemoryStore(), providerClient })
  const server = await startServer({ app: createHttpApp({ gate, adminToken: TOKEN }), port: 0 })
  const close = async () => {
    await server.close()
    await gate.close()
    await providerClient.close()
  }
  return { url: server.url, close }
}

const dockerSkill = (env: Record<string, string>) =>
  runNode(['examples/docker-skill/run.mjs'], { ADMIN_TOKEN: TOKEN, ...env })

test('examples/embed runs one allowed and one denied call with a client and a key of the host', async () => {
  const { code, out } = await runNode(['--import', './examples/embed/fleet.mjs', 'examples/embed/embed.mjs'])
  assert.equal(code, 0, out)
  assert.match(out, /Containers \(1 results, all=true\)\n\n1\. web-1 \[running\]/)
  assert.match(out, /policy_eval denied No override allows docker-api\.stop_container/)
  assert.match(out, /log intact: true/)
  assert.doesNotMatch(out, /fleet-key/)
})

for (const sdk of ['ai-sdk', 'openai-agents', 'langchain']) {
  const path = `examples/${sdk}/run.mjs`
  test(`${path} has a model run the container, and shows what it printed`, async () => {
    const engine = await createFakeEngine({ programs: [{ argv: ['/bin/sh'], program: hello }] })
    try {
      const { code, out } = await runNode([path], { DOCKER_HOST: engine.host, IMAGE_DIGEST: engine.image })
      assert.equal(code, 0, out)
      assert.match(out, /Hello from the fake/)
      assert.match(out, /It ran\./)
      assert.match(out, /log intact: true/)
      assert.equal(engine.containers.size, 0)
    } finally {
      await engine.close()
    }
  })

  test(`${path} without an engine has the model told why, and does not fail`, async () => {
    const { code, out } = await runNode([path], { DOCKER_HOST: 'unix:///nonexistent/engine.sock', IMAGE_DIGEST: IMAGE })
    assert.equal(code, 0, out)
    assert.match(out, /\{"code":"UPSTREAM_ERROR","reason":".*engine\.sock.*","retriable":true,"run_id":"run_/)
  })

  test(`${path} says what is missing, and is under 40 lines`, async () => {
    const { code, out } = await runNode([path])
    assert.deepEqual([code, /Set IMAGE_DIGEST/.test(out)], [1, true], out)
    assert.ok(readFileSync(path, 'utf8').split('\n').length <= 40)
  })
}

test('examples/docker-skill/run.mjs takes the five steps and prints the run, its audit and its replay', async () => {
  const engine = await createFakeEngine({ programs: [{ argv: ['/bin/sh'], program: hello }] })
  const server = await serveOn(engine.host)
  try {
    const { code, out } = await dockerSkill({ BASE_URL: server.url, IMAGE_DIGEST: engine.image })
    assert.equal(code, 0, out)
    for (const line of [
      /s1 policy_eval docker\.run: allow/,
      /s1 tool_exec docker\.run: ok/,
      /Hello from the fake/,
      /valid: 9 events/,
      /mode safe, valid true/,
    ]) {
      assert.match(out, line)
    }
    assert.equal(engine.containers.size, 0)
  } finally {
    await server.close()
    await engine.close()
  }
})

test('without an engine the example shows the error, and policy, audit and replay still complete', async () => {
  const server = await serveOn('unix:///nonexistent/engine.sock')
  try {
    const { code, out } = await dockerSkill({ BASE_URL: server.url, IMAGE_DIGEST: IMAGE })
    assert.equal(code, 1, out)
    for (const line of [
      /s1 policy_eval docker\.run: allow/,
      /s1 tool_exec docker\.run: error/,
      /nonexistent\/engine\.sock/,
      /valid: 9 events/,
      /mode safe, valid true/,
    ]) {
      assert.match(out, line)
    }
    const wrong = await dockerSkill({ BASE_URL: server.url, IMAGE_DIGEST: IMAGE, ADMIN_TOKEN: 'not the token' })
    assert.deepEqual([wrong.code, /401 UNAUTHORIZED/.test(wrong.out)], [1, true], wrong.out)
  } finally {
    await server.close()
  }
})

test('the docker-skill example says what is missing', async () => {
  const unset = await dockerSkill({})
  assert.deepEqual([unset.code, /Set IMAGE_DIGEST/.test(unset.out)], [2, true], unset.out)
  const alone = await dockerSkill({ BASE_URL: 'http://127.0.0.1:1', IMAGE_DIGEST: IMAGE })
  assert.deepEqual([alone.code, /No server at http:\/\/127\.0\.0\.1:1/.test(alone.out)], [1, true], alone.out)
})

test('examples/mcp lists the one tool that is allowed, runs the container, and is denied the network', async () => {
  const hello: FakeProgram = ({ write }) => {
    write('stdout', 'Hello from the fake\n')
    return 0
  }
  const engine = await createFakeEngine({ programs: [{ argv: ['/bin/sh'], program: hello }] })
  try {
    const env = { IMAGE_DIGEST: engine.image, DOCKER_HOST: engine.host }
    const { code, out } = await runNode(['examples/mcp/run.mjs'], env)
    assert.equal(code, 0, out)
    assert.match(out, /^offered: docker_run\nok: Exit code 0[\s\S]*Hello from the fake/)
    assert.match(out, /DENIED: Error: network is not allowed by the policy\. \(run_\w+\)/)
    assert.equal(engine.containers.size, 0)
  } finally {
    await engine.close()
  }
  const unset = await runNode(['examples/mcp/run.mjs'])
  assert.deepEqual([unset.code, /Set IMAGE_DIGEST/.test(unset.out)], [1, true], unset.out)
})
