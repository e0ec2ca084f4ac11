/** The fake's answers in Docker's wire format, as Engine 20.10 (API 1.41) words them. */
import { createHash } from 'node:crypto'
import type { FakeContainer, FakeContainerConfig, LogEntry } from './fake-container.js'

export interface FakeImage {
  /** `repository@sha256:…`. */
  reference: string
  /** `sha256:…`; derived from the digest when absent. */
  id?: string
  tags?: string[]
  size?: number
  created?: Date
  architecture?: string
  config?: {
    Cmd?: string[]
    Entrypoint?: string[]
    Env?: string[]
    WorkingDir?: string
    Volumes?: Record<string, object>
    Labels?: Record<string, string>
  }
}

export interface FakeNetwork {
  name: string
  /** Whether it leads nowhere. Default: false. */
  internal?: boolean
}

const ZERO_TIME = '0001-01-01T00:00:00Z'
const CPUS = 2

export function imageId({ id, reference }: FakeImage): string {
  return id ?? `sha256:${[...(reference.split('sha256:')[1] ?? '')].reverse().join('')}`
}

export function imageSummary(image: FakeImage) {
  return {
    Id: imageId(image),
    ParentId: '',
    RepoTags: image.tags ?? null,
    RepoDigests: [image.reference],
    Created: Math.floor((image.created ?? new Date(0)).getTime() / 1000),
    Size: image.size ?? 1_000_000,
    SharedSize: -1,
    Labels: image.config?.Labels ?? null,
    Containers: -1,
  }
}

export function imageInspect(image: FakeImage) {
  const { Id, RepoTags, RepoDigests, Size } = imageSummary(image)
  return {
    Id,
    RepoTags: RepoTags ?? [],
    RepoDigests,
    Size,
    Created: (image.created ?? new Date(0)).toISOString(),
    Architecture: image.architecture ?? 'amd64',
    Os: 'linux',
    Config: { Env: null, Cmd: null, Entrypoint: null, WorkingDir: '', Volumes: null, Labels: null, ...image.config },
  }
}

export function networkInspect({ name, internal = false }: FakeNetwork) {
  return {
    Name: name,
    Id: createHash('sha256').update(name).digest('hex'),
    Scope: 'local',
    Driver: 'bridge',
    Internal: internal,
    Attachable: false,
    Ingress: false,
    ConfigOnly: false,
    Containers: {},
    Options: {},
    Labels: {},
  }
}

export function containerSummary(container: FakeContainer) {
  return {
    Id: container.id,
    Names: [`/${container.name}`],
    Image: container.config.Image ?? '',
    ImageID: container.imageId,
    Command: container.argv.join(' '),
    Created: Math.floor(container.created.getTime() / 1000),
    Ports: [],
    Labels: container.config.Labels ?? {},
    State: container.state,
    Status: { created: 'Created', running: 'Up 1 second', exited: `Exited (${container.exitCode}) 1 second ago` }[
      container.state
    ],
    HostConfig: { NetworkMode: 'default' },
    NetworkSettings: { Networks: {} },
    Mounts: [],
  }
}

const bindsOf = ({ HostConfig }: FakeContainerConfig) => (HostConfig?.Mounts ?? []) as Record<string, unknown>[]

/** As the engine lists them: under a name, also when the container was created by the id. */
function joinedNetwork({ config }: FakeContainer, networks: FakeNetwork[]) {
  const mode = String(config.HostConfig?.NetworkMode ?? 'default')
  const named = networks.find((network) => networkInspect(network).Id === mode)
  return { [named?.name ?? mode]: { NetworkID: '', IPAddress: '' } }
}

