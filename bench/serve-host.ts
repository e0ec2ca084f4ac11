/** The server that `bench/serve.ts` loads: a gate with an instant skill over HTTP, on the store that its argument names. */
import pg from 'pg'
import { action, createGate, defineSkill, type Store } from 'skillgate'
import { createHttpApp, startServer } from 'skillgate/http'
import { createEmbeddedStore } from 'skillgate/stores/embedded'
import { createMemoryStore } from 'skillgate/stores/memory'
import { createPostgresStore } from 'skillgate/stores/postgres'
import { z } from 'zod'

const instant = defineSkill({
  name: 'instant',
  version: '1.0.0',
  description: 'Answers at once.',
  layer: 'L1',
  system: 'Nothing',
  actions: {
    look: action({
      description: 'Look.',
      risk: 'read',
      input: z.strictObject({ text: z.string().max(100) }),
      run: async ({ text }, { request }) => ({ text: `saw ${text}`, data: { answer: await request('GET', '/look') } }),
    }),
    change: action({
      description: 'Change.',
      risk: 'write',
      input: z.strictObject({ text: z.string().max(100) }),
      run: async (_input, { request }) => ({ text: 'changed', data: { answer: await request('POST', '/change') } }),
    }),
  },
})

const [kind = 'memory', place = ''] = process.argv.slice(2)

const STORES: Record<string, () => Store | Promise<Store>> = {
  memory: createMemoryStore,
  embedded: () => createEmbeddedStore({ directory: place }),
  postgres: () => createPostgresStore({ pool: new pg.Pool({ connectionString: place, pipeline: true }) }),
}

const store = await STORES[kind]?.()
if (store === undefined) throw new Error(`There is no store ${kind}.`)
const gate = createGate({
  skills: [instant],
  store,
  providerClient: { request: async () => ({ ok: true }) },
  signingKey: 'for the benchmark, and for nothing else',
})
await gate.ready()
const app = createHttpApp({ gate, adminToken: process.env.ADMIN_TOKEN ?? '' })
const server = await startServer({ app, port: 0, replaceGlobals: true })
console.log(server.url)
process.once('SIGTERM', async () => {
  await server.close()
  await gate.close()
  process.exit(0)
})
