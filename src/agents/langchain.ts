/** Published as `skillgate/agents/langchain`: a session's tools as structured tools of LangChain. */
import { type Answer, type ToolSession, toFunctions } from './functions.js'

interface ToolFields {
  name: string
  description: string
  // biome-ignore lint/suspicious/noExplicitAny: LangChain's own type of a JSON Schema is its validator's
  schema: any
  func(
    input: unknown,
    runManager: unknown,
    config?: { signal?: AbortSignal; toolCall?: { id?: string } },
  ): Promise<[text: string, answer: Answer]>
  /** The text for the model, and the {@link Answer} for the host as the message's `artifact`. */
  responseFormat: 'content_and_artifact'
  verboseParsingErrors: true
}

/**
 * A session's tools for `bindTools` and for the agents of LangChain and LangGraph. They are objects of LangChain's own
 * class, which the host hands over. The signal of the config cancels the run. Arguments that are not of the schema are
 * refused by LangChain, before there is a run. Rejects with INVALID_INPUT when two tools would share a name.
 *
 * @example
 * ```ts
 * import type { BaseChatModel } from '@langchain/core/language_models/chat_models'
 * import { DynamicStructuredTool } from '@langchain/core/tools'
 * import type { Session } from 'skillgate'
 * import { toTools } from 'skillgate/agents/langchain'
 *
 * const withTools = async (session: Session, model: BaseChatModel) =>
 *   model.bindTools?.(await toTools(session, { DynamicStructuredTool }))
 * ```
 */
export async function toTools<Tool>(
  session: ToolSession,
  { DynamicStructuredTool }: { DynamicStructuredTool: new (fields: ToolFields) => Tool },
): Promise<Tool[]> {
  const { definitions, call } = await toFunctions(session)
  return definitions.map(
    ({ name, description, parameters }) =>
      new DynamicStructuredTool({
        name,
        description,
        schema: parameters,
        async func(input, _runManager, { signal, toolCall } = {}) {
          const answer = await call(name, input, { callId: toolCall?.id, signal })
          return [answer.text, answer]
        },
        responseFormat: 'content_and_artifact',
        verboseParsingErrors: true,
      }),
  )
}
