/** Names that MCP hosts accept, and the way back. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fromMcpName, toMcpName } from '../tool-name.js'

describe('the name of a tool in MCP', () => {
  const names: [tool: string, name: string][] = [
    ['docker.run', 'docker_run'],
    ['docker-api.list_containers', 'docker-api_list_containers'],
    ['a.b-c_d', 'a_b-c_d'],
    ['my_skill.run', 'my_skill.run'],
    ['my.skill.run', 'my.skill.run'],
    [`a.${'b'.repeat(126)}`, `a_${'b'.repeat(126)}`],
  ]
  for (const [tool, name] of names) {
    it(`is ${name.slice(0, 40)} for ${tool.slice(0, 40)}, and leads back`, () => {
      assert.equal(toMcpName(tool), name)
      assert.equal(fromMcpName(name), tool)
    })
  }

  const impossible = ['a_tool', 'docker.läuft', 'docker.two words', `a.${'b'.repeat(127)}`, '']
  for (const tool of impossible) {
    it(`is refused for ${JSON.stringify(tool.slice(0, 40))}`, () => {
      assert.throws(() => toMcpName(tool), { code: 'INVALID_INPUT', message: /no name that MCP allows/ })
    })
  }
})
