/** Holds the container that the engine made against what was asked: an engine drops, merges and defaults, and says 201. */
import { isDeepStrictEqual } from 'node:util'
import type { CreateRequest } from './create-body.js'
import type { EngineIdentity } from './engine.js'
import { fieldsOf, listOf, numberOf, textOf, textsOf } from './wire.js'

/** A control that the container does not have as asked. */
export interface Mismatch {
  /** As the engine's inspect spells it: `HostConfig.Memory`. */
  field: string
  asked: unknown
  found: unknown
}

type Fields = Record<string, unknown>

/** What must be nothing: each of these would give the container more than was asked. */
const NOTHING = [
  'Annotations',
  'AutoRemove',
  'Binds',
  'CapAdd',
  'Cgroup',
  'CgroupParent',
  'CpusetCpus',
  'CpusetMems',
  'DeviceCgroupRules',
  'DeviceRequests',
  'Devices',
  'Dns',
  'DnsOptions',
  'DnsSearch',
  'ExtraHosts',
  'GroupAdd',
  'Links',
  'OomKillDisable',
  'OomScoreAdj',
  'PidMode',
  'PortBindings',
  'Privileged',
  'PublishAllPorts',
  'StorageOpt',
  'Sysctls',
  'UTSMode',
  'UsernsMode',
  'VolumesFrom',
]
/** What must be as asked, word for word. */
const SAME = [
  'ReadonlyRootfs',
  'NetworkMode',
  'PidsLimit',
  'Memory',
  'MemorySwap',
  'NanoCpus',
  'CapDrop',
  'SecurityOpt',
  'IpcMode',
  'CgroupnsMode',
  'Init',
]
/** Hidden or read-only on every engine of today; an engine that lists them must list these. */
const MASKED = ['/proc/kcore', '/proc/keys', '/sys/firmware']
const READ_ONLY = ['/proc/sys', '/proc/sysrq-trigger']
/** Podman reports these of a container that does not run yet in a way that says nothing. */
const UNTOLD_BY_PODMAN: ReadonlySet<string> = new Set(['HostConfig.IpcMode', 'HostConfig.CgroupnsMode'])

/** The first control that is not as asked; undefined when all are. `found` is the engine's inspect of the container. */
export function findMismatch(
  { body, argv, network }: Pick<CreateRequest, 'body' | 'argv' | 'network'>,
  container: Fields,
  { name: engine }: Pick<EngineIdentity, 'name'>,
): Mismatch | undefined {
  const askedHost = fieldsOf(body.HostConfig)
  const host =
    engine === 'podman'
      ? inDockersWords(fieldsOf(container.HostConfig), network && askedHost.NetworkMode)
      : fieldsOf(container.HostConfig)
  const config = fieldsOf(container.Config)
  const compared = (field: string, asked: unknown, found: unknown): Mismatch[] =>
    isDeepStrictEqual(asked, found) ? [] : [{ field, asked, found }]

  const mismatches = [
    ...compared('Image', body.Image, container.Image),
    ...compared('State.Status', 'created', fieldsOf(container.State).Status),
    ...SAME.filter((key) => key !== 'MemorySwap' || askedHost[key] !== undefined).flatMap((key) =>
      compared(`HostConfig.${key}`, askedHost[key], host[key]),
    ),
    ...NOTHING.flatMap((key) =>
      isNothing(host[key]) ? [] : [{ field: `HostConfig.${key}`, asked: null, found: host[key] }],
    ),
    ...compared('HostConfig.RestartPolicy', 'no', textOf(fieldsOf(host.RestartPolicy).Name) || 'no'),
    ...compared('HostConfig.Ulimits', ulimitsOf(askedHost.Ulimits), ulimitsOf(host.Ulimits)),
    ...compared('HostConfig.LogConfig', logOf(askedHost.LogConfig), logOf(host.LogConfig)),
    ...tmpfsMismatch(fieldsOf(askedHost.Tmpfs), fieldsOf(host.Tmpfs)),
    ...lackOf('HostConfig.MaskedPaths', MASKED, host.MaskedPaths),
    ...lackOf('HostConfig.ReadonlyPaths', READ_ONLY, host.ReadonlyPaths),
    ...compared('Mounts', mountsOf(askedHost.Mounts, 'Target'), mountsOf(container.Mounts, 'Destination')),
    ...compared('Config.User', body.User, config.User),
    ...compared('Config.WorkingDir', body.WorkingDir, config.WorkingDir),
    ...compared('Config.Tty', false, config.Tty === true),
    ...compared('Config.OpenStdin', body.OpenStdin, config.OpenStdin === true),
    ...compared('Config.Healthcheck', ['NONE'], fieldsOf(config.Healthcheck).Test),
    // Arguments are the caller's, and may hold secrets.
    ...(isDeepStrictEqual(argv, [...textsOf(config.Entrypoint), ...textsOf(config.Cmd)])
      ? []
      : [{ field: 'Config.Cmd', asked: `${argv.length} words`, found: 'others' }]),
    ...environmentMismatch(textsOf(body.Env), textsOf(config.Env)),
    ...Object.entries(fieldsOf(body.Labels)).flatMap(([name, value]) =>
      compared(`Config.Labels.${name}`, value, fieldsOf(config.Labels)[name]),
    ),
    ...networkMismatch(network, PLAIN_NETWORKS[textOf(askedHost.NetworkMode)], container),
  ]
  return mismatches.find(({ field }) => engine !== 'podman' || !UNTOLD_BY_PODMAN.has(field))
}

