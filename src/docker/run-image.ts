/** Resolves a pinned reference to the one image on the engine that it names, and pulls it only when the spec says so. */
import { describe, Failure, isFailure } from '../core/failure.js'
import { type PinnedImage, parsePinnedImage } from '../core/image.js'
import { PULL_TIMEOUT_MS, type RunSpec } from '../core/run-spec.js'
import type { StopSignal } from '../core/stop.js'
import type { Engine, EngineIdentity } from './engine.js'
import { type PullOptions, pullImage } from './pull.js'
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

/** Labels that speak to something else on the engine, and ours: an image's labels become its containers'. */
const RESERVED_LABEL = /^(?:skillgate|com\.docker|traefik|socket-proxy)\./i

/**
 * Throws IMAGE_NOT_FOUND when the engine has no such image, PLATFORM_MISMATCH when it cannot run it, INVALID_INPUT when
 * its labels are not an image's to set. A pull that the spec allows throws as pullImage does.
 */
export async function resolveImage(
  engine: Engine,
  spec: Pick<RunSpec, 'image' | 'pull' | 'pull_timeout_ms'>,
  { os, arch }: EngineIdentity,
  options: Omit<PullOptions, 'timeoutMs'>,
): Promise<ResolvedImage> {
  const pinned = parsePinnedImage(spec.image)
  let image = await findImage(engine, pinned, options.signal)
  const pulled = image === undefined && spec.pull === 'if-missing' && pinned.kind === 'digest'
  if (pulled) {
    await pullImage(engine, pinned, { ...options, timeoutMs: spec.pull_timeout_ms ?? PULL_TIMEOUT_MS })
    image = await findImage(engine, pinned, options.signal)
  }
  if (image === undefined) throw notFound(pinned, pulled)
  if (image.os !== os || image.arch !== arch) {
    throw new Failure(
      'PLATFORM_MISMATCH',
      `Image ${pinned.reference} is for ${image.os}/${image.arch} and the engine runs ${os}/${arch}. Use an image built for it.`,
      { details: { image: `${image.os}/${image.arch}`, engine: `${os}/${arch}` } },
    )
  }
  const reserved = image.labels.find((label) => RESERVED_LABEL.test(label))
  if (reserved !== undefined) {
    throw new Failure(
      'INVALID_INPUT',
      `Image ${pinned.reference} has the label ${describe(reserved)}, which its container would get and which is reserved. Build it without labels that begin with skillgate., com.docker., traefik. or socket-proxy.`,
      { details: { field: 'image' } },
    )
  }
  return image
}

/** Undefined when the engine has none, or one under the name that is another. */
async function findImage(
  engine: Engine,
  pinned: PinnedImage,
  signal: StopSignal,
): Promise<(ResolvedImage & { labels: string[] }) | undefined> {
  let body: unknown
  try {
    body = (await engine.json('imageInspect', { image: pinned.reference, signal })).body
  } catch (error) {
    if (isFailure(error) && error.details?.status === 404) return undefined
    throw error
  }
  const image = parseImage(body)
  return isPinnedTo(body, image.id, pinned) ? image : undefined
}

function parseImage(body: unknown): ResolvedImage & { labels: string[] } {
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
    labels: Object.keys(fieldsOf(config.Labels)),
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

function notFound({ kind, reference }: PinnedImage, pulled: boolean): Failure {
  const advice =
    kind === 'digest' ? `Pull it first: docker pull ${reference}` : 'docker images --no-trunc prints the ids.'
  const message = pulled
    ? `The engine pulled, and still has no image ${reference}: its registry answered with another.`
    : `The engine has no image ${reference}, and nothing is pulled. ${advice}`
  return new Failure('IMAGE_NOT_FOUND', message, { details: { image: reference } })
}
