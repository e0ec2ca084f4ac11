/** The PostgreSQL store passes the suite of all stores, and stays sane when the server does not answer. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import pg from 'pg'
import { isFailure } from '../../core/failure.js'
import type { Store } from '../../core/store.js'
import { sealOnto } from '../../testing/sealed-chain.js'
import { testStore } from '../../testing/store-suite.js'
import { createPostgresStore } from '../postgres.js'
import { connectionString, createSchema, type Schema, withoutPostgres } from './postgres-schema.js'

const schemas: Schema[] = []
after(() => Promise.all(schemas.map(({ drop }) => drop())))
async function newSchema(): Promise<Schema> {
  const schema = await createSchema()
  schemas.push(schema)
  return schema
}

const places = new WeakMap<Store, Schema>()
async function open(schema: Schema): Promise<Store> {
  const store = await createPostgresStore({ pool: schema.pool() })
  places.set(store, schema)
  return store
}

testStore('PostgreSQL', {
  open: async () => open(await newSchema()),
  async reopen(store) {
    await store.close?.()
    return open(places.get(store) as Schema)
  },
  skip: withoutPostgres,
})

const events = sealOnto('s1', undefined, [
  { type: 'message.appended', data: {} },
  { type: 'message.appended', data: {} },
])

describe('PostgreSQL behind the store', { skip: withoutPostgres ?? false }, () => {
  test('several hosts that start at once make the tables once', async () => {
    const schema = await newSchema()
    const stores = await Promise.all(Array.from({ length: 6 }, () => open(schema)))
    await stores[0]?.append(events)
    for (const store of stores) {
      assert.deepEqual(await store.head('s1'), { seq: 2, hash: events[1]?.hash })
      assert.deepEqual(store.repairs?.(), [])
      await store.close?.()
    }
  })

  test('hosts that append to one chain and to many leave positions in the order of commits', async () => {
    const schema = await newSchema()
    const stores = await Promise.all([0, 1, 2].map(() => open(schema)))
    const seen = new Set<number>()
    let highest = 0
    let writing = true
    const reading = (async () => {
      while (writing) {
        for (const { position } of (await stores[0]?.query({ after: highest, limit: 1_000 })) ?? []) {
          highest = position
          seen.add(position)
        }
      }
    })()
    await Promise.all(
      stores.flatMap((store, host) =>
        Array.from({ length: 20 }, async (_, chain) => {
          for (const event of sealOnto(
            `s${host}-${chain}`,
            undefined,
            Array(5).fill({ type: 'run.started', data: {} }),
          )) {
            await store.append([event])
          }
        }),
      ),
    )
    writing = false
    await reading
    const all = (await stores[1]?.query({ limit: 1_000 })) ?? []
    assert.equal(all.length, 300)
    assert.deepEqual(
      [...seen],
      all.map(({ position }) => position).filter((position) => position <= highest),
    )
    for (const store of stores) await store.close?.()
  })

  test('a commit is on the disk when the database itself would not wait for it', async () => {
    const schema = await newSchema()
    const pool = new pg.Pool({ connectionString, options: `${schema.options} -c synchronous_commit=off` })
    let shown: unknown
    const store = await createPostgresStore({
      pool,
      lease: () => 'host',
      holding: async (query, leases) => {
        shown = (await query('SHOW synchronous_commit'))[0]?.synchronous_commit
        return new Set(leases)
      },
    })
    await store.append(events)
    assert.equal(shown, 'on')
    await store.close?.()
  })

  test('a connection that is cut while nothing is asked ends nothing', async () => {
    const schema = await newSchema()
    const store = await open(schema)
    await store.append(events.slice(0, 1))
    const admin = schema.pool()
    const { rows } = await admin.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE application_name = current_setting('application_name') AND pid <> pg_backend_pid()`,
    )
    assert.ok(rows.length > 0, 'there was one to cut')
    await admin.end()
    await assert.doesNotReject(store.append(events.slice(1)).catch(() => store.append(events.slice(1))))
    assert.equal((await store.head('s1'))?.seq, 2)
    await store.close?.()
  })

  // Where the server stops to answer decides whether the outcome can be known.
  for (const [silentFrom, applied] of [
    ['BEGIN', 'no'],
    ['skillgate_events', 'no'],
    ['COMMIT\0', 'unknown'],
  ] as const) {
    test(`a server that is silent from ${silentFrom.replace('\0', '')} on is given up: ${applied === 'no' ? 'nothing was applied' : 'the outcome is unknown'}`, async () => {
      const schema = await newSchema()
      const hole = await createHole()
      const pool = new pg.Pool({ connectionString: hole.connectionString, options: schema.options })
      const store = await createPostgresStore({ pool, timeoutMs: 1_000 })
      hole.swallowFrom(silentFrom)
      const started = performance.now()
      const outcomes = await Promise.allSettled([store.append(events.slice(0, 1)), store.append([])])
      assert.ok(performance.now() - started < 5_000)
      for (const outcome of outcomes) {
        assert.ok(outcome.status === 'rejected' && isFailure(outcome.reason))
        assert.deepEqual([outcome.reason.code, outcome.reason.details], ['UNAVAILABLE', { applied }])
      }
      await assert.rejects(store.head('s1'), (error) => isFailure(error) && error.code === 'UNAVAILABLE')
      hole.swallowFrom(undefined)
      const head = await store.head('s1')
      await store.append(events.slice(head?.seq ?? 0))
      assert.equal((await store.head('s1'))?.seq, 2)
      await store.close?.()
      await hole.close()
    })
  }
})

/** A way to the server on which what is sent can get lost, from the first message that contains a text. */
async function createHole() {
  const directory = mkdtempSync(join(tmpdir(), 'skillgate-hole-'))
  const through = new URL(connectionString ?? '')
  const { hostname, port } = through
  const place = through.searchParams.get('host') ?? hostname
  const upstream = place.startsWith('/')
    ? { path: join(place, `.s.PGSQL.${port || 5432}`) }
    : { host: place, port: Number(port || 5432) }
  through.searchParams.set('host', directory)
  through.port = '5432'
  const sockets = new Set<Socket>()
  let trigger: string | undefined
  let silent = false
  const server = createServer((client) => {
    const target = connect(upstream)
    for (const socket of [client, target]) {
      sockets.add(socket)
      socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    }
    client.on('data', (bytes) => {
      silent ||= trigger !== undefined && bytes.includes(trigger)
      if (!silent) target.write(bytes)
    })
    target.on('data', (bytes) => void (silent || client.write(bytes)))
    client.on('close', () => target.destroy())
    target.on('close', () => client.destroy())
  })
  server.listen(join(directory, '.s.PGSQL.5432'))
  await once(server, 'listening')
  return {
    connectionString: String(through),
    swallowFrom(text: string | undefined) {
      trigger = text
      silent = false
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
      rmSync(directory, { recursive: true })
    },
  }
}
