/** What a policy's constraints have against a docker.run call, seen from its params alone. */
import type { Objection } from '../../src/core/skill.js'
import { type Constraints, MAX_ENV_NAMES, MAX_IMAGES, MAX_MOUNT_ROOTS, type RunInput } from './input.js'

/** Variables that load code into, or reroute the traffic of, whatever program runs. Allowed only by name. */
const LOADER_OR_PROXY =
  /^(?:LD_.*|NVIDIA_.*|DYLD_.*|GCONV_PATH|GLIBC_TUNABLES|NODE_OPTIONS|NODE_PATH|PYTHONPATH|PYTHONSTARTUP|PYTHONHOME|PERL5LIB|PERL5OPT|PERL5DB|RUBYOPT|RUBYLIB|JAVA_TOOL_OPTIONS|CLASSPATH|DOTNET_STARTUP_HOOKS|OPENSSL_CONF|GIT_.*|_JAVA_OPTIONS|JDK_JAVA_OPTIONS|BASH_ENV|ENV|PROMPT_COMMAND|SHELLOPTS|BASHOPTS|IFS|(?:HTTPS?|FTP|ALL|NO)_PROXY)$/i

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
  ({ image }, { images }) => {
    if (images.includes(image)) return undefined
    return {
      reason: `image ${image} is not in the policy's images`,
      fix: { images: extended(images, [image], MAX_IMAGES) },
    }
  },

  ({ network }, { network_allowed }) => {
    if (!network || network_allowed) return undefined
    return { reason: 'network is not allowed by the policy', fix: { network_allowed: true } }
  },

  ({ mounts }, { mounts_allowed, mount_roots }) => {
    if (mounts.length === 0) return undefined
    const outside = mounts.find(({ source }) => !mount_roots.some((root) => isSamePath(source, root)))
    if (mounts_allowed && outside === undefined) return undefined
    const reason = mounts_allowed
      ? `mount source ${outside?.source} is not one of the policy's mount_roots`
      : 'mounts are not allowed by the policy'
    const sources = mounts.map(({ source }) => source)
    const roots = outside === undefined ? mount_roots : extended(mount_roots, sources, MAX_MOUNT_ROOTS)
    return { reason, fix: { mounts_allowed: true, mount_roots: roots } }
  },

  ({ cmd }, constraints) =>
    fixedWords('cmd', cmd.length === 0 ? undefined : cmd, constraints.cmd_allowed, constraints.cmd),

  ({ entrypoint }, constraints) =>
    fixedWords('entrypoint', entrypoint, constraints.entrypoint_allowed, constraints.entrypoint),

  ({ env }, { env: allowed }) => {
    const names = Object.keys(env)
    const refused = names.find((name) => (allowed === undefined ? LOADER_OR_PROXY.test(name) : !allowed.includes(name)))
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

/** Only a root itself: below it a program with write access could have put a link that leads out. */
function isSamePath(path: string, root: string): boolean {
  const plain = (text: string): string =>
    text
      .split('/')
      .filter((part) => part !== '' && part !== '.')
      .join('/')
  return plain(path) === plain(root)
}
