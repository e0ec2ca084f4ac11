// A chat model of LangChain runs the container of the Docker skill example: judged, contained and logged.
import { AIMessage, HumanMessage } from '@langchain/core/messages'
import { fakeModel } from '@langchain/core/testing'
import { DynamicStructuredTool } from '@langchain/core/tools'
import { createGate } from 'skillgate'
import { toTools } from 'skillgate/agents/langchain'
import { createDockerProvider } from 'skillgate/docker'
import { dockerRun } from 'skillgate/skills/docker-run'
import { createMemoryStore } from 'skillgate/stores/memory'

const image = process.env.IMAGE_DIGEST
if (!image) throw new Error('Set IMAGE_DIGEST to an image on the engine: hello-world@sha256:…')
// A script, so that it runs anywhere. A real model goes here: new ChatOpenAI({ model: 'gpt-5' }) of @langchain/openai
const model = fakeModel()
  .respondWithTools([{ name: 'docker_run', args: { image, cmd: [] } }])
  .respond(new AIMessage('It ran.'))

const providerClient = createDockerProvider()
const gate = createGate({ skills: [dockerRun], store: createMemoryStore(), providerClient })
const session = await gate.createSession({ label: 'LangChain' })
const constraints = { images: [image], network_allowed: false, mounts_allowed: false }
await session.setPolicy({ overrides: [{ tool: 'docker.run', allow: true, constraints }] })

const tools = await toTools(session, { DynamicStructuredTool })
const agent = model.bindTools(tools)
const messages = [new HumanMessage('Run hello-world')]
for (;;) {
  const said = await agent.invoke(messages)
  messages.push(said)
  if (!said.tool_calls?.length) break
  for (const call of said.tool_calls) messages.push(await tools.find(({ name }) => name === call.name).invoke(call))
}
for (const { type, content } of messages) if (type !== 'human' && content) console.log(content)
console.log(`log intact: ${(await gate.validate()).valid}`)
await gate.close()
await providerClient.close()
