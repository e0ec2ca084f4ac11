/** The Vercel AI SDK, with its own scripted model, runs a session's tools. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { generateText, stepCountIs } from 'ai'
import { MockLanguageModelV3 } from 'ai/test'
import { toTools } from '../ai-sdk.js'
import { CANCELLED, openAgentSession, runsOf } from './fixture.js'

type Result = Exclude<ConstructorParameters<typeof MockLanguageModelV3>[0], undefined>['doGenerate']
type Content = Extract<Result, { content: unknown }>['content'][number]

const tokens = { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0, text: 1, reasoning: 0 }

/** A model that says one thing after another. */
const scripted = (...script: Content[]): MockLanguageModelV3 =>
  new MockLanguageModelV3({
    doGenerate: script.map((content) => ({
      content: [content],
      finishReason: { unified: content.type === 'text' ? 'stop' : 'tool-calls', raw: undefined },
      usage: { inputTokens: tokens, outputTokens: tokens },
      warnings: [],
    })),
  })

const callOf = (toolName: string, input: object, toolCallId = 'call_1'): Content => ({
  type: 'tool-call',
  toolCallId,
  toolName,
  input: JSON.stringify(input),
})

const DONE: Content = { type: 'text', text: 'done' }

/** What the model was last told of its call. */
function toldTo({ doGenerateCalls }: MockLanguageModelV3): { type: string; value?: unknown } | undefined {
  const parts = doGenerateCalls.at(-1)?.prompt.flatMap(({ role, content }) => (role === 'tool' ? content : []))
  const [part] = parts ?? []
  return part?.type === 'tool-result' ? part.output : undefined
}

describe('the AI SDK', () => {
  it('offers the tools with their schemas, runs a call of one, and tells the model its text', async () => {
    const { gate, session } = await openAgentSession()
    const model = scripted(callOf('demo_echo', { text: 'hi' }), DONE)
    const tools = await toTools(session)
    const { text, steps } = await generateText({ model, prompt: 'go', tools, stopWhen: stepCountIs(3) })
    assert.equal(text, 'done')
    const [offered] = model.doGenerateCalls[0]?.tools ?? []
    assert.ok(offered?.type === 'function')
    assert.deepEqual(
      [offered.name, offered.description, offered.inputSchema],
      ['demo_echo', 'Send a text.', (await session.tools())[0]?.input],
    )
    assert.deepEqual(toldTo(model), { type: 'text', value: 'sent hi' })
    assert.deepEqual(steps[0]?.toolResults[0]?.output, { ok: true, text: 'sent hi', runId: 'run_1' })
    assert.deepEqual(await runsOf(gate), [
      { role: 'assistant', tool_call_id: 'call_1', tool: 'demo.echo', status: 'completed' },
    ])
  })

  it('tells the model of a denial as an error with code and reason', async () => {
    const { session } = await openAgentSession()
    const model = scripted(callOf('demo_echo', { text: 'hi' }), DONE)
    const tools = await toTools(session)
    await session.setPolicy({ overrides: [{ tool: 'demo.echo', allow: false }] })
    await generateText({ model, prompt: 'go', tools, stopWhen: stepCountIs(3) })
    const { type, value } = toldTo(model) ?? {}
    assert.equal(type, 'error-text')
    const { code, run_id } = JSON.parse(String(value))
    assert.deepEqual([code, run_id], ['DENIED', 'run_1'])
  })

  it('leaves the arguments to the gate, so that the log shows what was tried', async () => {
    const { gate, session } = await openAgentSession()
    const model = scripted(callOf('demo_echo', { txt: 7 }), DONE)
    await generateText({ model, prompt: 'go', tools: await toTools(session), stopWhen: stepCountIs(3) })
    assert.match(JSON.stringify(toldTo(model)), /INVALID_INPUT.*txt/)
    assert.deepEqual(await runsOf(gate), [
      { role: 'assistant', tool_call_id: 'call_1', tool: 'demo.echo', status: 'denied' },
    ])
  })

  it('knows nothing of tools that the policy denies', async () => {
    const { gate, session } = await openAgentSession()
    const model = scripted(callOf('demo_wipe', {}), DONE)
    await generateText({ model, prompt: 'go', tools: await toTools(session), stopWhen: stepCountIs(3) })
    assert.match(JSON.stringify(toldTo(model)), /unavailable tool 'demo_wipe'/)
    assert.deepEqual(await runsOf(gate), [])
  })

  it('cancels the run with its abort signal', async () => {
    const { gate, session, asked } = await openAgentSession()
    const controller = new AbortController()
    const model = scripted(callOf('demo_ping', {}), DONE)
    const outputs: unknown[] = []
    const generated = generateText({
      model,
      prompt: 'go',
      tools: await toTools(session),
      stopWhen: stepCountIs(2),
      abortSignal: controller.signal,
      onStepFinish: ({ toolResults }) => void outputs.push(toolResults[0]?.output),
    }).catch(() => {})
    await asked
    controller.abort()
    await generated
    assert.match((outputs[0] as { text: string }).text, CANCELLED)
    assert.deepEqual(await runsOf(gate), [
      { role: 'assistant', tool_call_id: 'call_1', tool: 'demo.ping', status: 'cancelled' },
    ])
  })
})
