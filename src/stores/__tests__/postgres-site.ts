/** Databases of their own for tests, hosts on them, and a proxy to them that can fall silent. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { type EventType, seal } from '../../core/event.js'
import type { OpenRun, Store } from '../../core/store.js'
import { createSharedPostgresStore } from '../shared-postgres.js'
import { connectionString } from './postgres-schema.js'

export const LEASE_MS = 3_000

/** Asks until the answer is true; fails after 20 s. */
export async function until(ask: () => unknown, what: string): Promise<void> {
  const end = performance.now() + 20_000
  while (!(await ask())) {
    assert.ok(performance.now() < end, `not within 20 s: ${what}`)
    await delay(10)
  }
}

export interface TestHost {
  /** Opens a run of a session. */
  post(sessionId: string, runId: string): Promise<void>
  finish(sessionId: string, runId: string): Promise<void>
  state(): Promise<{ host_id: string; hosts: number; backlog: number }>
  events(type: EventType): Promise<unknown[]>
  stop(): Promise<void>
  close(): Promise<void>
  errors: unknown[]
}

export interface TestHostOptions {
  url?: string
  leaseMs?: number
  concurrency?: number
  maxConcurrentRuns?: number
  onLost?(): void
  perform(run: OpenRun, host: TestHost): Promise<void>
}

export async function openHost(url: string, options: TestHostOptions): Promise<TestHost> {
  const { leaseMs = LEASE_MS, concurrency = 4, maxConcurrentRuns, onLost = () => {}, perform } = options
  const store: Store = await createSharedPostgresStore({
    connectionString: url,
    leaseMs,
    ...(maxConcurrentRuns !== undefined && { maxConcurrentRuns }),
  })
  const { shared } = store
  assert.ok(shared !== undefined)
  const errors: unknown[] = []
  const write = async (sessionId: string, runId: string, type: EventType, opens?: OpenRun): Promise<void> => {
    const newId = (kind: string) => `${kind}_${randomBytes(8).toString('hex')}`
    for (;;) {
      const head = await store.head(sessionId)
      const events = seal(sessionId, head, [{ type, run_id: runId, data: {} }], { now: () => new Date(), newId })
      try {
        return await store.append(events, opens && { opens })
      } catch (error) {
        if ((error as { code?: string }).code !== 'CONFLICT') throw error
      }
    }
  }
  const host: TestHost = {
    errors,
    post: (session_id, run_id) =>
      write(session_id, run_id, 'run.queued', { run_id, session_id, payload: Buffer.from(run_id) }),
    finish: (sessionId, runId) => write(sessionId, runId, 'run.finished'),
    state: () => shared.state(),
    events: (type) => store.query({ types: [type], limit: 1_000 }),
    stop: () => shared.stop(),
    async close() {
      await shared.stop()
      await store.close?.()
    },
  }
  await shared.start({
    concurrency,
    onLost,
    onError: (error) => errors.push(error),
    perform: (run) => perform(run, host),
  })
  return host
}

export function createSite() {
  const admin = new pg.Pool({ connectionString })
  const closing: (() => Promise<unknown>)[] = []

  async function database() {
    const name = `skillgate_${randomBytes(6).toString('hex')}`
    await admin.query(`CREATE DATABASE ${name}`)
    const url = new URL(connectionString ?? '')
    url.pathname = name
    const reader = new pg.Pool({ connectionString: url.href, max: 1 })
    reader.on('connect', (client) => client.on('error', () => {}))
    const hosts: TestHost[] = []
    closing.push(async () => {
      await Promise.all(hosts.map((host) => host.close()))
      await reader.end()
      // A connection that its client has ended ends at the server a little later.
      const connected = 'SELECT FROM pg_stat_activity WHERE datname = $1'
      await until(async () => (await admin.query(connected, [name])).rows.length === 0, 'all have left the database')
      await admin.query(`DROP DATABASE ${name} WITH (FORCE)`)
    })
    const rows = async (sql: string, values: unknown[] = []) => (await reader.query(sql, values)).rows
    return {
      url: url.href,
      async host(options: TestHostOptions): Promise<TestHost> {
        const host = await openHost(options.url ?? url.href, options)
        hosts.push(host)
        return host
      },
      hosts: () => rows('SELECT * FROM skillgate_hosts'),
      jobs: () => rows('SELECT * FROM skillgate_jobs.jobs'),
      expire: (hostId: string) =>
        rows('UPDATE skillgate_hosts SET expires_at = clock_timestamp() WHERE host_id = $1', [hostId]),
      async proxy() {
        const proxy = await silenceableProxy(url)
        closing.unshift(proxy.close)
        return proxy
      },
    }
  }

  async function clear(): Promise<void> {
    for (const end of closing.splice(0).toReversed()) await end()
  }

  return {
    database,
    /** Ends the hosts of all databases, and removes these. */
    clear,
    async close() {
      await clear()
      await admin.end()
    },
  }
}

/** Forwards to a database until it is silenced: then nothing is passed on, and connections stay open. */
async function silenceableProxy(target: URL) {
  const sockets = new Set<Socket>()
  const port = Number(target.port || 5432)
  const directory = target.searchParams.get('host')
  let silent = false
  const server = createServer((near) => {
    const far = directory === null ? connect(port, target.hostname) : connect(`${directory}/.s.PGSQL.${port}`)
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from)
      if (silent) from.pause()
      from.on('data', (bytes) => to.write(bytes))
      from.on('error', () => {})
      from.on('close', () => {
        sockets.delete(from)
        to.destroy()
      })
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = new URL(target)
  url.searchParams.delete('host')
  url.hostname = '127.0.0.1'
  url.port = String((server.address() as AddressInfo).port)
  return {
    url: url.href,
    silence() {
      silent = true
      for (const socket of sockets) socket.pause()
    },
    speak() {
      silent = false
      for (const socket of sockets) socket.resume()
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}
