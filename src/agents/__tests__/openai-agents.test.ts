/** The OpenAI Agents SDK, with its own scripted model, runs a session's tools. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Agent, run, setTracingDisabled, tool } from '@openai/agents-core'
import { assistantMessage, functionCall, ScriptedModel } from '@openai/agents-core/testing'
import type { ToolMeta } from '../../core/tool.js'
import { createRedactor } from '../../redaction/index.js'
import { toTools } from '../openai-agents.js'
import { CANCELLED, openAgentSession, runsOf } from './fixture.js'

setTracingDisabled(true)

const TOOL: ToolMeta = {
  name: '',
  skill: 'docker',
  action: 'run',
  description: 'Runs.',
  risk: 'write',
  input: { type: 'object' },
  constraints: null,
}

const scripted = (name: string, args: string | Record<string, unknown>): ScriptedModel =>
  new ScriptedModel([[functionCall(name, args, { callId: 'call_1' })], [assistantMessage('done')]])

/** What the model was last told of its call. */
function toldTo({ lastCall }: ScriptedModel): string {
  const input = lastCall?.request.input
  assert.ok(Array.isArray(input))
  const result = input.find(({ type }) => type === 'function_call_result')
  assert.ok(result?.type === 'function_call_result' && typeof result.output === 'object' && 'text' in result.output)
  return result.output.text
}

describe('the OpenAI Agents SDK', () => {
  it('offers the tools with their schemas, runs a call of one, and tells the model its text', async () => {
    const { gate, session } = await openAgentSession()
    const model = scripted('demo_echo', { text: 'hi' })
    const { finalOutput } = await run(new Agent({ name: 'a', model, tools: await toTools(session, { tool }) }), 'go')
    assert.equal(finalOutput, 'done')
    assert.equal(toldTo(model), 'sent hi')
    const [echo, ping] = model.firstCall?.request.tools ?? []
    assert.ok(echo?.type === 'function' && ping?.type === 'function')
    const { properties, additionalProperties } = (await session.tools())[0]?.input ?? {}
    const parameters = { type: 'object', properties, required: [], additionalProperties }
    assert.deepEqual(
      [echo.name, echo.description, echo.parameters, echo.strict],
      ['demo_echo', 'Send a text.', parameters, false],
    )
    assert.equal(ping.name, 'demo_ping')
    assert.deepEqual(await runsOf(gate), [
      { role: 'assistant', tool_call_id: 'call_1', tool: 'demo.echo', status: 'completed' },
    ])
  })

  const REFUSED: [what: string, args: string | Record<string, unknown>, code: string][] = [
    ['a denial', { text: 'hi' }, 'DENIED'],
    ['wrong arguments', { txt: 7 }, 'INVALID_INPUT'],
  ]
  for (const [what, args, code] of REFUSED) {
    it(`tells the model of ${what} with code and reason`, async () => {
      const { gate, session } = await openAgentSession()
      const model = scripted('demo_echo', args)
      const tools = await toTools(session, { tool })
      await session.setPolicy({ overrides: [{ tool: 'demo.echo', allow: code !== 'DENIED' }] })
      await run(new Agent({ name: 'a', model, tools }), 'go')
      assert.equal(JSON.parse(toldTo(model)).code, code)
      assert.equal((await runsOf(gate)).length, 1)
    })
  }

  it('has the SDK refuse what is no JSON, and the model may try again', async () => {
    const { gate, session } = await openAgentSession()
    const model = scripted('demo_echo', '{')
    await run(new Agent({ name: 'a', model, tools: await toTools(session, { tool }) }), 'go')
    assert.match(toldTo(model), /parsing tool arguments/)
    assert.deepEqual(await runsOf(gate), [])
  })

  it('keeps hyphens in names, which tell tools apart', async () => {
    const names = ['docker-api.run', 'docker_api.run']
    const offered = names.map((name) => ({ ...TOOL, name }))
    const session = { tools: async () => offered, post: assert.fail, redactor: createRedactor() }
    const tools = await toTools(session, { tool })
    assert.deepEqual(
      tools.map(({ name }) => name),
      ['docker-api_run', 'docker_api_run'],
    )
  })

  it('cancels the run with its abort signal', async () => {
    const { gate, session, asked } = await openAgentSession()
    const controller = new AbortController()
    const [, ping] = await toTools(session, { tool })
    assert.ok(ping !== undefined)
    const answers: string[] = []
    const invoke: typeof ping.invoke = async (...call) => {
      const answer = await ping.invoke(...call)
      answers.push(answer)
      return answer
    }
    const agent = new Agent({ name: 'a', model: scripted('demo_ping', {}), tools: [{ ...ping, invoke }] })
    const running = run(agent, 'go', { signal: controller.signal }).catch(() => {})
    await asked
    controller.abort()
    await running
    assert.match(answers[0] ?? '', CANCELLED)
    assert.deepEqual(await runsOf(gate), [
      { role: 'assistant', tool_call_id: 'call_1', tool: 'demo.ping', status: 'cancelled' },
    ])
  })
})
