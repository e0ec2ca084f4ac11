/** The MCP endpoint and an `initialize` that comes to nothing: what it is answered, and what it leaves behind. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createGate } from '../../core/gate.js'
import { createMemoryStore } from '../../stores/memory.js'
import { createMcpEndpoint } from '../http.js'

const INITIALIZE = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
}
const HEADERS = { accept: 'application/json, text/event-stream', 'content-type': 'application/json' }

function open(store = createMemoryStore()) {
  const gate = createGate({ skills: [], store })
  const endpoint = createMcpEndpoint({ gate })
  const initialize = (headers: Record<string, string> = {}) =>
    endpoint.fetch(
      new Request('http://localhost/mcp', {
        method: 'POST',
        headers: { ...HEADERS, ...headers },
        body: JSON.stringify(INITIALIZE),
      }),
    )
  return { gate, initialize }
}

describe('an initialize', () => {
  for (const [what, headers, status] of [
    ['takes no streams', { accept: 'application/json' }, 406],
    ['takes nothing', { accept: 'text/plain' }, 406],
    ['is said to be no JSON', { 'content-type': 'text/plain' }, 415],
  ] as const) {
    it(`that ${what} makes no session`, async () => {
      const { gate, initialize } = open()
      const answer = await initialize(headers)
      assert.deepEqual([answer.status, answer.headers.get('skillgate-session')], [status, null])
      assert.deepEqual((await gate.sessions()).sessions, [])
      assert.equal((await initialize()).status, 200)
      assert.equal((await gate.sessions()).sessions.length, 1)
    })
  }

  it('whose session cannot be written is told so, with the code', async () => {
    const store = createMemoryStore()
    store.append = () => Promise.reject(new Error('disk full'))
    const answer = await open(store).initialize()
    const { error } = (await answer.json()) as { error: { data: unknown } }
    assert.deepEqual([answer.status, error.data], [503, { code: 'UNAVAILABLE', retriable: true }])
  })
})
