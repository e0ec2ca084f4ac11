/** Published as `skillgate/agents/functions`: a session's tools as JSON Schema functions for any chat API, and their dispatcher. */
import { Failure, isFailure } from '../core/failure.js'
import type { Session } from '../core/sessions.js'
import type { ToolMeta } from '../core/tool.js'
import { type Answer, fromFailure, fromRun } from './answer.js'
import { nameFunctions } from './function-name.js'

export type { Answer } from './answer.js'

/** What the adapters ask of a session. */
export type ToolSession = Pick<Session, 'tools' | 'post' | 'redactor'>

export interface FunctionDefinition {
  /** The tool's name as chat APIs accept it: `docker_run` for `docker.run`. */
  name: string
  description: string
  /** JSON Schema of an object. */
  parameters: ToolMeta['input']
}

export interface CallOptions {
  /** Cancels the run. */
  signal?: AbortSignal | undefined
  /** The model's own id of the call, kept in the log as the message's `tool_call_id`. */
  callId?: string | undefined
}

export interface Functions {
  /** One for each tool that the policy could allow when they were asked for. */
  definitions: FunctionDefinition[]
  /** Runs one call under the policy of now; `args` is an object or its JSON. Failures and denials are answers too. */
  call(name: string, args: unknown, options?: CallOptions): Promise<Answer>
}

/**
 * A session's tools for a chat API without an SDK. Every call is judged, executed and logged as a run of the session,
 * also one that names a tool which is not offered. Rejects with INVALID_INPUT when two tools would share a name.
 *
 * @example
 * ```ts
 * import type { Session } from 'skillgate'
 * import { toFunctions } from 'skillgate/agents/functions'
 *
 * async function answerCall(session: Session, { name, arguments: args, id }: { name: string; arguments: string; id: string }) {
 *   const { definitions, call } = await toFunctions(session)
 *   const tools = definitions.map((definition) => ({ type: 'function', function: definition }))
 *   const { text } = await call(name, args, { callId: id })
 *   return { tools, message: { role: 'tool', tool_call_id: id, content: text } }
 * }
 * ```
 */
export async function toFunctions(session: ToolSession): Promise<Functions> {
  const named = nameFunctions(await session.tools())

  async function perform(name: string, args: unknown, { signal, callId }: CallOptions): Promise<Answer> {
    const params = parseArguments(args)
    if (signal?.aborted) throw new Failure('ABORTED', 'The call was cancelled before it began.')
    const run = await session.post({
      role: 'assistant',
      content: `Call of ${name}`,
      ...(callId !== undefined && { metadata: { tool_call_id: callId } }),
      intents: [{ tool: named.get(name)?.name ?? name, params }],
    })
    // What a cancelling fails for, done() tells: the run has ended, or its log cannot be written.
    const cancel = () => void run.cancel().catch(() => {})
    signal?.addEventListener('abort', cancel, { once: true })
    if (signal?.aborted) cancel()
    try {
      return fromRun(await run.done())
    } finally {
      signal?.removeEventListener('abort', cancel)
    }
  }

  return {
    // Copies: some SDKs write into the schemas that they are given.
    definitions: [...named].map(([name, { description, input }]) => ({
      name,
      description,
      parameters: structuredClone(input),
    })),
    async call(name, args, options = {}) {
      try {
        return await perform(name, args, options)
      } catch (error) {
        if (isFailure(error)) return fromFailure(error, session.redactor)
        throw error
      }
    },
  }
}

/** The arguments as models send them: an object, its JSON, or nothing. The gate refuses what is no object. */
function parseArguments(args: unknown): Record<string, unknown> {
  try {
    return ((typeof args === 'string' ? JSON.parse(args || '{}') : args) ?? {}) as Record<string, unknown>
  } catch {
    throw new Failure('INVALID_INPUT', 'The arguments are not JSON. Send one JSON object.', {
      details: { field: 'params' },
    })
  }
}