export function containerInspect(container: FakeContainer, networks: FakeNetwork[]) {
  const { config } = container
  return {
    Id: container.id,
    Created: container.created.toISOString(),
    Path: container.argv[0] ?? '',
    Args: container.argv.slice(1),
    State: {
      Status: container.state,
      Running: container.state === 'running',
      Paused: false,
      Restarting: false,
      OOMKilled: false,
      Dead: false,
      Pid: container.state === 'running' ? 1000 : 0,
      ExitCode: container.exitCode,
      Error: '',
      StartedAt: container.startedAt?.toISOString() ?? ZERO_TIME,
      FinishedAt: container.finishedAt?.toISOString() ?? ZERO_TIME,
    },
    Image: container.imageId,
    Name: `/${container.name}`,
    RestartCount: 0,
    Driver: 'overlay2',
    Platform: 'linux',
    Mounts: bindsOf(config).map(({ Type, Source, Target, ReadOnly }) => ({
      Type,
      Source,
      Destination: Target,
      RW: ReadOnly !== true,
    })),
    HostConfig: config.HostConfig ?? {},
    Config: {
      Hostname: container.id.slice(0, 12),
      User: config.User ?? '',
      Tty: config.Tty ?? false,
      OpenStdin: config.OpenStdin ?? false,
      Env: [
        ...(config.Env ?? []),
        ...Object.entries(container.env)
          .map(([name, value]) => `${name}=${value}`)
          .filter((entry) => !config.Env?.includes(entry)),
      ],
      // The engine tells the program with what came of the image filled in.
      Cmd: container.argv.slice(config.Entrypoint?.length ?? 0),
      Entrypoint: config.Entrypoint ?? null,
      Healthcheck: config.Healthcheck,
      Image: config.Image ?? '',
      WorkingDir: config.WorkingDir ?? '',
      Labels: config.Labels ?? {},
    },
    NetworkSettings: { Ports: {}, Networks: joinedNetwork(container, networks) },
  }
}

/** One sample, of a container that uses half a core; a stopped one has the zero time and no counters. */
export function containerStats(container: FakeContainer, now: Date) {
  const names = { name: `/${container.name}`, id: container.id }
  if (container.state !== 'running' || !container.startedAt) {
    return {
      ...names,
      read: ZERO_TIME,
      preread: ZERO_TIME,
      cpu_stats: { cpu_usage: { total_usage: 0 } },
      precpu_stats: {},
    }
  }
  const nanoseconds = (now.getTime() - container.startedAt.getTime()) * 1e6
  return {
    ...names,
    read: now.toISOString(),
    preread: ZERO_TIME,
    pids_stats: { current: 2 },
    blkio_stats: {
      io_service_bytes_recursive: [
        { major: 8, minor: 0, op: 'Read', value: 4096 },
        { major: 8, minor: 0, op: 'Write', value: 8192 },
      ],
    },
    cpu_stats: {
      cpu_usage: { total_usage: nanoseconds / 2 },
      system_cpu_usage: 1e12 + nanoseconds * CPUS,
      online_cpus: CPUS,
    },
    precpu_stats: { cpu_usage: { total_usage: 0 } },
    memory_stats: { usage: 3_000_000, limit: 64_000_000, stats: { total_inactive_file: 1_000_000 } },
    networks: { eth0: { rx_bytes: 1000, tx_bytes: 500 } },
  }
}

/** The stream header `[stream, 0, 0, 0, length]` and the bytes. */
export function frame(stream: 'stdout' | 'stderr', bytes: Buffer): Buffer {
  const header = Buffer.alloc(8)
  header.writeUInt8(stream === 'stdout' ? 1 : 2, 0)
  header.writeUInt32BE(bytes.length, 4)
  return Buffer.concat([header, bytes])
}

/** The log as the engine sends it: the last `tail` lines, framed unless there is a terminal. */
export function logBody(
  container: FakeContainer,
  { tail, timestamps, streams }: { tail: number; timestamps: boolean; streams: Set<string> },
): Buffer {
  const lines = container.log.flatMap(splitLines).filter((line) => streams.has(line.stream))
  const chosen = Number.isFinite(tail) ? lines.slice(Math.max(0, lines.length - tail)) : lines
  return Buffer.concat(
    chosen.map(({ stream, bytes, at }) => {
      const line = timestamps ? Buffer.concat([Buffer.from(`${at.toISOString()} `), bytes]) : bytes
      return container.config.Tty ? line : frame(stream, line)
    }),
  )
}

function splitLines(entry: LogEntry): LogEntry[] {
  const lines: LogEntry[] = []
  let from = 0
  while (from < entry.bytes.length) {
    const newline = entry.bytes.indexOf(0x0a, from)
    const to = newline === -1 ? entry.bytes.length : newline + 1
    lines.push({ ...entry, bytes: entry.bytes.subarray(from, to) })
    from = to
  }
  return lines
}
