/** The provider protocol: the one interface through which a skill reaches the world, and the host supplies it. */

/** How far the pull of an image has come. What is not known is left out. */
export interface PullProgress {
  stage: 'pull'
  /** The pinned reference. */
  image: string
  /** The engine's own word for what it does, such as `Downloading`; at most 100 characters, and not to be trusted. */
  status: string
  /** Bytes of the layers that the engine has told of. */
  bytes_done?: number
  bytes_total?: number
}

/** What accompanies a request. `timeoutMs` is the time left until the skill's deadline; `signal` fires when it passes. */
export interface RequestOptions {
  signal?: AbortSignal
  timeoutMs?: number
  /** Names the call in the host's log: the run's id and the step, `run_…/s1`. */
  runId?: string
  /**
   * Resolves when the answer is durable in the host's log, and rejects when it could not be written. Until then a provider
   * keeps what could tell it again (docker-run: the container); after a rejection it leaves that for recovery.
   */
  recorded?: Promise<void>
  /**
   * Called with each piece of a program's output as it arrives (docker-run only); `stream` says which of the two. A
   * provider hands on the raw text; what reaches the host's own listener is cleaned and redacted, but not to be trusted.
   */
  onOutput?: (stream: 'stdout' | 'stderr', text: string) => void
  /** Called while an image is pulled (docker-run only): when it begins, when it has ended, and twice a second at most. */
  onProgress?: (progress: PullProgress) => void
}

/**
 * A client that the host injects, holding the host's own credentials (BYOK). It maps the vendor-neutral L1 routes
 * (docs/provider-protocol.md) to a real system and resolves with the documented JSON shape.
 *
 * It rejects with an Error; a numeric `status` (or `statusCode`) on it is the upstream's HTTP status, and an
 * AbortError or TimeoutError counts as a timeout.
 *
 * @example
 * ```ts
 * import type { ProviderClient } from 'skillgate'
 *
 * const client: ProviderClient = {
 *   async request(method, path, body, { signal } = {}) {
 *     const response = await fetch(`https://engine.example${path}`, {
 *       method,
 *       body: body === undefined ? null : JSON.stringify(body),
 *       headers: { authorization: 'Bearer …' },
 *       ...(signal && { signal }),
 *     })
 *     if (!response.ok) throw Object.assign(new Error(await response.text()), { status: response.status })
 *     return response.json()
 *   },
 * }
 * ```
 */
export interface ProviderClient {
  request(method: string, path: string, body?: unknown, options?: RequestOptions): Promise<unknown>
  /** Tells the engine behind it from others, wherever it is asked from; rejects when it cannot be asked. */
  engineId?(): Promise<string>
}

/** The host's own log. Skillgate writes causes and failures of its own here, never to a caller. */
export interface Logger {
  warn(message: string, fields?: Record<string, unknown>): void
  error(message: string, fields?: Record<string, unknown>): void
}

/** The host's logger with its own failures contained: a log line that cannot be written changes no result. */
export function containLogger(logger: Logger | undefined): Logger {
  const attempt =
    (level: keyof Logger): Logger['error'] =>
    (message, fields) => {
      try {
        logger?.[level](message, fields)
      } catch {}
    }
  return { warn: attempt('warn'), error: attempt('error') }
}
