/** Builds what the engine is asked to create: the run spec, and every control that confines the program. */
import { posix } from 'node:path'
import { Failure } from '../core/failure.js'
import type { RunSpec } from '../core/run-spec.js'
import type { EngineIdentity } from './engine.js'
import type { ResolvedImage } from './run-image.js'

const MIB = 1024 * 1024
/** Nobody's: a name would be looked up in the image's own passwd. */
const USER = '65532:65532'
const TMP_SIZE = '64m'
const SHADOW_SIZE = '16m'
const MAX_VOLUMES = 32
/** Where a working directory or a shadow would reach the kernel instead of files. */
const KERNEL_PATH = /^\/(?:proc|sys|dev)(?:\/|$)/
/** No nproc on Docker: it counts the user's processes on the whole host. */
const ULIMITS = { nofile: 1024, core: 0, fsize: 256 * MIB, memlock: 64 * 1024, msgqueue: 0 }

/** What makes the loader run code of the image's in every program, the init program included. */
const LOADER = ['LD_PRELOAD', 'LD_LIBRARY_PATH', 'LD_AUDIT']

export interface CreateRequest {
  /** In the engine's own spelling. */
  body: Record<string, unknown>
  /** The program and its arguments, the image's own resolved. */
  argv: string[]
  /** The name of the internal network that it joins. */
  network?: string | undefined
  /** The same confinement, as the outcome reports it. */
  posture: Record<string, unknown>
}

export interface CreateContext {
  image: ResolvedImage
  identity: EngineIdentity
  labels: Record<string, string>
  /** Whether the engine can limit swap; one that cannot is told as posture. Default: true. */
  swapLimit?: boolean | undefined
  /** As `SecurityOpt` takes it; absent where the engine can only use its own. */
  seccomp?: { option: string; sha256: string } | undefined
  /** Of the internal network that the spec names. */
  networkId?: string | undefined
}

/** Throws ENGINE_UNSUITABLE naming the control that this engine cannot keep, INVALID_INPUT for an image that defeats one. */
export function createBody(
  spec: RunSpec,
  { image, identity: engine, labels, seccomp, swapLimit = true, networkId }: CreateContext,
): CreateRequest {
  if (engine.os !== 'linux') {
    throw new Failure('ENGINE_UNSUITABLE', `A ${engine.os} engine keeps none of the controls. Use a Linux engine.`, {
      details: { control: 'os' },
    })
  }
  if (engine.name === 'podman' && spec.mounts.length > 0) {
    throw new Failure(
      'ENGINE_UNSUITABLE',
      'Podman cannot keep mounts to what exists: it creates a missing source on its host. Run without mounts, or on Docker.',
      { details: { control: 'mounts' } },
    )
  }
  const memory = Math.round(spec.memory_mb * MIB)
  const nanoCpus = Math.round(spec.cpus * 1e9)
  const tmpfs = writablePaths(spec, image, engine)
  const workdir = workingDirectory(spec.workdir ?? image.workdir)
  const argv = [...(spec.entrypoint ?? image.entrypoint), ...argumentsOf(spec, image)]
  const networkMode = networkId ?? (spec.network === 'none' ? 'none' : 'bridge')
  return {
    body: {
      Image: image.id,
      ...(spec.entrypoint && { Entrypoint: spec.entrypoint }),
      ...(spec.cmd.length > 0 && { Cmd: spec.cmd }),
      Env: environment(spec.env, engine),
      WorkingDir: workdir,
      User: USER,
      Tty: false,
      AttachStdin: spec.stdin !== undefined,
      OpenStdin: spec.stdin !== undefined,
      StdinOnce: spec.stdin !== undefined,
      AttachStdout: true,
      AttachStderr: true,
      NetworkDisabled: spec.network === 'none',
      Healthcheck: { Test: ['NONE'] },
      Labels: labels,
      HostConfig: {
        NetworkMode: networkMode,
        ReadonlyRootfs: true,
        Privileged: false,
        CapDrop: ['ALL'],
        SecurityOpt: ['no-new-privileges', ...(seccomp ? [`seccomp=${seccomp.option}`] : [])],
        IpcMode: 'none',
        CgroupnsMode: 'private',
        PidsLimit: spec.pids,
        Memory: memory,
        // Where swap cannot be limited, the engine would drop this and say so.
        ...(swapLimit && { MemorySwap: memory }),
        NanoCpus: nanoCpus,
        Ulimits: Object.entries(ulimits(engine)).map(([Name, limit]) => ({ Name, Soft: limit, Hard: limit })),
        Tmpfs: tmpfs,
        Mounts: spec.mounts.map(bindMount),
        Init: true,
        RestartPolicy: { Name: 'no' },
        AutoRemove: false,
        LogConfig: logConfig(engine),
      },
    },
    argv,
    network: typeof spec.network === 'string' ? undefined : spec.network.internal,
    posture: {
      argv,
      user: USER,
      workdir,
      capabilities: 'none',
      no_new_privileges: true,
      seccomp: seccomp ? `skillgate sha256:${seccomp.sha256}` : 'engine default',
      read_only_root: true,
      network: typeof spec.network === 'string' ? spec.network : { ...spec.network, id: networkId },
      ipc: 'none',
      memory_bytes: memory,
      swap_bytes: swapLimit ? 0 : 'unlimited',
      cpus: nanoCpus / 1e9,
      pids: spec.pids,
      ulimits: ulimits(engine),
      tmpfs,
      mounts: spec.mounts,
      timeout_ms: spec.timeout_ms,
    },
  }
}

