/** A skillgate tool as MCP describes tools: schemas of what goes in and comes out, and hints from the action's risk. */
import type { Tool, ToolAnnotations } from '@modelcontextprotocol/server'
import { z } from 'zod'
import { type JsonSchema, toJsonSchema } from '../core/input.js'
import type { Risk, ToolMeta } from '../core/tool.js'
import { toMcpName } from './tool-name.js'

/** The `structuredContent` of every answer; one shape for results and refusals, since clients hold both against it. */
export const Answer = z.looseObject({
  run_id: z.string().optional().describe('The run in the log; absent when the call was refused before it became one'),
  metadata: z.record(z.string(), z.unknown()).optional().describe("The tool's own fields, when it was executed"),
  capped: z.literal(true).optional().describe('Long texts in metadata were cut'),
  code: z.string().optional().describe('What went wrong; only when isError is true'),
  retriable: z.boolean().optional().describe('Whether the same call can succeed later; only when isError is true'),
  reason: z.string().optional().describe('Why, and what to do next; only when isError is true'),
})
export type Answer = z.infer<typeof Answer>

const objectSchema = (schema: JsonSchema): Tool['inputSchema'] => ({
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  ...schema,
  type: 'object',
})

const OUTPUT = objectSchema(toJsonSchema(Answer))

/** A look stays with the system it looks at; what changes things can reach whatever those are connected to. */
const ANNOTATIONS: Readonly<Record<Risk, ToolAnnotations>> = {
  read: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  write: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
  destroy: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true },
}

export const toMcpTool = ({ name, description, risk, input }: ToolMeta): Tool => ({
  name: toMcpName(name),
  description,
  inputSchema: objectSchema(input),
  outputSchema: OUTPUT,
  annotations: ANNOTATIONS[risk],
})
