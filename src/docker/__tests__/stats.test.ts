/** Stats from two samples: what the engine documents, and never NaN. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { comparable, computeStats, parseSample } from '../stats.js'

const bounds = { minMs: 100, maxMs: 10_000 }

function sample(seconds: number, over: object = {}, name: 'docker' | 'podman' = 'docker') {
  const body = {
    id: 'a',
    read: new Date(1_700_000_000_000 + seconds * 1000).toISOString(),
    cpu_stats: {
      cpu_usage: { total_usage: seconds * 5e8 },
      system_cpu_usage: 1e12 + seconds * 4e9,
      online_cpus: 4,
    },
    pids_stats: { current: 3 },
    ...over,
  }
  return parseSample(body, { name })
}

test('CPU is the container’s share of the system’s time, times the cores', () => {
  const stats = computeStats(sample(1), sample(2))
  assert.deepEqual([stats.cpu_percent, stats.interval_ms, stats.pids], [50, 1000, 3])
})

test('Podman’s system time is not believed: the cores’ time by the clock is', () => {
  const busyOnly = {
    id: undefined,
    Id: 'a',
    cpu_stats: { cpu_usage: { total_usage: 1e9 }, system_cpu_usage: 1e9, online_cpus: 2 },
  }
  const idle = {
    id: undefined,
    Id: 'a',
    cpu_stats: { cpu_usage: { total_usage: 0 }, system_cpu_usage: 0, online_cpus: 2 },
  }
  const [first, second] = [sample(1, idle, 'podman'), sample(2, busyOnly, 'podman')]
  assert.ok(comparable(first, second, bounds))
  assert.equal(computeStats(first, second).cpu_percent, 100)
})

for (const [name, memory_stats, expected] of [
  ['cgroup v1', { usage: 100, limit: 500, stats: { total_inactive_file: 30, inactive_file: 1 } }, [70, 500]],
  ['cgroup v2', { usage: 100, limit: 500, stats: { inactive_file: 40 } }, [60, 500]],
  ['more cache than use', { usage: 10, limit: 500, stats: { inactive_file: 40 } }, [10, 500]],
  ['nothing', undefined, [0, 0]],
] as const) {
  test(`memory leaves out the inactive file cache: ${name}`, () => {
    const { memory_usage, memory_limit } = computeStats(undefined, sample(1, { memory_stats }))
    assert.deepEqual([memory_usage, memory_limit], expected)
  })
}

test('traffic is summed over all interfaces and devices', () => {
  const stats = computeStats(
    undefined,
    sample(1, {
      networks: { eth0: { rx_bytes: 1, tx_bytes: 2 }, eth1: { rx_bytes: 10, tx_bytes: 20 } },
      blkio_stats: {
        io_service_bytes_recursive: [
          { op: 'Read', value: 5 },
          { op: 'read', value: 6 },
          { op: 'Write', value: 7 },
          { op: 'Total', value: 99 },
        ],
      },
    }),
  )
  const { network_rx, network_tx, block_read, block_write } = stats
  assert.deepEqual([network_rx, network_tx, block_read, block_write], [11, 22, 11, 7])
})

for (const [name, body] of [
  ['nothing', undefined],
  ['a list', []],
  ['nulls', { cpu_stats: null, memory_stats: null, networks: null, blkio_stats: { io_service_bytes_recursive: null } }],
  ['words for numbers', { cpu_stats: { cpu_usage: { total_usage: 'x' }, system_cpu_usage: Number.NaN } }],
  ['the zero time', { read: '0001-01-01T00:00:00Z' }],
] as const) {
  test(`every figure is finite, given ${name}`, () => {
    for (const [field, value] of Object.entries(
      computeStats(parseSample(body, { name: 'docker' }), parseSample(body, { name: 'docker' })),
    )) {
      assert.ok(Number.isFinite(value) && value >= 0, `${field}: ${value}`)
    }
  })
}

for (const [name, earlier, later, expected] of [
  ['a second apart', sample(1), sample(2), true],
  ['the same moment', sample(1), sample(1), false],
  ['too long ago', sample(1), sample(30), false],
  ['another container', sample(1, { id: 'b' }), sample(2), false],
  ['restarted in between', sample(5), sample(6, { cpu_stats: { system_cpu_usage: 9e12 } }), false],
] as const) {
  test(`two samples give a CPU figure or not: ${name}`, () => {
    assert.equal(comparable(earlier, later, bounds), expected)
  })
}
