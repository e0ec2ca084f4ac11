/** One tool call of an MCP client as one run of the session, and the run's end as the answer to the call. */
import type { CallToolResult } from '@modelcontextprotocol/server'
import { FAILURES, Failure, isFailure } from '../core/failure.js'
import type { Logger } from '../core/provider.js'
import type { Run, RunDocument, Step } from '../core/run.js'
import type { Session } from '../core/sessions.js'
import type { Listeners } from '../core/tool.js'
import type { Answer } from './tool.js'
import { fromMcpName } from './tool-name.js'

export interface CallRequest {
  name: string
  params: unknown
  /** Fires when the client cancels the call or goes away; the run is cancelled then. */
  signal: AbortSignal
  /** Receives what is worth telling while the run goes on; undefined when nobody asked. */
  onProgress: ((message: string) => void) | undefined
}

/** Makes calls in one session. Never rejects: what goes wrong is an answer with `isError`. */
export type Calls = (request: CallRequest) => Promise<CallToolResult>

/** At once in one session, those that wait for their turn included. */
const MAX_CALLS = 64

export function createCalls({ session, logger }: { session: Session; logger?: Logger | undefined }): Calls {
  let calls = 0

  async function perform({ name, params, signal, onProgress }: CallRequest): Promise<CallToolResult> {
    if (calls >= MAX_CALLS) {
      throw new Failure('RATE_LIMITED', `${MAX_CALLS} calls of this session are not over yet. Wait for their answers.`)
    }
    calls++
    try {
      // A dot in the place of an underscore may hide what a secret is recognised by.
      const tool = fromMcpName(session.redactor.text(name))
      const intents = [{ tool, params: (params ?? {}) as Record<string, unknown> }]
      const run = await session.post({ role: 'assistant', content: '', intents }, listeners(onProgress))
      return toResult(await settled(run, signal))
    } finally {
      calls--
    }
  }

  /** The run at its end, which the signal brings about. */
  async function settled(run: Run, signal: AbortSignal): Promise<RunDocument> {
    const cancel = (): void => {
      run.cancel().catch((error) => {
        // It may have ended just before.
        if (!isFailure(error) || error.code !== 'CONFLICT') logger?.error('A run was not cancelled.', { error })
      })
    }
    signal.addEventListener('abort', cancel, { once: true })
    if (signal.aborted) cancel()
    try {
      return await run.done()
    } finally {
      signal.removeEventListener('abort', cancel)
    }
  }

  return async (request) => {
    try {
      return await perform(request)
    } catch (error) {
      if (!isFailure(error)) logger?.error('A tool call failed.', { error })
      const { code, retriable, message } = isFailure(error) ? error : unknown()
      return refusal({ code, retriable, reason: session.redactor.text(message) })
    }
  }
}

const unknown = (): Failure => new Failure('INTERNAL', 'Something went wrong inside skillgate. Its log says more.')

function listeners(tell: CallRequest['onProgress']): Listeners {
  if (tell === undefined) return {}
  return {
    onOutput: (_stream, text) => tell(text),
    onProgress({ stage, image, status, bytes_done, bytes_total }) {
      const bytes = bytes_done === undefined ? '' : ` (${bytes_done} of ${bytes_total ?? 'unknown'} bytes)`
      tell(`${stage} ${image}: ${status}${bytes}`)
    },
  }
}

const isExecution = (step: Step): step is Extract<Step, { type: 'tool_exec' }> => step.type === 'tool_exec'

function toResult({ id, status, reason, steps }: RunDocument): CallToolResult {
  const { result, capped } = steps.find(isExecution)?.details ?? {}
  const shared = { run_id: id, ...(result && { metadata: result.metadata }), ...(capped && { capped }) }
  if (status === 'completed' && result !== undefined) return answer(result.result, shared)
  const { code, message } = reason ?? unknown()
  const failed = result?.metadata.success === false && result.metadata.error.code === code
  const retriable = failed ? (result.metadata.error as { retriable: boolean }).retriable : FAILURES[code].retriable
  return refusal({ ...shared, code, retriable, reason: message }, result?.result)
}

const refusal = (structured: Answer, text = `Error: ${structured.reason}`): CallToolResult => ({
  ...answer(text, structured),
  isError: true,
})

const answer = (text: string, structuredContent: Answer): CallToolResult => ({
  content: [{ type: 'text', text }],
  structuredContent,
})
