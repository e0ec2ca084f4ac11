/** Published as `skillgate/agents/openai-agents`: a session's tools as function tools of the OpenAI Agents SDK. */
import { type ToolSession, toFunctions } from './functions.js'

/** The SDK's `FunctionTool`, as far as it is used. */
export interface OpenAiTool {
  type: 'function'
  name: string
  description: string
  parameters: ObjectSchema
  /** Strict mode knows no optional parameters. */
  strict: false
  invoke(
    context: unknown,
    input: string,
    details?: { toolCall?: { callId: string }; signal?: AbortSignal },
  ): Promise<string>
  needsApproval(): Promise<boolean>
  isEnabled(): Promise<boolean>
}

interface ObjectSchema {
  type: 'object'
  // biome-ignore lint/suspicious/noExplicitAny: the SDK's own type of a JSON Schema is this wide
  properties: Record<string, any>
  required: string[]
  additionalProperties: true
}

/**
 * A session's tools for an `Agent` of the OpenAI Agents SDK. The SDK's abort signal cancels the run.
 * Rejects with INVALID_INPUT when two tools would share a name.
 *
 * @example
 * ```ts
 * import { Agent, type Model, run } from '@openai/agents-core'
 * import type { Session } from 'skillgate'
 * import { toTools } from 'skillgate/agents/openai-agents'
 *
 * const ask = async (session: Session, model: Model, prompt: string) =>
 *   run(new Agent({ name: 'operator', model, tools: await toTools(session) }), prompt)
 * ```
 */
export async function toTools(session: ToolSession): Promise<OpenAiTool[]> {
  const { definitions, call } = await toFunctions(session)
  return definitions.map(({ name, description, parameters }) => ({
    type: 'function',
    name,
    description,
    parameters: { properties: {}, required: [], ...parameters } as unknown as ObjectSchema,
    strict: false,
    invoke: async (_context, input, { toolCall, signal } = {}) =>
      (await call(name, input, { callId: toolCall?.callId, signal })).text,
    needsApproval: async () => false,
    isEnabled: async () => true,
  }))
}
