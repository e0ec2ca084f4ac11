/** Follows the links in what is to be mounted, so that what is mounted lies where the policy's root says. */
import { realpath, stat } from 'node:fs/promises'
import { Failure } from '../core/failure.js'
import { isWithin, plainPath, whyNotMounted } from '../core/mount-path.js'
import type { RunMount } from '../core/run-spec.js'

export interface MountHost {
  /** True when the engine's files are not this process's: no link can be followed then. */
  remote: boolean
  /** The engine's own socket, which is in no directory that is mounted. */
  socketPath: string | undefined
}

/**
 * The mounts with their real sources. On a remote engine nothing below a root can be looked at, so there each source must
 * be its root. Throws DENIED for what lies elsewhere than it says, is a system path, or is no plain file or directory, and
 * INVALID_INPUT for what is not there. What is swapped for a link after this look, before the start, is not noticed.
 */
export async function resolveMounts(mounts: readonly RunMount[], host: MountHost): Promise<RunMount[]> {
  if (host.remote) return mounts.map(asItsRoot)
  const socket = host.socketPath && (await realpath(host.socketPath).catch(() => host.socketPath))
  return Promise.all(mounts.map((mount, index) => resolveMount(mount, `mounts[${index}].source`, socket)))
}

function asItsRoot({ root, ...mount }: RunMount, index: number): RunMount {
  if (root === undefined || plainPath(root) === plainPath(mount.source)) return mount
  throw denied(
    `mounts[${index}].source`,
    mount.source,
    `the engine is on another machine, where links cannot be followed. Make it a root of its own in the policy's mount_roots`,
  )
}

async function resolveMount(mount: RunMount, field: string, socket: string | undefined): Promise<RunMount> {
  const { source, target, read_only, root = source } = mount
  const [real, realRoot] = await Promise.all([followed(source, field, source), followed(root, field, source)])
  if (!isWithin(real, realRoot)) throw denied(field, source, `it leads out of ${root}`)
  const why = whyNotMounted(real) ?? whyNotMounted(realRoot)
  // Not where it leads: that is the host's own affair.
  if (why !== undefined) throw denied(field, source, `${why}, and it leads there`)
  if (/[:,\0]/.test(real)) throw denied(field, source, 'it leads to a path with a colon or a comma')
  if (socket !== undefined && isWithin(socket, real)) throw denied(field, source, "the engine's own socket is in it")
  const found = await stat(real).catch((cause: unknown) => {
    throw unreadable(field, source, cause)
  })
  if (!found.isDirectory() && !found.isFile()) throw denied(field, source, 'it is neither a directory nor a plain file')
  return { source: real, target, read_only }
}

async function followed(path: string, field: string, source: string): Promise<string> {
  try {
    return await realpath(path)
  } catch (cause) {
    throw unreadable(field, source, cause)
  }
}

function unreadable(field: string, source: string, cause: unknown): Failure {
  const code = (cause as NodeJS.ErrnoException).code
  if (code !== 'ENOENT' && code !== 'ENOTDIR') return denied(field, source, `it cannot be looked at (${code})`, cause)
  return new Failure(
    'INVALID_INPUT',
    `${field} ${JSON.stringify(source)} is not there, or its root is not. Create it first.`,
    { details: { field }, cause },
  )
}

function denied(field: string, source: string, why: string, cause?: unknown): Failure {
  return new Failure('DENIED', `${field} ${JSON.stringify(source)} is not mounted: ${why}.`, {
    details: { field },
    cause,
  })
}
