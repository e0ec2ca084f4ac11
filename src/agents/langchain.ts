/** Published as `skillgate/agents/langchain`: a session's tools as structured tools of LangChain. */
import { type Answer, type ToolSession, toFunctions } from './functions.js'

interface ToolFields {
  name: string
  description: string
  // biome-ignore lint/suspicious/noExplicitAny: LangChain's own type of a JSON Schema is its validator's
  schema: any
  /** The text for the model, and the {@link Answer} for the host as the message's `artifact`. */
  responseFormat: 'content_and_artifact'
  verboseParsingErrors: true
}

type ToolFunction = (
  input: unknown,
  config: { signal?: AbortSignal; toolCall?: { id?: string } },
) => Promise<[text: string, answer: Answer]>

/**
 * A session's tools for `bindTools` and for the agents of LangChain and LangGraph. LangChain's tools are objects of its
 * own class, so its `tool` function makes them. The signal of the config cancels the run. Arguments that are not of the
 * schema are refused by LangChain. Rejects with INVALID_INPUT when two tools would share a name.
 *
 * @example
 * ```ts
 * import { tool } from '@langchain/core/tools'
 * import type { BaseChatModel } from '@langchain/core/language_models/chat_models'
 * import type { Session } from 'skillgate'
 * import { toTools } from 'skillgate/agents/langchain'
 *
 * const withTools = async (session: Session, model: BaseChatModel) => model.bindTools?.(await toTools(session, { tool }))
 * ```
 */
export async function toTools<Tool>(
  session: ToolSession,
  { tool }: { tool: (run: ToolFunction, fields: ToolFields) => Tool },
): Promise<Tool[]> {
  const { definitions, call } = await toFunctions(session)
  return definitions.map(({ name, description, parameters }) =>
    tool(
      async (input, { signal, toolCall }) => {
        const answer = await call(name, input, { callId: toolCall?.id, signal })
        return [answer.text, answer]
      },
      { name, description, schema: parameters, responseFormat: 'content_and_artifact', verboseParsingErrors: true },
    ),
  )
}
