// An agent of the OpenAI Agents SDK runs the container of the Docker skill example: judged, contained and logged.
import { Agent, run, setTracingDisabled, tool } from '@openai/agents-core'
import { assistantMessage, functionCall, ScriptedModel } from '@openai/agents-core/testing'
import { createGate } from 'skillgate'
import { toTools } from 'skillgate/agents/openai-agents'
import { createDockerProvider } from 'skillgate/docker'
import { dockerRun } from 'skillgate/skills/docker-run'
import { createMemoryStore } from 'skillgate/stores/memory'

setTracingDisabled(true)
const image = process.env.IMAGE_DIGEST
if (!image) throw new Error('Set IMAGE_DIGEST to an image on the engine: hello-world@sha256:…')
// A script, so that it runs anywhere. With @openai/agents a real model is its name: model = 'gpt-5'
const model = new ScriptedModel([
  [functionCall('docker_run', { image, cmd: [] }, { callId: 'call_1' })],
  [assistantMessage('It ran.')],
])

const providerClient = createDockerProvider()
const gate = createGate({ skills: [dockerRun], store: createMemoryStore(), providerClient })
const session = await gate.createSession({ label: 'OpenAI Agents' })
const constraints = { images: [image], network_allowed: false, mounts_allowed: false }
await session.setPolicy({ overrides: [{ tool: 'docker.run', allow: true, constraints }] })

const agent = new Agent({ name: 'operator', model, tools: await toTools(session, { tool }) })
const { newItems, finalOutput } = await run(agent, 'Run hello-world')
for (const item of newItems) if (item.type === 'tool_call_output_item') console.log(item.output)
console.log(`${finalOutput} log intact: ${(await gate.validate()).valid}`)
await gate.close()
await providerClient.close()
