// A host that embeds skillgate: no HTTP, its own client with its own key (BYOK), one session, one run.
import { createGate } from 'skillgate'
import { dockerApi } from 'skillgate/skills/docker-api'
import { createMemoryStore } from 'skillgate/stores/memory'

const { FLEET_URL, FLEET_KEY } = process.env
// Whatever speaks the L1 protocol will do; skills, policies and logs never see the key.
const providerClient = {
  async request(method, path, _body, { signal } = {}) {
    const response = await fetch(FLEET_URL + path, {
      method,
      signal,
      headers: { authorization: `Bearer ${FLEET_KEY}` },
    })
    if (!response.ok) throw Object.assign(new Error(await response.text()), { status: response.status })
    return response.json()
  },
}

const gate = createGate({ skills: [dockerApi], store: createMemoryStore(), providerClient, secrets: [FLEET_KEY] })
const session = await gate.createSession({ label: 'embedded' })
await session.setPolicy({
  overrides: [{ tool: 'docker-api.list_containers', allow: true, constraints: { containers: ['web-*'] } }],
})

const run = await session.post({
  role: 'assistant',
  content: 'A model proposes two calls: the first is allowed, the second is not.',
  intents: [
    { tool: 'docker-api.list_containers', params: { all: true } },
    { tool: 'docker-api.stop_container', params: { containerId: 'db' } },
  ],
})
const { status, reason, steps } = await run.done()
for (const { type, status, details } of steps) console.log(type, status, details.result?.result ?? details.reason)
console.log(status, reason?.message)
console.log('log intact:', (await gate.validate()).valid)
await gate.close()
