/** What a program prints, on its way to the host while it runs: cleaned and redacted, however it is cut. */
import { type Redactor, sanitizeUntrusted } from '../redaction/index.js'
import type { Logger } from './provider.js'
import type { SkillContext } from './tool.js'

type Listener = NonNullable<SkillContext['onOutput']>

/**
 * `push` takes the provider's pieces; a line is handed on when it has ended, since its end can make a secret of its
 * beginning. `end` hands on what is held back. A sequence that a cut divides loses its beginning, which is what acts.
 */
export function createRedactedOutput(
  listener: Listener,
  redactor: Redactor,
  logger: Logger,
): { push: Listener; end(): void } {
  const streams = { stdout: redactor.stream(), stderr: redactor.stream() }
  let ended = false
  // An async listener's rejection is the provider's to see, as a throw is.
  const emit = (stream: keyof typeof streams, text: string): unknown =>
    text === '' ? undefined : listener(stream, text)
  return {
    push(stream, text): unknown {
      if (ended) return undefined
      const { text: clean } = sanitizeUntrusted(text, { maxLength: Number.POSITIVE_INFINITY })
      return emit(stream, streams[stream].push(clean))
    },
    end() {
      if (ended) return
      ended = true
      for (const stream of ['stdout', 'stderr'] as const) {
        const failed = (cause: unknown) => logger.error('onOutput failed at the end of a program', { cause })
        try {
          Promise.resolve(emit(stream, streams[stream].end())).catch(failed)
        } catch (cause) {
          failed(cause)
        }
      }
    },
  }
}
