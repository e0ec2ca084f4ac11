/** The names under which models call tools: each is one that every chat API accepts, and leads back to one tool. */
import { Failure } from '../core/failure.js'
import type { ToolMeta } from '../core/tool.js'

/** Source: the pattern of function names in the chat APIs, `^[a-zA-Z0-9_-]{1,64}$`. */
const NOT_IN_NAMES = /[^a-zA-Z0-9_-]/g
const MAX_LENGTH = 64

/** `docker.run` as `docker_run`. Throws INVALID_INPUT for two tools with one name, and for one that is too long. */
export function nameFunctions(tools: readonly ToolMeta[]): Map<string, ToolMeta> {
  const named = new Map<string, ToolMeta>()
  for (const tool of tools) {
    const name = tool.name.replaceAll(NOT_IN_NAMES, '_')
    const other = named.get(name)
    if (other !== undefined) throw refused(tool, `and ${other.name} would both be called ${name}`)
    if (name.length > MAX_LENGTH) throw refused(tool, `has ${name.length} characters; models take ${MAX_LENGTH}`)
    named.set(name, tool)
  }
  return named
}

const refused = ({ name, skill }: ToolMeta, problem: string): Failure =>
  new Failure('INVALID_INPUT', `${name} ${problem}. Give the skill ${skill} another toolPrefix, or deny the tool.`, {
    details: { tool: name },
  })
