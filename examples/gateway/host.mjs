// A host without a Docker socket: the engine is behind a gateway, and so is its own key to it.
import { createGate } from 'skillgate'
import { createGatewayClient } from 'skillgate/gateway'
import { dockerRun } from 'skillgate/skills/docker-run'
import { createMemoryStore } from 'skillgate/stores/memory'

const {
  GATEWAY_URL = 'http://127.0.0.1:8091',
  GATEWAY_CREDENTIAL = 'key-of-the-example',
  IMAGE_DIGEST: image,
} = process.env
const gatewayClient = createGatewayClient({ url: GATEWAY_URL, credential: async () => GATEWAY_CREDENTIAL })

const gate = createGate({
  skills: [dockerRun],
  store: createMemoryStore(),
  gatewayClient,
  secrets: [GATEWAY_CREDENTIAL],
})
const session = await gate.createSession({ label: 'behind a gateway' })
await session.setPolicy({ overrides: [{ tool: 'docker.run', allow: true, constraints: { images: [image] } }] })

const intents = [{ tool: 'docker.run', params: { image, cmd: [] } }]
const run = await session.post({ role: 'user', content: 'Run it', intents })
const { status, steps } = await run.done()
for (const { type, status, details } of steps) console.log(type, status, details.result?.result ?? details.reason)
console.log('log intact:', (await gate.validate()).valid)
process.exitCode = status === 'completed' ? 0 : 1
await gate.close()
await gatewayClient.close()
