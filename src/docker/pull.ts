/** Pulls an image by its digest, when the run says so: bounded by a time of its own, its progress told to the host. */
import { Failure, isFailure } from '../core/failure.js'
import type { PinnedImage } from '../core/image.js'
import type { Logger, PullProgress, RequestOptions } from '../core/provider.js'
import type { StopSignal } from '../core/stop.js'
import { bounded } from './deadline.js'
import type { Engine } from './engine.js'
import { malformedAnswer } from './upstream.js'
import { fieldsOf, textOf } from './wire.js'

export interface PullOptions {
  timeoutMs: number
  signal: StopSignal
  onProgress?: RequestOptions['onProgress']
  logger?: Logger | undefined
}

const ROUTE = '/images/create'
/** A pull of many layers tells of each ten times a second; nothing of it is kept. */
const MAX_ANSWER_BYTES = 256 * 1024 * 1024
const MAX_LINE = 64 * 1024
const MAX_LAYERS = 256
const MAX_TEXT = 500
const MAX_STATUS = 100
const INTERVAL_MS = 500

/**
 * Resolves when the engine says that it is done; what it has then is for the caller to look at. Throws IMAGE_NOT_FOUND
 * when the registry has no such image, UPSTREAM_ERROR with the engine's words when the pull failed otherwise, TIMEOUT
 * after `timeoutMs`. No credentials are sent: the registry must let the engine read.
 */
export async function pullImage(
  engine: Engine,
  image: PinnedImage & { kind: 'digest' },
  { timeoutMs, signal, onProgress, logger }: PullOptions,
): Promise<void> {
  const { registry, repository, digest, reference } = image
  const progress = createProgress(reference, onProgress, logger)
  const lines = createLineReader(progress.tell)
  // In full, so that no engine looks a short name up elsewhere.
  const query = { fromImage: `${registry}/${repository}`, tag: digest }
  progress.tell({ status: 'Pulling' })
  try {
    await bounded({ timeoutMs, what: `the pull of ${reference}`, write: false, signal }, (stop) =>
      engine.stream('imagePull', { query, signal: stop, maxBytes: MAX_ANSWER_BYTES }, lines.push),
    ).done
  } catch (error) {
    if (isFailure(error) && error.details?.status === 404) throw absent(reference, error)
    throw error
  }
  const refused = lines.end()
  if (refused !== undefined) {
    throw new Failure('UPSTREAM_ERROR', `The engine could not pull ${reference}: ${refused}`, {
      details: { image: reference, route: ROUTE },
    })
  }
  progress.end()
}

function absent(reference: string, cause: Failure): Failure {
  return new Failure(
    'IMAGE_NOT_FOUND',
    `The registry does not give out ${reference}. Check the name and the digest; an image that needs a login must be pulled by hand first.`,
    { details: { image: reference }, cause },
  )
}

/** Reads JSON lines however they are cut. A 200 may still carry an `error` line, which `end` answers. */
function createLineReader(onLine: (line: Record<string, unknown>) => void) {
  const decoder = new TextDecoder()
  let rest = ''
  let error: string | undefined

  function read(text: string): void {
    if (text.trim() === '') return
    let line: Record<string, unknown>
    try {
      line = fieldsOf(JSON.parse(text))
    } catch (cause) {
      throw malformedAnswer(ROUTE, 'a line of it is not JSON', cause)
    }
    const said = textOf(line.error) || textOf(fieldsOf(line.errorDetail).message)
    if (said !== '') error ??= printable(said, MAX_TEXT)
    else onLine(line)
  }

  return {
    push(chunk: Buffer): void {
      const texts = (rest + decoder.decode(chunk, { stream: true })).split('\n')
      rest = texts.pop() ?? ''
      if (rest.length > MAX_LINE) throw malformedAnswer(ROUTE, `a line of it is longer than ${MAX_LINE} characters`)
      for (const text of texts) read(text)
    },
    end(): string | undefined {
      read(rest + decoder.decode())
      return error
    },
  }
}

/** Tells the host at most twice a second, and always of the end. A listener that throws is left out from then on. */
function createProgress(image: string, onProgress: RequestOptions['onProgress'], logger: Logger | undefined) {
  const layers = new Map<string, { done: number; total: number }>()
  let listener = onProgress
  let nextAt = 0

  function emit(status: string): void {
    const sum = (of: 'done' | 'total') => [...layers.values()].reduce((bytes, layer) => bytes + layer[of], 0)
    const bytes = layers.size > 0 ? { bytes_done: sum('done'), bytes_total: sum('total') } : {}
    const progress: PullProgress = { stage: 'pull', image, status, ...bytes }
    const leaveOut = (cause: unknown) => {
      listener = undefined
      logger?.error('onProgress threw and is not called again for this pull', { cause })
    }
    try {
      // An async listener is a listener too; its rejection must not be nobody's.
      Promise.resolve(listener?.(progress)).catch(leaveOut)
    } catch (cause) {
      leaveOut(cause)
    }
  }

  return {
    tell(line: Record<string, unknown>): void {
      if (listener === undefined) return
      const { current, total } = fieldsOf(line.progressDetail)
      const id = textOf(line.id)
      // Extracting counts its own bytes anew; only what comes over the network adds up.
      const counts = line.status === 'Downloading' && isSize(current) && isSize(total)
      if (counts && (layers.has(id) || layers.size < MAX_LAYERS)) layers.set(id, { done: current, total })
      const now = performance.now()
      if (now < nextAt) return
      nextAt = now + INTERVAL_MS
      emit(printable(textOf(line.status), MAX_STATUS))
    },
    end: () => emit('Pulled'),
  }
}

const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0

const printable = (text: string, most: number): string => text.replaceAll(/\p{Cc}+/gu, ' ').slice(0, most)
