/** Resolves a pinned reference to the one image on the engine that it names; never pulls. */

import { Failure, isFailure } from '../core/failure.js'
import { type PinnedImage, parsePinnedImage } from '../core/image.js'
import type { StopSignal } from '../core/stop.js'
import type { Engine, EngineIdentity } from './engine.js'
import { malformedAnswer } from './upstream.js'
import { fieldsOf, textOf, textsOf } from './wire.js'

/** What of an image decides how it is run. */
export interface ResolvedImage {
  /** `sha256:` and 64 hex digits; the container is created by it, so nothing can be retagged in between. */
  id: string
  os: string
  arch: string
  entrypoint: string[]
  cmd: string[]
  workdir: string
  /** Paths of its VOLUME instructions. */
  volumes: string[]
}

/** Throws IMAGE_NOT_FOUND when the engine has no such image and PLATFORM_MISMATCH when it cannot run it. */
export async function resolveImage(
  engine: Engine,
  reference: string,
  { os, arch }: EngineIdentity,
  signal: StopSignal,
): Promise<ResolvedImage> {
  const pinned = parsePinnedImage(reference)
  const found = await inspectImage(engine, pinned, signal)
  const image = parseImage(found)
  if (!isPinnedTo(found, image.id, pinned)) throw notFound(pinned)
  if (image.os !== os || image.arch !== arch) {
    throw new Failure(
      'PLATFORM_MISMATCH',
      `Image ${pinned.reference} is for ${image.os}/${image.arch} and the engine runs ${os}/${arch}. Use an image built for it.`,
      { details: { image: `${image.os}/${image.arch}`, engine: `${os}/${arch}` } },
    )
  }
  return image
}

async function inspectImage(engine: Engine, pinned: PinnedImage, signal: StopSignal): Promise<unknown> {
  try {
    return (await engine.json('imageInspect', { image: pinned.reference, signal })).body
  } catch (error) {
    if (isFailure(error) && error.details?.status === 404) throw notFound(pinned, error)
    throw error
  }
}

function parseImage(body: unknown): ResolvedImage {
  const image = fieldsOf(body)
  const config = fieldsOf(image.Config)
  const id = textOf(image.Id)
  if (!/^sha256:[0-9a-f]{64}$/.test(id)) throw malformedAnswer('/images/{image}/json', 'it has no image id')
  return {
    id,
    os: textOf(image.Os),
    arch: textOf(image.Architecture),
    entrypoint: textsOf(config.Entrypoint),
    cmd: textsOf(config.Cmd),
    workdir: textOf(config.WorkingDir),
    volumes: Object.keys(fieldsOf(config.Volumes)),
  }
}

/** Engines look a digest up leniently (by any repository that has it), so what was found is compared, parsed. */
function isPinnedTo(body: unknown, id: string, pinned: PinnedImage): boolean {
  if (pinned.kind === 'id') return id === pinned.digest
  return textsOf(fieldsOf(body).RepoDigests).some((entry) => {
    try {
      const known = parsePinnedImage(entry)
      return (
        known.kind === 'digest' &&
        known.registry === pinned.registry &&
        known.repository === pinned.repository &&
        known.digest === pinned.digest
      )
    } catch {
      return false
    }
  })
}

function notFound({ kind, reference }: PinnedImage, cause?: unknown): Failure {
  const advice =
    kind === 'digest' ? `Pull it first: docker pull ${reference}` : 'docker images --no-trunc prints the ids.'
  return new Failure('IMAGE_NOT_FOUND', `The engine has no image ${reference}, and nothing is pulled. ${advice}`, {
    details: { image: reference },
    cause,
  })
}
