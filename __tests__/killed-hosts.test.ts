/** kill -9 of serving processes under load, again and again: no acknowledged run is lost, none is started twice. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { createFakeEngine } from '../src/testing/index.js'
import { type Cli, expect, startCli, stopCli, until } from './cli-process.js'

const ROUNDS = Number(process.env.KILLED_ROUNDS ?? 5)
const SESSIONS = 8
const LEASE_MS = 3_000
const SIGNING_KEY = 'a signing key of the test, 32 bytes long'
const WORK = ['sh', '-c', 'work']

/** A fake engine that counts the starts of each run, for which containers are named by their labels. */
async function createCountingEngine() {
  const work = { argv: WORK, program: () => delay(5 + Math.random() * 60).then(() => 0) }
  const engine = await createFakeEngine({ programs: [work] })
  const starts = new Map<string, number>()
  engine.fault('POST /containers/{id}/start', ({ name }) => {
    const container = [...engine.containers.values()].find((one) => one.name === name || one.id === name)
    const run = container?.config.Labels?.['skillgate.run'] ?? `container ${name}`
    starts.set(run, (starts.get(run) ?? 0) + 1)
    return undefined
  })
  return { engine, starts }
}

interface Load {
  /** Ids of the runs that were answered with 202. */
  acknowledged: Set<string>
  stop(): Promise<void>
}

/** One caller for each session, who sends a message, and again under its key until it is acknowledged. */
function startLoad(hosts: (Cli | undefined)[], sessions: string[], body: string): Load {
  const acknowledged = new Set<string>()
  let stopped = false
  async function send(session: string): Promise<void> {
    const key = randomBytes(8).toString('hex')
    while (!stopped) {
      const host = hosts[Math.floor(Math.random() * hosts.length)]
      const headers = { authorization: 'Bearer demo', 'content-type': 'application/json', 'idempotency-key': key }
      try {
        assert.ok(host !== undefined)
        const url = `${host.url}/v1/sessions/${session}/messages`
        const reply = await fetch(url, { method: 'POST', headers, body, signal: AbortSignal.timeout(10_000) })
        const answer = (await reply.json()) as { run_id: string }
        if (reply.status !== 202) throw new Error(`${reply.status} ${JSON.stringify(answer)}`)
        acknowledged.add(answer.run_id)
        return
      } catch {
        // Refused, cut off or unavailable: whether it was applied is not known here, and the key tells.
        await delay(20)
      }
    }
  }
  const callers = sessions.map(async (session) => {
    while (!stopped) {
      await send(session)
      await delay(Math.random() * 1_000)
    }
  })
  return {
    acknowledged,
    async stop() {
      stopped = true
      await Promise.all(callers)
    },
  }
}

async function killAgainAndAgain(hostCount: number, env: Record<string, string>): Promise<string> {
  const { engine, starts } = await createCountingEngine()
  /** Every process of the test, also those that were killed. */
  const begun: Cli[] = []
  const start = async () => {
    const cli = await startCli({ ...env, DOCKER_HOST: engine.host, SIGNING_KEY })
    begun.push(cli)
    return cli
  }
  const hosts: (Cli | undefined)[] = await Promise.all(Array.from({ length: hostCount }, start))
  try {
    const [first] = hosts
    assert.ok(first !== undefined)
    const allow = { tool: 'docker.run', allow: true, constraints: { images: [engine.image], cmd_allowed: true } }
    const sessions: string[] = []
    for (let index = 0; index < SESSIONS; index++) {
      const { id } = await expect<{ id: string }>(first, 201, 'POST', '/v1/sessions', '{}')
      await expect(first, 200, 'PUT', `/v1/sessions/${id}/policy`, JSON.stringify({ overrides: [allow] }))
      sessions.push(id)
    }
    const intent = { tool: 'docker.run', params: { image: engine.image, cmd: WORK } }
    const load = startLoad(hosts, sessions, JSON.stringify({ role: 'assistant', content: 'go', intents: [intent] }))
    for (let round = 0; round < ROUNDS; round++) {
      await delay(Math.random() * 1_500)
      const index = Math.floor(Math.random() * hostCount)
      const victim = hosts[index]
      hosts[index] = undefined
      if (victim !== undefined) await stopCli(victim)
      hosts[index] = await start()
    }
    await load.stop()

    const last = hosts.find((host) => host !== undefined)
    assert.ok(last !== undefined)
    const statuses = new Map<string, number>()
    const untold: string[] = []
    const said = (id: string): string => {
      const lines = begun.flatMap(({ output }) => output.stderr.split('\n'))
      return lines.filter((line) => line.includes(id)).join('\n')
    }
    for (const id of load.acknowledged) {
      const status = await until(
        async () => {
          const run = await expect<{ status: string; reason?: { code: string } }>(last, 200, 'GET', `/v1/runs/${id}`)
          return ['queued', 'running'].includes(run.status)
            ? undefined
            : [run.status, run.reason?.code].join(' ').trim()
        },
        () => `run ${id} does not end`,
      )
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
      // What the engine has of it tells what became of a run, as long as it is there.
      if (status.startsWith('unknown')) untold.push(`${status} ${id}\n${said(id)}`)
    }
    assert.deepEqual(untold, [], 'what became of it is not known')
    const twice = [...starts].filter(([, count]) => count > 1)
    assert.deepEqual(twice, [], 'started twice')
    const { valid } = await expect<{ valid: boolean }>(last, 200, 'GET', '/v1/audit/validate')
    assert.equal(valid, true, 'every chain is valid')
    assert.ok(statuses.get('completed'), 'runs were completed')
    const told = [...statuses].map(([status, count]) => `${count} ${status}`).join(', ')
    return `${ROUNDS} kills, ${load.acknowledged.size} acknowledged runs: ${told}; ${starts.size} starts, none twice`
  } finally {
    await Promise.all(hosts.map((host) => host && stopCli(host)))
    await engine.close()
  }
}

test(`kill -9 x ${ROUNDS} of one host on the embedded store`, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'killed-hosts-'))
  t.after(() => rm(directory, { recursive: true }))
  t.diagnostic(await killAgainAndAgain(1, { DATA_DIR: directory }))
})

const CONNECTION = process.env.SKILLGATE_TEST_POSTGRES
const missing = CONNECTION ? false : 'no PostgreSQL: set SKILLGATE_TEST_POSTGRES to its connection string'
if (missing) console.log(`# kill -9 of several hosts is not tested: ${missing}`)

test(`kill -9 x ${ROUNDS} of three hosts on PostgreSQL`, {
  skip: process.env.REQUIRE_LIVE === '1' ? false : missing,
}, async (t) => {
  assert.ok(CONNECTION, missing || '')
  const admin = new pg.Pool({ connectionString: CONNECTION, max: 1 })
  const name = `skillgate_${randomBytes(6).toString('hex')}`
  await admin.query(`CREATE DATABASE ${name}`)
  t.after(async () => {
    await admin.query(`DROP DATABASE ${name} WITH (FORCE)`)
    await admin.end()
  })
  const url = new URL(CONNECTION)
  url.pathname = name
  t.diagnostic(await killAgainAndAgain(3, { DATABASE_URL: url.href, LEASE_MS: String(LEASE_MS) }))
})
