/** Paths of mounts as text: what may never be a source, and what a target may never cover. */
import { z } from 'zod'

export const AbsolutePath = z
  .string()
  .max(4096)
  .regex(/^\/[^\0:,]*$/, 'it must be an absolute path without NUL, colon or comma')
  .refine((path) => !path.split('/').includes('..'), 'it must not contain ..')

/** Never mounted: they, what is in them, and what they are in. Listed in docs/security.md. */
export const SYSTEM_PATHS: readonly string[] = [
  ...['/bin', '/boot', '/dev', '/etc', '/lib', '/lib32', '/lib64', '/libx32', '/proc', '/root', '/run', '/sbin'],
  ...['/sys', '/usr', '/var/lib/containerd', '/var/lib/containers', '/var/lib/docker', '/var/lib/kubelet'],
  ...['/var/lib/rancher', '/var/log', '/var/run', '/var/spool', '/private/etc', '/private/var/db', '/private/var/run'],
]
const HOME = /^\/(?:home|users)(?:\/[^/]+)?$/i
const CREDENTIALS =
  /\/(?:\.(?:ssh|gnupg|aws|azure|kube|docker|netrc|git-credentials|password-store|pgpass|vault-token)|\.config\/gcloud)(?:\/|$)/i
const SOCKET_NAME = /\.sock$/i

/** What the engine or a program needs as it is; a target is none of them, nor what they are in. */
const TAKEN_TARGETS: readonly string[] = [
  ...['/dev', '/proc', '/sys', '/tmp', '/etc/hostname', '/etc/hosts', '/etc/resolv.conf'],
  ...['/sbin/docker-init', '/usr/sbin/docker-init'],
]
const KERNEL_PATHS: readonly string[] = ['/dev', '/proc', '/sys']

/** Without doubled, closing and single-dot slashes: `/a//./b/` is `/a/b`. */
export function plainPath(path: string): string {
  return `/${path
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/')}`
}

/** Whether `path` is `root` or lies below it, both plain; a name that only begins alike does not. */
export function isWithin(path: string, root: string): boolean {
  return path === root || path.startsWith(root === '/' ? '/' : `${root}/`)
}

/** Why a path of the host is never mounted, whatever a policy says; undefined when nothing in its name speaks against it. */
export function whyNotMounted(path: string): string | undefined {
  const plain = plainPath(path)
  const lower = plain.toLowerCase()
  const system = SYSTEM_PATHS.find((place) => isWithin(lower, place) || isWithin(place, lower))
  if (system !== undefined) return `${system} of the host is never mounted`
  if (HOME.test(plain)) return 'whole home directories are never mounted'
  if (CREDENTIALS.test(plain)) return 'where credentials are kept is never mounted'
  if (SOCKET_NAME.test(plain)) return 'sockets are never mounted'
  return undefined
}

function whyNoTarget(path: string): string | undefined {
  const plain = plainPath(path)
  const taken =
    TAKEN_TARGETS.find((place) => isWithin(place, plain)) ?? KERNEL_PATHS.find((place) => isWithin(plain, place))
  return taken && `it must not cover ${taken}`
}

const unless = (why: (path: string) => string | undefined) =>
  AbsolutePath.superRefine((path, context) => {
    const message = why(path)
    if (message !== undefined) context.addIssue({ code: 'custom', message })
  })

/** A path of the host that may be mounted, or be a root of what may. */
export const MountSource = unless(whyNotMounted)
export const MountTarget = unless(whyNoTarget)

/** Adds an issue for a target that another mount has, or would have its own mount point made in. */
export function refuseOverlaps(mounts: readonly { target: string }[], context: z.core.$RefinementCtx): void {
  const targets = mounts.map(({ target }) => plainPath(target))
  targets.forEach((target, index) => {
    const other = targets.slice(0, index).find((before) => isWithin(target, before) || isWithin(before, target))
    if (other === undefined) return
    const message = `it must be apart from the other targets, and ${JSON.stringify(other)} is one`
    context.addIssue({ code: 'custom', message, path: [index, 'target'] })
  })
}
