/** LangChain, with its own scripted model, runs a session's tools. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AIMessage, HumanMessage, ToolMessage } from '@langchain/core/messages'
import { fakeModel } from '@langchain/core/testing'
import {
  DynamicStructuredTool,
  isStructuredTool,
  type StructuredTool,
  type StructuredToolInterface,
} from '@langchain/core/tools'
import type { Session } from '../../core/sessions.js'
import { toTools } from '../langchain.js'
import { CANCELLED, openAgentSession, runsOf } from './fixture.js'

/** The loop of an agent for one call: the model calls, the tool answers, and the model is told. */
async function converse(session: Session, name: string, args: Record<string, unknown>, signal?: AbortSignal) {
  const model = fakeModel()
    .respondWithTools([{ name, args, id: 'call_1' }])
    .respond(new AIMessage('done'))
  const tools: StructuredToolInterface[] = await toTools(session, { DynamicStructuredTool })
  const bound = model.bindTools(tools as StructuredTool[])
  const prompt = new HumanMessage('go')
  const said = await bound.invoke([prompt])
  const [call] = said.tool_calls ?? []
  const tool = tools.find((each) => each.name === call?.name)
  assert.ok(call !== undefined && tool !== undefined, JSON.stringify(said.tool_calls))
  await bound.invoke([
    prompt,
    said,
    await tool.invoke({ ...call, type: 'tool_call' }, signal === undefined ? {} : { signal }),
  ])
  const told = model.calls[1]?.messages[2]
  assert.ok(told instanceof ToolMessage && typeof told.content === 'string')
  return { message: told, content: told.content }
}

describe('LangChain', () => {
  it('has structured tools with their schemas, runs a call of one, and has its text as the message', async () => {
    const { gate, session } = await openAgentSession()
    const [echo] = await toTools(session, { DynamicStructuredTool })
    assert.ok(echo !== undefined && isStructuredTool(echo))
    assert.deepEqual(
      [echo.name, echo.description, echo.schema],
      ['demo_echo', 'Send a text.', (await session.tools())[0]?.input],
    )
    const { message } = await converse(session, 'demo_echo', { text: 'hi' })
    assert.deepEqual([message.content, message.tool_call_id, message.name], ['sent hi', 'call_1', 'demo_echo'])
    assert.deepEqual(message.artifact, { ok: true, text: 'sent hi', runId: 'run_1' })
    assert.deepEqual(await runsOf(gate), [
      { role: 'assistant', tool_call_id: 'call_1', tool: 'demo.echo', status: 'completed' },
    ])
  })

  it('tells the model of a denial with code and reason', async () => {
    const { session } = await openAgentSession()
    await session.setPolicy({ overrides: [{ tool: 'demo.echo', allow: true, constraints: { texts: [] } }] })
    const { code, reason, run_id } = JSON.parse((await converse(session, 'demo_echo', { text: 'hi' })).content)
    assert.deepEqual([code, run_id], ['DENIED', 'run_1'])
    assert.match(reason, /"hi" is not in the policy's texts/)
  })

  it('refuses arguments that are not of the schema itself, and says why', async () => {
    const { gate, session } = await openAgentSession()
    await assert.rejects(converse(session, 'demo_echo', { txt: 7 }), /did not match expected schema[\s\S]*txt/)
    assert.deepEqual(await runsOf(gate), [])
  })

  it('cancels the run with the signal of its config', async () => {
    const { gate, session, asked } = await openAgentSession()
    const controller = new AbortController()
    const told = converse(session, 'demo_ping', {}, controller.signal)
    await asked
    controller.abort()
    assert.match((await told).content, CANCELLED)
    assert.deepEqual(await runsOf(gate), [
      { role: 'assistant', tool_call_id: 'call_1', tool: 'demo.ping', status: 'cancelled' },
    ])
  })
})
