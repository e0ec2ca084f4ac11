/** Image references: parsed, never compared as text. Source: OCI distribution specification, "pull by digest". */
import { describe, Failure } from './failure.js'

/** An image pinned to exact bytes: by registry digest, or by the id of an image that is on the engine already. */
export type PinnedImage =
  | { kind: 'digest'; registry: string; repository: string; digest: string; reference: string }
  | { kind: 'id'; digest: string; reference: string }

const DIGEST = /^sha256:[0-9a-f]{64}$/
const PATH_COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/
const REGISTRY =
  /^(?:(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?$/

/**
 * Parses `repository@sha256:<64 hex>` or `sha256:<64 hex>` (a local image id). Anything that could mean other bytes
 * tomorrow (a tag, another hash, upper-case hex, two digests) throws INVALID_INPUT.
 *
 * `reference` is the normal form: Docker Hub names lose `docker.io/` and `library/`, as the engine prints them.
 *
 * @example
 * ```ts
 * import { parsePinnedImage } from 'skillgate'
 *
 * const image = parsePinnedImage(`docker.io/library/hello-world@sha256:${'0'.repeat(64)}`)
 * image.reference // hello-world@sha256:000…
 * ```
 */
export function parsePinnedImage(value: unknown): PinnedImage {
  if (typeof value !== 'string' || value.length > 500) throw bad(value, 'it must be a string of at most 500 characters')
  if (DIGEST.test(value)) return { kind: 'id', digest: value, reference: value }
  const parts = value.split('@')
  const [name, digest] = parts
  if (parts.length !== 2 || name === undefined || digest === undefined) {
    throw bad(value, parts.length > 2 ? 'it has more than one @' : 'it is not pinned to a digest')
  }
  if (!DIGEST.test(digest)) throw bad(value, 'the digest must be sha256: and 64 lower-case hexadecimal digits')
  const components = name.split('/')
  const first = components[0] ?? ''
  const hasRegistry = components.length > 1 && (/[.:[]/.test(first) || first === 'localhost')
  let registry = hasRegistry ? first.toLowerCase() : 'docker.io'
  if (registry === 'index.docker.io') registry = 'docker.io'
  const path = hasRegistry ? components.slice(1) : components
  if (registry === 'docker.io' && path.length === 1) path.unshift('library')
  if (!REGISTRY.test(registry) || path.length === 0 || !path.every((part) => PATH_COMPONENT.test(part))) {
    throw bad(
      value,
      name.includes(':') && !hasRegistry
        ? 'a tag beside the digest is not allowed'
        : 'the repository name is malformed',
    )
  }
  const repository = path.join('/')
  if (`${registry}/${repository}`.length > 255) throw bad(value, 'the repository name is longer than 255 characters')
  const familiar = registry === 'docker.io' ? repository.replace(/^library\//, '') : `${registry}/${repository}`
  return { kind: 'digest', registry, repository, digest, reference: `${familiar}@${digest}` }
}

function bad(value: unknown, why: string): Failure {
  return new Failure(
    'INVALID_INPUT',
    `image ${describe(value)} is not usable: ${why}. Send repository@sha256:<64 hex> or a local image id sha256:<64 hex>; docker inspect --format '{{index .RepoDigests 0}}' IMAGE prints it.`,
    { details: { field: 'image' } },
  )
}
