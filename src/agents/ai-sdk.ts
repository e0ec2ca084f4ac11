/** Published as `skillgate/agents/ai-sdk`: a session's tools as those of the Vercel AI SDK, version 6. */
import { type Answer, type ToolSession, toFunctions } from './functions.js'

/** The AI SDK's `Tool`, as far as it is used; the schema is a Standard JSON Schema (standardschema.dev). */
export interface AiTool {
  description: string
  inputSchema: {
    '~standard': {
      version: 1
      vendor: 'skillgate'
      /** Lets everything by: the gate judges, so that the log shows what was tried. */
      validate(value: unknown): { value: unknown }
      jsonSchema: Record<'input' | 'output', () => Record<string, unknown>>
    }
  }
  execute(input: unknown, options: { toolCallId: string; abortSignal?: AbortSignal | undefined }): Promise<Answer>
  toModelOutput(result: { output: Answer }): { type: 'text' | 'error-text'; value: string }
}

/**
 * A session's tools for `generateText`, `streamText` and agents of the AI SDK. The SDK's abort signal cancels the run.
 * Rejects with INVALID_INPUT when two tools would share a name.
 *
 * @example
 * ```ts
 * import { generateText, type LanguageModel, stepCountIs } from 'ai'
 * import type { Session } from 'skillgate'
 * import { toTools } from 'skillgate/agents/ai-sdk'
 *
 * const ask = async (session: Session, model: LanguageModel, prompt: string) =>
 *   generateText({ model, prompt, tools: await toTools(session), stopWhen: stepCountIs(8) })
 * ```
 */
export async function toTools(session: ToolSession): Promise<Record<string, AiTool>> {
  const { definitions, call } = await toFunctions(session)
  const toTool = ({ name, description, parameters }: (typeof definitions)[number]): AiTool => {
    const schema = () => structuredClone(parameters)
    return {
      description,
      inputSchema: {
        '~standard': {
          version: 1,
          vendor: 'skillgate',
          validate: (value) => ({ value }),
          jsonSchema: { input: schema, output: schema },
        },
      },
      execute: (input, { toolCallId, abortSignal }) => call(name, input, { callId: toolCallId, signal: abortSignal }),
      toModelOutput: ({ output: { ok, text } }) => ({ type: ok ? 'text' : 'error-text', value: text }),
    }
  }
  return Object.fromEntries(definitions.map((definition) => [definition.name, toTool(definition)]))
}
