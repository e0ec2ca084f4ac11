/** Image references: parsed, never compared as text. Source: OCI distribution specification, "pull by digest". */
import { z } from 'zod'
import { describe, Failure, isFailure } from './failure.js'

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
  const { registry, repository, familiar } = parseName(name, (why) => bad(value, why))
  return { kind: 'digest', registry, repository, digest, reference: `${familiar}@${digest}` }
}

/**
 * Parses a repository without tag or digest into its normal form, the one that stands before the `@` of
 * {@link parsePinnedImage}'s `reference`: `docker.io/library/alpine` is `alpine`. Throws INVALID_INPUT.
 */
export function parseRepository(value: unknown): string {
  const refused = (why: string) =>
    new Failure(
      'INVALID_INPUT',
      `repository ${describe(value)} is not usable: ${why}. Send it without tag and digest, such as ghcr.io/acme/tool.`,
    )
  if (typeof value !== 'string') throw refused('it must be a string')
  return parseName(value, refused).familiar
}

/** Parses a registry's host, with its port where it has one, into the form that references are compared by. Throws INVALID_INPUT. */
export function parseRegistry(value: unknown): string {
  const registry = typeof value === 'string' && isRegistry(value) ? registryOf(value) : ''
  if (REGISTRY.test(registry)) return registry
  throw new Failure(
    'INVALID_INPUT',
    `registry ${describe(value)} is not usable: it must be a host with a dot or a port. Send one such as docker.io, ghcr.io or registry.example:5000.`,
  )
}

/** The repository of a pinned reference in the normal form of {@link parseRepository}, and its registry; undefined for an image id. */
export function originOf(reference: string): { repository: string; registry: string } | undefined {
  const image = parsePinnedImage(reference)
  return image.kind === 'id' ? undefined : { repository: image.reference.replace(/@.*$/, ''), registry: image.registry }
}

/** As zod for strict objects; each yields the normal form, and the parser's own words are the error. */
export const PinnedReference = normalised((value) => parsePinnedImage(value).reference)
export const RepositoryName = normalised(parseRepository)
export const RegistryName = normalised(parseRegistry)

function normalised(parse: (value: string) => string) {
  return z
    .string()
    .transform((value, context) => {
      try {
        return parse(value)
      } catch (error) {
        if (!isFailure(error)) throw error
        const [, why = error.message] = / is not usable: (.*?)\. Send /s.exec(error.message) ?? []
        context.addIssue({ code: 'custom', message: why })
        return z.NEVER
      }
    })
    .pipe(z.string()) // a transform alone has no JSON Schema
}

/** A reference's first component names a registry only when it looks like a host; else it is Docker Hub's. */
const isRegistry = (component: string): boolean => /[.:[]/.test(component) || component === 'localhost'

function registryOf(host: string): string {
  const registry = host.toLowerCase()
  return registry === 'index.docker.io' ? 'docker.io' : registry
}

function parseName(name: string, refused: (why: string) => Failure) {
  const components = name.split('/')
  const first = components[0] ?? ''
  const hasRegistry = components.length > 1 && isRegistry(first)
  const registry = hasRegistry ? registryOf(first) : 'docker.io'
  const path = hasRegistry ? components.slice(1) : components
  if (registry === 'docker.io' && path.length === 1) path.unshift('library')
  if (!REGISTRY.test(registry) || path.length === 0 || !path.every((part) => PATH_COMPONENT.test(part))) {
    const tagged = name.includes(':') && !hasRegistry
    throw refused(tagged ? 'a tag is not allowed' : 'the repository name is malformed')
  }
  const repository = path.join('/')
  if (`${registry}/${repository}`.length > 255) throw refused('the repository name is longer than 255 characters')
  const familiar = registry === 'docker.io' ? repository.replace(/^library\//, '') : `${registry}/${repository}`
  return { registry, repository, familiar }
}

function bad(value: unknown, why: string): Failure {
  return new Failure(
    'INVALID_INPUT',
    `image ${describe(value)} is not usable: ${why}. Send repository@sha256:<64 hex> or a local image id sha256:<64 hex>; docker inspect --format '{{index .RepoDigests 0}}' IMAGE prints it.`,
    { details: { field: 'image' } },
  )
}
