/** Published as `skillgate/agents/openai-agents`: a session's tools as function tools of the OpenAI Agents SDK. */
import { type ToolSession, toFunctions } from './functions.js'

interface ToolFields {
  name: string
  description: string
  // biome-ignore lint/suspicious/noExplicitAny: the SDK's own type of a JSON Schema is narrower than JSON Schema
  parameters: any
  /** Strict mode knows no optional parameters. */
  strict: false
  execute(
    input: unknown,
    context: unknown,
    details?: { toolCall?: { callId: string }; signal?: AbortSignal },
  ): Promise<string>
}

/**
 * A session's tools for an `Agent` of the OpenAI Agents SDK, made by the SDK's own `tool`, which the host hands over: only
 * what it made can be known to need no approval. The SDK's abort signal cancels the run. Arguments that are no JSON are
 * refused by the SDK, before there is a run. Rejects with INVALID_INPUT when two tools would share a name.
 *
 * @example
 * ```ts
 * import { Agent, type Model, run, tool } from '@openai/agents-core'
 * import type { Session } from 'skillgate'
 * import { toTools } from 'skillgate/agents/openai-agents'
 *
 * const ask = async (session: Session, model: Model, prompt: string) =>
 *   run(new Agent({ name: 'operator', model, tools: await toTools(session, { tool }) }), prompt)
 * ```
 */
export async function toTools<Tool extends object>(
  session: ToolSession,
  { tool }: { tool: (fields: ToolFields) => Tool },
): Promise<(Tool & { name: string })[]> {
  const { definitions, call } = await toFunctions(session)
  return definitions.map(({ name, description, parameters }) => {
    const made = tool({
      name,
      description,
      parameters: { properties: {}, required: [], ...parameters },
      strict: false,
      execute: async (input, _context, { toolCall, signal } = {}) =>
        (await call(name, input, { callId: toolCall?.callId, signal })).text,
    })
    // The SDK writes hyphens as underscores, and two tools could get one name.
    return { ...made, name }
  })
}