const isNothing = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  value === '' ||
  value === false ||
  value === 0 ||
  (typeof value === 'object' && Object.keys(value).length === 0)

/**
 * Podman tells `private` where Docker tells nothing, limits by the kernel's names, dropped capabilities one by one, and
 * `bridge` for any network with a name, which the list of networks then tells.
 */
function inDockersWords(host: Fields, namedNetwork: unknown): Fields {
  const dropsAll = textsOf(host.CapDrop).includes('SETUID') && textsOf(host.CapDrop).includes('DAC_OVERRIDE')
  return {
    ...host,
    PidMode: host.PidMode === 'private' ? '' : host.PidMode,
    UTSMode: host.UTSMode === 'private' ? '' : host.UTSMode,
    CapDrop: dropsAll ? ['ALL'] : host.CapDrop,
    NetworkMode: host.NetworkMode === 'bridge' && namedNetwork ? namedNetwork : host.NetworkMode,
  }
}

const logOf = (value: unknown) => ({ type: fieldsOf(value).Type, config: { ...fieldsOf(fieldsOf(value).Config) } })

function ulimitsOf(value: unknown): [string, number, number][] {
  return listOf(value)
    .map(fieldsOf)
    .map(({ Name, Soft, Hard }): [string, number, number] => [
      textOf(Name).replace('RLIMIT_', '').toLowerCase(),
      numberOf(Soft),
      numberOf(Hard),
    ])
    .sort(([a], [b]) => (a < b ? -1 : 1))
}

/** An engine may add options of its own; it must not leave one out, nor add a writable place. */
function tmpfsMismatch(asked: Fields, found: Fields): Mismatch[] {
  const paths = [...new Set([...Object.keys(asked), ...Object.keys(found)])]
  const wrong = paths.find((path) => {
    const options = textOf(found[path]).split(',')
    const keys = options.map((option) => option.replace(/=.*/, ''))
    // Of an option that is given twice the kernel takes the last.
    if (new Set(keys).size < keys.length) return true
    const contradicted = options.includes('exec') || options.includes('suid') || options.includes('dev')
    return (
      asked[path] === undefined ||
      contradicted ||
      !textOf(asked[path])
        .split(',')
        .every((one) => options.includes(one))
    )
  })
  return wrong === undefined ? [] : [{ field: `HostConfig.Tmpfs.${wrong}`, asked: asked[wrong], found: found[wrong] }]
}

/** No list means the engine's own, which is safe; an empty one would mean that nothing is masked. */
function lackOf(field: string, wanted: string[], found: unknown): Mismatch[] {
  if (found === null || found === undefined) return []
  return wanted.every((path) => textsOf(found).includes(path)) ? [] : [{ field, asked: wanted, found }]
}

/** Every mount the container has, volumes and further tmpfs included; those asked for as tmpfs are told elsewhere. */
function mountsOf(value: unknown, target: 'Target' | 'Destination') {
  return listOf(value)
    .map(fieldsOf)
    .map((mount) => ({
      type: mount.Type,
      source: mount.Source,
      target: mount[target],
      read_only: target === 'Target' ? mount.ReadOnly === true : mount.RW !== true,
      propagation: textOf(fieldsOf(mount.BindOptions).Propagation || mount.Propagation),
    }))
    .sort((a, b) => (textOf(a.target) < textOf(b.target) ? -1 : 1))
}

/** The image's variables merge in; what loads code into every program must be there only as asked. */
function environmentMismatch(asked: string[], found: string[]): Mismatch[] {
  const missing = asked.find((entry) => !found.includes(entry))
  if (missing !== undefined) return [{ field: 'Config.Env', asked: nameOf(missing), found: null }]
  const smuggled = found.find((entry) => /^LD_(?:PRELOAD|LIBRARY_PATH|AUDIT)=./.test(entry) && !asked.includes(entry))
  return smuggled === undefined ? [] : [{ field: 'Config.Env', asked: null, found: nameOf(smuggled) }]
}

/** Values are the caller's secrets. */
const nameOf = (entry: string): string => entry.replace(/=.*$/s, '')

/** What an engine calls the networks of its own; before the start it may tell of none. */
const PLAIN_NETWORKS: Readonly<Record<string, string[]>> = { none: ['none'], bridge: ['bridge', 'podman'] }

function networkMismatch(named: string | undefined, plain: string[] = [], { NetworkSettings }: Fields): Mismatch[] {
  const joined = Object.keys(fieldsOf(fieldsOf(NetworkSettings).Networks))
  const kept =
    named === undefined
      ? joined.length <= 1 && joined.every((name) => plain.includes(name))
      : isDeepStrictEqual(joined, [named])
  return kept ? [] : [{ field: 'NetworkSettings.Networks', asked: named ?? plain, found: joined }]
}