/** With an entrypoint of the caller's, the image's own arguments are not used. */
function argumentsOf(spec: RunSpec, image: ResolvedImage): string[] {
  if (spec.cmd.length > 0) return spec.cmd
  return spec.entrypoint ? [] : image.cmd
}

/** Podman adds an nproc of 2^20 where none is given, and then cannot set it when its service lacks CAP_SYS_RESOURCE. */
function ulimits(engine: EngineIdentity): Record<string, number> {
  return engine.name === 'podman' ? { ...ULIMITS, nproc: 32_768 } : ULIMITS
}

/**
 * The image's variables always merge in. On Docker an entry without `=` unsets one; Podman reads such an entry from the
 * environment of its own service, so there it is set to nothing, which the loader ignores.
 */
function environment(env: Record<string, string>, engine: EngineIdentity): string[] {
  const unset = (name: string) => (engine.name === 'podman' ? `${name}=` : name)
  const forced = Object.fromEntries(LOADER.map((name) => [name, unset(name)]))
  const given = Object.entries(env).map(([name, value]) => [name, `${name}=${value}`] as const)
  return Object.values({
    ...forced,
    ...Object.fromEntries(given),
    NVIDIA_VISIBLE_DEVICES: 'NVIDIA_VISIBLE_DEVICES=void',
  })
}

/**
 * All that is writable: /tmp, and a shadow over each VOLUME of the image, which would be host disk without a quota even
 * under a read-only root. Podman adds /run and /var/tmp to a read-only root, executable ones unless we name them.
 */
function writablePaths(spec: RunSpec, image: ResolvedImage, engine: EngineIdentity): Record<string, string> {
  const volumes = image.volumes.map(cleanPath)
  if (volumes.length > MAX_VOLUMES) throw defeats(`has ${volumes.length} volumes, and ${MAX_VOLUMES} are the most`)
  const bare = volumes.find((path) => path === '/' || KERNEL_PATH.test(path))
  if (bare !== undefined) throw defeats(`has a volume at ${bare}, which cannot be shadowed`)
  const mounted = new Set(spec.mounts.map(({ target }) => cleanPath(target)))
  const shadowed = [...volumes, ...(engine.name === 'podman' ? ['/run', '/var/tmp'] : [])]
  const sizes = [...shadowed.map((path) => [path, SHADOW_SIZE] as const), ['/tmp', TMP_SIZE] as const]
  return Object.fromEntries(
    sizes.filter(([path]) => !mounted.has(path)).map(([path, size]) => [path, tmpfsOptions(size, engine)]),
  )
}

/** Podman knows no nr_inodes; there only the memory limit, which inodes are charged to, bounds their number. */
function tmpfsOptions(size: string, engine: EngineIdentity): string {
  const inodes = engine.name === 'podman' ? '' : ',nr_inodes=16k'
  return `rw,noexec,nosuid,nodev,size=${size},mode=1777${inodes}`
}

function cleanPath(path: string): string {
  return posix
    .normalize(`/${path}`)
    .replace(/^\/+/, '/')
    .replace(/(.)\/$/, '$1')
}

function workingDirectory(path: string): string {
  const directory = posix.normalize(path || '/')
  if (!directory.startsWith('/') || KERNEL_PATH.test(directory)) {
    throw defeats(`would start in ${JSON.stringify(path)}, which is no directory of its own; send another workdir`)
  }
  return directory
}

function defeats(why: string): Failure {
  return new Failure('INVALID_INPUT', `The container ${why}.`, { details: { field: 'image' } })
}

/** Without NonRecursive, file systems mounted below a read-only source stay writable. */
function bindMount({ source, target, read_only }: RunSpec['mounts'][number]) {
  return {
    Type: 'bind',
    Source: source,
    Target: target,
    ReadOnly: read_only,
    BindOptions: { Propagation: 'rprivate', NonRecursive: true },
  }
}

/** Output is read from the attached stream; the log is a bounded copy, of two files so that what is left
 * tells whether something was dropped. Podman has no driver `local`. */
function logConfig(engine: EngineIdentity) {
  if (engine.name === 'podman') return { Type: 'none', Config: {} }
  return { Type: 'local', Config: { 'max-size': '1m', 'max-file': '2', compress: 'false' } }
}
