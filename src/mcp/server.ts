/** The MCP server of one session: offers the tools that its policy could allow, and makes each call a run. */
import { type CallToolResult, ProtocolError, ProtocolErrorCode, Server } from '@modelcontextprotocol/server'
import { isFailure } from '../core/failure.js'
import type { Logger } from '../core/provider.js'
import type { Session } from '../core/sessions.js'
import { VERSION } from '../core/version.js'
import { type Calls, createCalls } from './call.js'
import { toMcpTool } from './tool.js'

export interface McpServerOptions {
  /** Under whose policy and in whose log the client's calls are. */
  session: Session
  /** Receives the causes of failures, which a client must not see. */
  logger?: Logger
}

const INSTRUCTIONS =
  "Every call is judged by the session's policy and logged. A denied call says why; only a person can change the policy."

/**
 * Creates the MCP server of a session, for one connection over a transport of the host's choice. Closing the connection
 * cancels the runs of its calls. Tool names: `docker.run` is offered as `docker_run`. Documented in docs/mcp.md.
 *
 * @example
 * ```ts
 * import { serveStdio } from '@modelcontextprotocol/server/stdio'
 * import { createGate } from 'skillgate'
 * import { createDockerProvider } from 'skillgate/docker'
 * import { createMcpServer } from 'skillgate/mcp'
 * import { dockerApi } from 'skillgate/skills/docker-api'
 * import { createMemoryStore } from 'skillgate/stores/memory'
 *
 * const gate = createGate({ skills: [dockerApi], store: createMemoryStore(), providerClient: createDockerProvider() })
 * const session = await gate.createSession({ label: 'editor' })
 * await session.setPolicy({ overrides: [{ tool: 'docker-api.list_containers', allow: true }] })
 * serveStdio(() => createMcpServer({ session }))
 * ```
 */
export function createMcpServer({ session, logger }: McpServerOptions): Server {
  return createSessionServer({ session, calls: createCalls({ session, logger }), logger })
}

/** Several connections of one session share `calls`, and with it the bound on how many there may be at once. */
export function createSessionServer({
  session,
  calls,
  logger,
}: {
  session: Session
  calls: Calls
  logger?: Logger | undefined
}): Server {
  const server = new Server(
    { name: 'skillgate', version: VERSION },
    { capabilities: { tools: { listChanged: true } }, instructions: INSTRUCTIONS },
  )
  /** The calls under way. */
  const open = new Set<AbortController>()
  let closed = false
  /** The version of the policy that the client's list of tools is of. */
  let listed: number | undefined
  let ignorePolicy: (() => void) | undefined

  /** Announces a policy that is not the listed one. A client that never listed the tools has nothing to be told. */
  async function look(): Promise<void> {
    if (listed === undefined || closed) return
    try {
      const { version } = await session.policy()
      if (version === listed) return
      listed = version
      await server.sendToolListChanged()
    } catch (error) {
      if (!closed) logger?.warn('A changed policy could not be announced.', { error })
    }
  }

  server.setRequestHandler('tools/list', async ({ params }) => {
    if (params?.cursor !== undefined)
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, 'There is one page only.')
    try {
      // First the version: what changes in between is announced once too often, never not at all.
      const { version } = await session.policy()
      const tools = (await session.tools()).map(toMcpTool)
      listed = version
      if (!closed) ignorePolicy ??= session.onPolicy(look)
      return { tools }
    } catch (error) {
      throw toProtocolError(error, session.redactor, logger)
    }
  })

  server.setRequestHandler('tools/call', async ({ params }, { mcpReq, http }): Promise<CallToolResult> => {
    // Another process may have replaced the policy, of which nothing tells but the log.
    void look()
    const { progressToken } = mcpReq._meta ?? {}
    let progress = 0
    const onProgress = (message: string): void => {
      const params = { progressToken: progressToken ?? 0, progress: ++progress, message }
      mcpReq.notify({ method: 'notifications/progress', params }).catch(() => {})
    }
    const stop = new AbortController()
    open.add(stop)
    // The request's own signal too: over HTTP a client that dies leaves the connection that it began the call on.
    for (const signal of [mcpReq.signal, http?.req?.signal]) {
      signal?.addEventListener('abort', () => stop.abort(), { once: true })
      if (signal?.aborted) stop.abort()
    }
    try {
      return await calls({
        name: params.name,
        params: params.arguments,
        signal: stop.signal,
        onProgress: progressToken === undefined ? undefined : onProgress,
      })
    } finally {
      open.delete(stop)
    }
  })

  server.onclose = () => {
    closed = true
    ignorePolicy?.()
    for (const stop of open) stop.abort()
  }
  server.onerror = (error) => logger?.warn('An MCP message could not be handled.', { error })
  return server
}

function toProtocolError(error: unknown, redactor: Session['redactor'], logger: Logger | undefined): ProtocolError {
  if (isFailure(error)) {
    const { code, retriable, message } = error
    return new ProtocolError(ProtocolErrorCode.InternalError, redactor.text(message), { code, retriable })
  }
  logger?.error('The tools could not be listed.', { error })
  return new ProtocolError(ProtocolErrorCode.InternalError, 'Something went wrong inside skillgate. Its log says more.')
}
