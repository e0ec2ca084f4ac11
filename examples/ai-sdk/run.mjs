// A model of the Vercel AI SDK runs the container of the Docker skill example: judged, contained and logged.
import { generateText, stepCountIs } from 'ai'
import { MockLanguageModelV3 } from 'ai/test'
import { createGate } from 'skillgate'
import { toTools } from 'skillgate/agents/ai-sdk'
import { createDockerProvider } from 'skillgate/docker'
import { dockerRun } from 'skillgate/skills/docker-run'
import { createMemoryStore } from 'skillgate/stores/memory'

const image = process.env.IMAGE_DIGEST
if (!image) throw new Error('Set IMAGE_DIGEST to an image on the engine: hello-world@sha256:…')
const call = {
  type: 'tool-call',
  toolCallId: 'call_1',
  toolName: 'docker_run',
  input: JSON.stringify({ image, cmd: [] }),
}
const usage = { inputTokens: {}, outputTokens: {} }
// A script, so that it runs anywhere. A real model goes here: import { openai } from '@ai-sdk/openai'; openai('gpt-5')
const model = new MockLanguageModelV3({
  doGenerate: [
    { content: [call], finishReason: { unified: 'tool-calls' }, usage, warnings: [] },
    { content: [{ type: 'text', text: 'It ran.' }], finishReason: { unified: 'stop' }, usage, warnings: [] },
  ],
})

const providerClient = createDockerProvider()
const gate = createGate({ skills: [dockerRun], store: createMemoryStore(), providerClient })
const session = await gate.createSession({ label: 'AI SDK' })
const constraints = { images: [image], network_allowed: false, mounts_allowed: false }
await session.setPolicy({ overrides: [{ tool: 'docker.run', allow: true, constraints }] })

const tools = await toTools(session)
const { steps, text } = await generateText({ model, tools, stopWhen: stepCountIs(4), prompt: 'Run hello-world' })
for (const { output } of steps.flatMap(({ toolResults }) => toolResults)) console.log(output.text)
console.log(`${text} log intact: ${(await gate.validate()).valid}`)
await gate.close()
await providerClient.close()
