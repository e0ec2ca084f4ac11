/** What a policy's constraints have against a docker.run call, seen from its params alone. */
import { originOf } from '../../src/core/image.js'
import { isWithin, plainPath } from '../../src/core/run-spec.js'
import type { Objection } from '../../src/core/skill.js'
import { type Constraints, MAX_ENV_NAMES, MAX_IMAGES, MAX_MOUNT_ROOTS, MAX_NETWORKS, type RunInput } from './input.js'
import { isLoaderOrProxy } from './variable.js'

type Check = (input: RunInput, constraints: Constraints) => Objection | undefined

/** The first thing the constraints refuse, and the smallest change to them that would allow it. */
export const judge: Check = (input, constraints) => {
  const objections = CHECKS.map((check) => check(input, constraints)).filter((found) => found !== undefined)
  const [first] = objections
  return first && { reason: first.reason, fix: Object.assign({}, ...objections.map((objection) => objection.fix)) }
}

/** What holds without a policy: any pinned image the caller names, and the strictest of everything else. */
export const direct = (input: RunInput, defaults: Constraints): Constraints => ({ ...defaults, images: [input.image] })

const CHECKS: readonly Check[] = [
  ({ image }, { images, repositories, registries }) => {
    if (images.includes(image)) return undefined
    const origin = originOf(image)
    if (origin && (repositories.includes(origin.repository) || registries.includes(origin.registry))) return undefined
    return {
      reason: `image ${image} is not in the policy's images, nor of its repositories or registries`,
      fix: { images: extended(images, [image], MAX_IMAGES) },
    }
  },

  ({ network }, { network_allowed, networks }) => {
    if (network === false) return undefined
    if (network === true) {
      return network_allowed
        ? undefined
        : { reason: 'network is not allowed by the policy', fix: { network_allowed: true } }
    }
    if (networks.includes(network)) return undefined
    return {
      reason: `network ${network} is not in the policy's networks`,
      fix: { networks: extended(networks, [network], MAX_NETWORKS) },
    }
  },

  ({ mounts }, { writable_mounts_allowed }) => {
    const writable = mounts.find(({ read_only }) => !read_only)
    if (writable === undefined || writable_mounts_allowed) return undefined
    return {
      reason: `mount ${writable.target} is not read-only, which the policy does not allow`,
      fix: { writable_mounts_allowed: true },
    }
  },

  ({ mounts }, { mounts_allowed, mount_roots }) => {
    if (mounts.length === 0) return undefined
    const outside = mounts.filter(({ source }) => rootOf(source, mount_roots) === undefined)
    if (mounts_allowed && outside.length === 0) return undefined
    const reason = mounts_allowed
      ? `mount source ${outside[0]?.source} lies in none of the policy's mount_roots`
      : 'mounts are not allowed by the policy'
    const missing = outside.map(({ source }) => source)
    const most = extended(mount_roots, missing, MAX_MOUNT_ROOTS)
    // When the roots in force leave no room, those that the other mounts need must be named again.
    const kept = mount_roots.every((root) => most.includes(root))
    return {
      reason,
      fix: { mounts_allowed: true, mount_roots: kept ? most : mounts.map(({ source }) => source) },
    }
  },

  ({ cmd }, constraints) =>
    fixedWords('cmd', cmd.length === 0 ? undefined : cmd, constraints.cmd_allowed, constraints.cmd),

  ({ entrypoint }, constraints) =>
    fixedWords('entrypoint', entrypoint, constraints.entrypoint_allowed, constraints.entrypoint),

  ({ env }, { env: allowed }) => {
    const names = Object.keys(env)
    const refused = names.find((name) => (allowed === undefined ? isLoaderOrProxy(name) : !allowed.includes(name)))
    if (refused === undefined) return undefined
    return {
      reason: `env ${refused} is not allowed by the policy`,
      fix: { env: extended(allowed ?? [], names, MAX_ENV_NAMES) },
    }
  },

  atMost('memory_mb', 'max_memory_mb'),
  atMost('cpus', 'max_cpus'),
  atMost('timeout_ms', 'max_timeout_ms'),
]

/** The list with what is missing, or when that is more than a list may hold, what is missing alone. */
function extended(list: readonly string[], missing: readonly string[], most: number): string[] {
  const both = [...new Set([...list, ...missing])]
  return both.length > most ? [...new Set(missing)] : both
}

function fixedWords(
  field: 'cmd' | 'entrypoint',
  words: string[] | undefined,
  allowed: boolean,
  fixed: string[] | undefined,
): Objection | undefined {
  if (fixed !== undefined) {
    if (JSON.stringify(words ?? []) === JSON.stringify(fixed)) return undefined
    return { reason: `${field} must be ${JSON.stringify(fixed)} under the policy`, fix: { [field]: words ?? [] } }
  }
  if (words === undefined || allowed) return undefined
  return { reason: `${field} is not allowed by the policy`, fix: { [`${field}_allowed`]: true } }
}

function atMost(
  field: 'memory_mb' | 'cpus' | 'timeout_ms',
  limit: 'max_memory_mb' | 'max_cpus' | 'max_timeout_ms',
): Check {
  return (input, constraints) => {
    const most = constraints[limit]
    if (most === undefined || input[field] <= most) return undefined
    return { reason: `${field} ${input[field]} is above the policy's ${limit} ${most}`, fix: { [limit]: input[field] } }
  }
}

/** The narrowest root that the source lies in, by its name; links are the provider's to follow. */
export function rootOf(source: string, roots: readonly string[]): string | undefined {
  return roots
    .filter((root) => isWithin(plainPath(source), plainPath(root)))
    .reduce<string | undefined>(
      (best, root) => (best === undefined || plainPath(root).length > plainPath(best).length ? root : best),
      undefined,
    )
}
