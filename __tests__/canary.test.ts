/** Forty secrets, planted wherever a run can pick one up: none may be in anything that leaves. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Agent, request } from 'undici'
import { dockerApi } from '../skills/docker-api/handler.js'
import { dockerRun } from '../skills/docker-run/handler.js'
import { createDockerProvider } from '../src/docker/index.js'
import { createHttpApp } from '../src/http/index.js'
import { createGate } from '../src/index.js'
import { createRandom } from '../src/redaction/__tests__/corpus/random.js'
import { createMemoryStore } from '../src/stores/memory.js'
import { createFakeEngine, type FakeProgram } from '../src/testing/index.js'

const TOKEN = 'an-admin-token-for-the-canaries'
const IMAGE = `busybox@sha256:${'b5'.repeat(32)}`
const random = createRandom(40)
const canaries = Array.from(
  { length: 40 },
  () => `${random.chars('abcdefghjkmnpqrstuvwxyzABCDEFGHJK', 18)}${random.below(90) + 10}`,
)
const canary = (index: number): string => canaries[index] as string

const LOGS = [
  `db url postgres://app:${canary(0)}@db/app`,
  `{"level":"info","password":"${canary(1)}"}`,
  `GET /?access_token=${canary(2)}&x=1 HTTP/1.1`,
  `Authorization: Bearer ${canary(3)}`,
  `\x1b[31mAPI_KEY\x1b[0m=${canary(4)}`,
  `mysql -u root -p${canary(5)} -h db`,
  `export AWS_SECRET_ACCESS_KEY=${canary(6)}`,
  `Cookie: session=${canary(7)}`,
  `login with ghp_${canary(8)}${canary(9).slice(0, 16)}`,
  `<password>${canary(10)}</password>`,
  `- name: DB_PASSWORD\n  value: ${canary(11)}`,
  `host secret ${canary(12)} and ${Buffer.from(`u:${canary(12)}`).toString('base64')}`,
]

test('forty planted secrets are in no result, log event, HTTP body or process output [S11]', async (context) => {
  const job: FakeProgram = ({ write, env }) => {
    write('stdout', `${LOGS.join('\n')}\nDB_PASSWORD=${env.DB_PASSWORD}\n`)
    write('stderr', `fatal: token=${canary(13)} secret: ${canary(14)}\n`)
    return 1
  }
  const engine = await createFakeEngine({ programs: [{ argv: ['/bin/job'], program: job }] })
  const socket = new Agent({ connect: { socketPath: engine.host.replace('unix://', '') } })
  const provider = createDockerProvider({ host: engine.host })
  const output: string[] = []
  for (const stream of [process.stdout, process.stderr]) {
    const original = stream.write.bind(stream)
    context.mock.method(stream, 'write', (piece: string | Uint8Array, ...rest: []) => {
      output.push(String(piece))
      return original(piece, ...rest)
    })
  }
  const store = createMemoryStore()
  const gate = createGate({
    skills: [dockerApi, dockerRun],
    store,
    providerClient: provider,
    secrets: [canary(12), TOKEN],
  })
  const app = createHttpApp({ gate, adminToken: TOKEN })
  const bodies: string[] = []
  async function call(method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
    const headers = { authorization: `Bearer ${TOKEN}`, host: 'localhost', 'content-type': 'application/json' }
    const answer = await app.fetch(
      new Request(`http://localhost/v1${path}`, {
        method,
        headers,
        ...(body !== undefined && { body: JSON.stringify(body) }),
      }),
    )
    const text = await answer.text()
    bodies.push(text)
    return JSON.parse(text) as Record<string, unknown>
  }

  try {
    const labels = Object.fromEntries(
      Array.from({ length: 6 }, (_, index) => [`com.example.secret-${'abcdef'[index]}.password`, canary(15 + index)]),
    )
    const created = await request(`http://localhost/v1.41/containers/create?name=planted`, {
      dispatcher: socket,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        Image: IMAGE,
        Cmd: ['/bin/job'],
        Env: [`DB_PASSWORD=${canary(21)}`, `API_TOKEN=${canary(22)}`],
        Labels: labels,
      }),
    })
    const { Id } = (await created.body.json()) as { Id: string }
    assert.ok(Id, 'the container is there')

    const { id } = await call('POST', '/sessions', {
      label: `password=${canary(23)}`,
      metadata: { api_key: canary(24) },
    })
    await call('PUT', `/sessions/${id}/policy`, {
      overrides: [
        { tool: 'docker-api.*', allow: true },
        { tool: 'docker.run', allow: true, constraints: { images: [IMAGE], env: ['DB_PASSWORD', 'API_TOKEN'] } },
      ],
    })
    const tools: [string, object][] = [
      ['docker-api.start_container', { containerId: 'planted' }],
      ['docker-api.get_container', { containerId: 'planted' }],
      ['docker-api.list_containers', { all: true }],
      ['docker-api.get_logs', { containerId: 'planted' }],
      ['docker-api.list_images', {}],
      [
        'docker.run',
        {
          image: IMAGE,
          cmd: ['/bin/job'],
          env: { DB_PASSWORD: canary(25), API_TOKEN: canary(26) },
          stdin: `password=${canary(27)}`,
        },
      ],
      ['docker.run', { image: IMAGE, cmd: ['/bin/unknown', '--password', canary(28), `--token=${canary(29)}`] }],
      ['docker.nothing', { password: canary(30), note: `secret=${canary(31)}` }],
    ]
    const statuses: string[] = []
    engine.fault('GET /images/json', {
      reply: {
        status: 500,
        body: JSON.stringify({ message: `denied: token=${canary(32)} postgres://a:${canary(33)}@b` }),
      },
    })
    for (const [tool, params] of tools) {
      const { run_id } = await call('POST', `/sessions/${id}/messages`, {
        role: 'user',
        content: `run it with api_key=${canary(34)}`,
        metadata: { token: canary(35) },
        intents: [{ tool, params }],
      })
      let run = await call('GET', `/runs/${run_id}`)
      for (let turn = 0; turn < 500 && !run.ended_at; turn++) {
        await new Promise((resolve) => setTimeout(resolve, 4))
        run = await call('GET', `/runs/${run_id}`)
      }
      statuses.push(String(run.status))
      await call('POST', `/runs/${run_id}/replay`)
    }
    await call('POST', '/policy/simulate', {
      session_id: id,
      tool: 'docker.run',
      params: { image: IMAGE, env: { X_PASSWORD: canary(36) } },
    })
    await call('POST', '/skills', {
      name: 'x',
      version: '1',
      image: IMAGE,
      manifest: { password: canary(37), url: `https://u:${canary(38)}@h/x` },
    })
    await call('GET', `/sessions/${id}/messages`)
    await call('GET', `/nothing?token=${canary(39)}`)
    await call('GET', `/audit?session_id=${id}`)
    const stored = JSON.stringify(await store.query({ session_id: String(id), limit: 1_000 }))
    const leaving = { bodies: bodies.join('\n'), stored, output: output.join('') }
    assert.ok(leaving.bodies.includes('[REDACTED:') && stored.includes('[REDACTED:'), statuses.join())
    assert.ok(leaving.bodies.includes('planted') && leaving.bodies.includes('fatal: '), 'the programs did run')
    for (const [where, text] of Object.entries(leaving)) {
      const left = canaries.flatMap((secret, index) => (text.includes(secret) ? [index] : []))
      assert.deepEqual(
        left.map(
          (index) =>
            `${index}: ${text.slice(Math.max(0, text.indexOf(canary(index)) - 60), text.indexOf(canary(index)))}`,
        ),
        [],
        where,
      )
    }
  } finally {
    await gate.close()
    await provider.close()
    await socket.close()
    await engine.close()
  }
})
