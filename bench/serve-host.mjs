/** The server that `bench/serve.ts` loads: a gate with an instant skill over HTTP, on the store that its argument names, or none. */
import { createServer } from 'node:http'
import pg from 'pg'
import { action, createGate, defineSkill } from 'skillgate'
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

const STORES = {
  memory: createMemoryStore,
  embedded: () => createEmbeddedStore({ directory: place }),
  postgres: () => createPostgresStore({ pool: new pg.Pool({ connectionString: place, pipeline: true }) }),
}

if (kind === 'bare') await serveBare()
else await serveGate(STORES[kind])

async function serveGate(openStore) {
  const gate = createGate({
    skills: [instant],
    store: await openStore(),
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
}

/** The least that a server can do: reads the JSON of a request and answers some. */
async function serveBare() {
  const answer = JSON.stringify({ id: 'ses_1', run_id: 'run_1', status: 'queued', backlog: 0, running: 0 })
  const headers = { 'content-type': 'application/json', 'content-length': answer.length }
  const server = createServer((request, response) => {
    const chunks = []
    request.on('data', (chunk) => chunks.push(chunk))
    request.on('end', () => {
      if (chunks.length > 0) JSON.parse(Buffer.concat(chunks).toString())
      response.writeHead(202, headers).end(answer)
    })
  })
  server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`))
  process.once('SIGTERM', () => process.exit(0))
}
