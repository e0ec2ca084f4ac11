// The docker.run of the Docker skill example through MCP: the official client starts `skillgate mcp` and calls its tool.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'

const { IMAGE_DIGEST: image, DOCKER_HOST = 'unix:///var/run/docker.sock', PATH } = process.env
if (!image) throw new Error("Set IMAGE_DIGEST, from: docker inspect --format='{{index .RepoDigests 0}}' hello-world")

const directory = await mkdtemp(join(tmpdir(), 'skillgate-mcp-'))
const policy = join(directory, 'policy.json')
const constraints = { images: [image], network_allowed: false, mounts_allowed: false }
await writeFile(policy, JSON.stringify({ overrides: [{ tool: 'docker.run', allow: true, constraints }] }))

// A host's config says the same: { "command": "npx", "args": ["skillgate", "mcp", "--policy", "policy.json"] }
const cli = fileURLToPath(new URL('cli.js', import.meta.resolve('skillgate')))
const args = [cli, 'mcp', '--policy', policy]
const client = new Client({ name: 'example', version: '1.0.0' })
await client.connect(
  new StdioClientTransport({ command: process.execPath, args, env: { DOCKER_HOST, PATH }, cwd: directory }),
)

const { tools } = await client.listTools()
console.log('offered:', tools.map(({ name }) => name).join(', '))
for (const network of [false, true]) {
  const { isError, content, structuredContent } = await client.callTool({
    name: 'docker_run',
    arguments: { image, cmd: [], network },
  })
  console.log(isError ? `${structuredContent.code}:` : 'ok:', content[0].text, `(${structuredContent.run_id})`)
}
await client.close()
await rm(directory, { recursive: true })
