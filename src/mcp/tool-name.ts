/** Tool names as MCP hosts accept them: `docker-api.list_containers` becomes `docker-api_list_containers`, and back. */
import { describe, Failure } from '../core/failure.js'

/** What MCP allows. Source: MCP specification 2025-11-25, "Tool Names". */
const ALLOWED = /^[A-Za-z0-9_.-]{1,128}$/
/** One dot, and before it no underscore: then the first underscore can stand for the dot, and nothing is lost. */
const SIMPLE = /^[A-Za-z0-9-]+\.[A-Za-z0-9_-]+$/

/** The name under which a tool is offered; any other name with a dot stays as it is. Throws INVALID_INPUT for one that MCP cannot carry. */
export function toMcpName(tool: string): string {
  const name = SIMPLE.test(tool) ? tool.replace('.', '_') : tool
  if (ALLOWED.test(name) && fromMcpName(name) === tool) return name
  throw new Failure(
    'INVALID_INPUT',
    `Tool ${describe(tool)} has no name that MCP allows. Use letters, digits, "_" and "-", at most 128, with a dot after the prefix.`,
    { details: { field: 'tool' } },
  )
}

/** The tool that is meant by a name, whether there is one or not. */
export const fromMcpName = (name: string): string => (name.includes('.') ? name : name.replace('_', '.'))
