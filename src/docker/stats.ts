/** A container's resource use, computed from two samples of the engine's counters. */
import type { EngineIdentity } from './engine.js'
import { fieldsOf, listOf, numberOf, textOf } from './wire.js'

export interface ContainerStats {
  /** Percent of one core; 200 is two cores in full. Averaged over `interval_ms`. */
  cpu_percent: number
  /** Bytes, without the page cache that the kernel gives back at once. */
  memory_usage: number
  memory_limit: number
  /** Bytes since the container started, over all its interfaces. */
  network_rx: number
  network_tx: number
  /** Bytes since the container started, over all devices. */
  block_read: number
  block_write: number
  /** Processes and threads. */
  pids: number
  /** Milliseconds between the two samples; 0 for a container that does not run. */
  interval_ms: number
}

/** The counters of one moment. */
export interface Sample {
  /** The full id; empty when the engine did not say. */
  id: string
  /** Milliseconds since the epoch by the engine's clock; undefined when the container does not run. */
  readAt: number | undefined
  cpuNanoseconds: number
  systemNanoseconds: number
  cpus: number
  usage: Omit<ContainerStats, 'cpu_percent' | 'interval_ms'>
}

/**
 * Reads one answer of the engine's stats route. Podman reports as the system's time only what was busy of it, which would
 * make any lone program look like all cores; there, and where it is missing, it is the cores' time by the clock.
 */
export function parseSample(body: unknown, { name }: Pick<EngineIdentity, 'name'>): Sample {
  const stats = fieldsOf(body)
  const cpu = fieldsOf(stats.cpu_stats)
  const cpuUsage = fieldsOf(cpu.cpu_usage)
  const memory = fieldsOf(stats.memory_stats)
  const networks = Object.values(fieldsOf(stats.networks)).map(fieldsOf)
  const blocks = listOf(fieldsOf(stats.blkio_stats).io_service_bytes_recursive).map(fieldsOf)
  const read = Date.parse(textOf(stats.read))
  const readAt = read > 0 ? read : undefined
  const cpus = numberOf(cpu.online_cpus) || listOf(cpuUsage.percpu_usage).length || 1
  const system = name === 'podman' ? 0 : numberOf(cpu.system_cpu_usage)
  return {
    id: textOf(stats.id) || textOf(stats.Id),
    readAt,
    cpuNanoseconds: numberOf(cpuUsage.total_usage),
    systemNanoseconds: system || (readAt ?? 0) * 1e6 * cpus,
    cpus,
    usage: {
      memory_usage: memoryUsage(memory),
      memory_limit: numberOf(memory.limit),
      network_rx: sum(networks, 'rx_bytes'),
      network_tx: sum(networks, 'tx_bytes'),
      block_read: sum(
        blocks.filter(({ op }) => textOf(op).toLowerCase() === 'read'),
        'value',
      ),
      block_write: sum(
        blocks.filter(({ op }) => textOf(op).toLowerCase() === 'write'),
        'value',
      ),
      pids: numberOf(fieldsOf(stats.pids_stats).current),
    },
  }
}

/** True when the time between the two gives a CPU figure: same container, not restarted, far enough apart. */
export function comparable(
  earlier: Sample,
  later: Sample,
  { minMs, maxMs }: { minMs: number; maxMs: number },
): boolean {
  const interval = (later.readAt ?? Number.NaN) - (earlier.readAt ?? Number.NaN)
  return (
    earlier.id === later.id &&
    interval >= minMs &&
    interval <= maxMs &&
    later.cpuNanoseconds >= earlier.cpuNanoseconds &&
    later.systemNanoseconds > earlier.systemNanoseconds
  )
}

/** The later sample's figures, with the CPU used since the earlier one; without an earlier one, no CPU. */
export function computeStats(earlier: Sample | undefined, later: Sample): ContainerStats {
  const cpu = later.cpuNanoseconds - (earlier?.cpuNanoseconds ?? 0)
  const system = later.systemNanoseconds - (earlier?.systemNanoseconds ?? 0)
  const percent = earlier && system > 0 ? (cpu / system) * later.cpus * 100 : 0
  return {
    cpu_percent: Math.max(0, Math.round(percent * 100) / 100),
    ...later.usage,
    interval_ms: earlier ? Math.max(0, (later.readAt ?? 0) - (earlier.readAt ?? 0)) : 0,
  }
}

/** cgroup v2 names it inactive_file, v1 total_inactive_file. */
function memoryUsage(memory: Record<string, unknown>): number {
  const usage = numberOf(memory.usage)
  const details = fieldsOf(memory.stats)
  const inactive = numberOf(details.total_inactive_file ?? details.inactive_file)
  return inactive < usage ? usage - inactive : usage
}

function sum(rows: Record<string, unknown>[], key: string): number {
  return rows.reduce((total, row) => total + numberOf(row[key]), 0)
}
