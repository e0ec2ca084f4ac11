/** A run whose output and progress are answered while it goes on: one JSON document a line, the last one its ending. */
import type { Failure } from '../core/failure.js'
import type { RequestOptions } from '../core/provider.js'
import type { Redactor } from '../redaction/index.js'
import { LINES_TYPE, type Line, statusOf, toDocument } from './wire.js'

interface LiveRun {
  run: (options: RequestOptions) => Promise<unknown>
  /** The caller's going away. */
  signal: AbortSignal
  redactor: Redactor
  failed: (error: unknown) => Failure
  over: (status: number, code?: string) => void
  headers: Record<string, string>
}

/** Of lines that a caller does not read; what comes beyond is left out, and the ending still has what was kept. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024

export function liveAnswer({ run, signal, redactor, failed, over, headers }: LiveRun): Response {
  const gone = new AbortController()
  signal.addEventListener('abort', () => gone.abort(), { once: true })
  const encoder = new TextEncoder()

  const body = new ReadableStream<Uint8Array>(
    {
      start(sink) {
        const write = (line: Line) => {
          if (!gone.signal.aborted) sink.enqueue(encoder.encode(`${JSON.stringify(line)}\n`))
        }
        const live = (line: Line) => {
          if ((sink.desiredSize ?? 0) > -MAX_WAITING_BYTES) write(line)
        }
        const end = (line: Line, status: number, code?: string) => {
          over(status, code)
          write(line)
          if (!gone.signal.aborted) sink.close()
        }
        const options: RequestOptions = {
          signal: gone.signal,
          onOutput: (stream, text) => live({ output: { stream, text } }),
          onProgress: (progress) => live({ progress }),
        }
        run(options).then(
          (answer) => end({ answer }, 200),
          (error) => {
            const failure = failed(error)
            end({ error: toDocument(failure, redactor) }, statusOf(failure), failure.code)
          },
        )
      },
      cancel: () => gone.abort(),
    },
    new ByteLengthQueuingStrategy({ highWaterMark: 0 }),
  )
  return new Response(body, { headers: { ...headers, 'content-type': LINES_TYPE } })
}
