/** The engine's containers as the protocol's: rows for listings, and one container in full. */
import { humanState } from './human-state.js'
import { fieldsOf, instantOf, listOf, numberOf, textOf, textsOf } from './wire.js'

export interface ContainerRow {
  id: string
  name: string
  image: string
  /** The engine's word: `running`, `exited` … */
  status: string
  /** Its line for people: `Up 2 hours`. */
  state: string
  created: string
  ports: PortMapping[]
  labels: Record<string, string>
}

export interface PortMapping {
  container_port: number
  protocol: string
  host_ip?: string
  host_port?: number
}

/** Newest first, at most `limit`. */
export function containerRows(body: unknown, limit: number): ContainerRow[] {
  return listOf(body)
    .map(fieldsOf)
    .sort((a, b) => numberOf(b.Created) - numberOf(a.Created))
    .slice(0, limit)
    .map((container) => ({
      id: textOf(container.Id),
      name: nameOf(textsOf(container.Names)),
      image: textOf(container.Image),
      status: textOf(container.State),
      state: textOf(container.Status),
      created: instantOf(container.Created) ?? '',
      ports: listOf(container.Ports).map(fieldsOf).map(portOf),
      labels: labelsOf(container.Labels),
    }))
}

/** Environment values stay behind: they are where containers keep their secrets. */
export function containerDetails(container: Record<string, unknown>, now: Date): Record<string, unknown> {
  const state = fieldsOf(container.State)
  const config = fieldsOf(container.Config)
  const host = fieldsOf(container.HostConfig)
  const network = fieldsOf(container.NetworkSettings)
  const status = textOf(state.Status)
  const details: Record<string, unknown> = {
    id: textOf(container.Id),
    name: nameOf([textOf(container.Name)]),
    image: textOf(config.Image),
    status,
    state: humanState(state, now),
    created: instantOf(container.Created) ?? '',
    image_id: textOf(container.Image),
    oom_killed: state.OOMKilled === true,
    restart_count: numberOf(container.RestartCount),
    restart_policy: textOf(fieldsOf(host.RestartPolicy).Name) || 'no',
    platform: textOf(container.Platform),
    command: [textOf(container.Path), ...textsOf(container.Args)],
    workdir: textOf(config.WorkingDir),
    user: textOf(config.User),
    tty: config.Tty === true,
    env_names: textsOf(config.Env).map(nameOfEntry),
    labels: labelsOf(config.Labels),
    ports: portBindings(network.Ports),
    mounts: listOf(container.Mounts).map(mountOf),
    networks: Object.entries(fieldsOf(network.Networks)).map(networkOf),
  }
  const startedAt = instantOf(state.StartedAt)
  const finishedAt = status === 'running' ? undefined : instantOf(state.FinishedAt)
  if (startedAt !== undefined) details.started_at = startedAt
  if (finishedAt !== undefined) {
    details.finished_at = finishedAt
    details.exit_code = numberOf(state.ExitCode)
  }
  return details
}

function nameOfEntry(entry: string): string {
  const split = entry.indexOf('=')
  return split === -1 ? entry : entry.slice(0, split)
}

function mountOf(listed: unknown): Record<string, unknown> {
  const mount = fieldsOf(listed)
  return {
    type: textOf(mount.Type),
    source: textOf(mount.Source),
    target: textOf(mount.Destination),
    read_only: mount.RW !== true,
  }
}

const networkOf = ([name, endpoint]: [string, unknown]): Record<string, unknown> => ({
  name,
  ip_address: textOf(fieldsOf(endpoint).IPAddress),
})

/** A linked container has further names of the form `/other/alias`; its own has one slash only. */
function nameOf(names: string[]): string {
  const own = names.find((name) => !name.slice(1).includes('/')) ?? names[0] ?? ''
  return own.replace(/^\//, '')
}

function portOf(port: Record<string, unknown>): PortMapping {
  return mapping(numberOf(port.PrivatePort), textOf(port.Type), textOf(port.IP), numberOf(port.PublicPort))
}

/** Inspect spells ports as `"80/tcp": [{ HostIp, HostPort }] | null`. */
function portBindings(ports: unknown): PortMapping[] {
  return Object.entries(fieldsOf(ports)).flatMap(([key, bindings]) => {
    const [port, protocol = 'tcp'] = key.split('/')
    const bound = listOf(bindings).map(fieldsOf)
    if (bound.length === 0) return [mapping(Number(port) || 0, protocol)]
    return bound.map(({ HostIp, HostPort }) => mapping(Number(port) || 0, protocol, textOf(HostIp), Number(HostPort)))
  })
}

function mapping(container_port: number, protocol: string, host_ip = '', host_port = 0): PortMapping {
  const mapped: PortMapping = { container_port, protocol }
  if (host_ip !== '') mapped.host_ip = host_ip
  if (host_port > 0) mapped.host_port = host_port
  return mapped
}

function labelsOf(labels: unknown): Record<string, string> {
  const fields = fieldsOf(labels)
  for (const name in fields) if (typeof fields[name] !== 'string') return textOfEach(fields)
  return fields as Record<string, string>
}

function textOfEach(fields: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, textOf(value)]))
}
