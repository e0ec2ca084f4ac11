/** The output of a program that somebody else started: from the engine's log where it keeps one, else from now on. */
import { setTimeout as delay } from 'node:timers/promises'
import { Failure, isFailure } from '../core/failure.js'
import { createStop, type StopSignal } from '../core/stop.js'
import { type Attached, attach } from './attach.js'
import type { Engine } from './engine.js'
import { createFrameParser, type OutputStream } from './frames.js'
import { fieldsOf } from './wire.js'

export interface FoundOutput extends Pick<Attached, 'drained' | 'close'> {
  source: 'log' | 'rest' | 'none'
  /** True when the engine may have dropped some of it. */
  isIncomplete(): boolean
}

interface OutputOptions {
  signal: StopSignal
  onPiece: (stream: OutputStream, bytes: Buffer) => void
}

/** The log has two files of 1 MiB: less than one means that none was dropped. What an entry costs besides its bytes. */
const LOG_FILE_BYTES = 1_000_000
const ENTRY_BYTES = 64

export async function openOutput(
  engine: Engine,
  { id, container, running }: { id: string; container: Record<string, unknown>; running: boolean },
  options: OutputOptions,
): Promise<FoundOutput> {
  const { Type } = fieldsOf(fieldsOf(container.HostConfig).LogConfig)
  if (Type !== 'none') return readLog(engine, id, options)
  if (running) {
    try {
      const streams = await attach(engine, id, { ...options, stdin: undefined })
      const drained: Attached['drained'] = async (bounds) => {
        await streams.drained(bounds)
        return NO_BEGINNING
      }
      return { source: 'rest', isIncomplete: () => true, drained, close: streams.close }
    } catch (error) {
      options.signal.throwIfAborted()
      // It has just ended.
      if (!isFailure(error) || error.details?.status === undefined) throw error
    }
  }
  return { source: 'none', isIncomplete: () => true, drained: async () => NO_OUTPUT, close() {} }
}

const NO_OUTPUT = 'the output is lost: this engine keeps none, and the host that read it died'
const NO_BEGINNING = 'the output from before the recovery is lost: this engine keeps none'
const DROPPED =
  'the output was read back from the engine’s log, which keeps the last 1 MiB: its beginning may be missing'

/** Both what is there and what still comes; it ends with the container. */
function readLog(engine: Engine, id: string, { onPiece }: OutputOptions): FoundOutput {
  const stop = createStop()
  let logged = 0
  let over = false
  const parser = createFrameParser((stream, bytes) => {
    logged += bytes.length + ENTRY_BYTES
    onPiece(stream, bytes)
  })
  const query = { stdout: 1, stderr: 1, follow: 1, tail: 'all' }
  const maxBytes = Number.POSITIVE_INFINITY
  const ended = engine.stream('containerLogs', { id, query, signal: stop.signal, maxBytes }, parser.push).then(() => {
    parser.end()
    over = true
  })
  // Awaited only once the program has ended.
  ended.catch(() => {})
  const isIncomplete = () => !over || logged >= LOG_FILE_BYTES
  return {
    source: 'log',
    isIncomplete,
    async drained({ longestMs }) {
      await Promise.race([ended, delay(longestMs, undefined, { ref: false })])
      return isIncomplete() ? DROPPED : undefined
    },
    close: () => stop.abort(new Failure('ABORTED', 'The log is no longer read.')),
  }
}
