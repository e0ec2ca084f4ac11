/** What redaction costs: a clean log, a short line, an inspected container, hostile repetitions. */
import { setTimeout as delay } from 'node:timers/promises'
import { createRedactor } from 'skillgate/redaction'
import { printTable, quantile } from './measure.js'

const MEGABYTE = 1_000_000
const SIZES = [MEGABYTE / 20, MEGABYTE, 5 * MEGABYTE]
/** Bytes that are read before the best of what follows counts: code is compiled meanwhile. */
const WARM = 4 * MEGABYTE
const redactor = createRedactor()

const inspected = JSON.stringify({
  id: 'a1'.repeat(32),
  name: 'web-1',
  image: 'shop:1.4',
  status: 'running',
  state: 'Up 2 hours',
  created: '2026-01-01T00:00:00Z',
  ports: [{ private: 80, public: 8080, type: 'tcp' }],
  labels: { 'com.docker.compose.project': 'shop', 'org.opencontainers.image.title': 'web' },
  env: ['PATH=/usr/local/bin:/usr/bin', 'NGINX_VERSION=1.25.3', 'PKG_RELEASE=1'],
  mounts: [{ source: '/srv/shop', target: '/data', mode: 'ro', writable: false }],
  config: { hostname: 'web', user: '', tty: false, workdir: '/', cmd: ['nginx', '-g', 'daemon off;'] },
  host: { memory: 0, cpus: 1, restart: 'no', network: 'bridge', privileged: false },
  network: { ip: '172.17.0.2', gateway: '172.17.0.1', mac: '02:42:ac:11:00:02' },
  platform: 'linux',
  restarts: 0,
})

const line = (index: number): string =>
  `2026-05-01T12:00:${String(index % 60).padStart(2, '0')}.123Z INFO [http] GET /api/v1/items/${index}?page=3 200 ${index % 97}ms bytes=5123 host=web-${index % 8}`

/** Copied through bytes, as texts arrive: pieces joined in memory are read differently. */
const arrived = (text: string): string => Buffer.from(text).toString('latin1')

function fastest(rounds: number, run: () => void): number {
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < rounds; round++) {
    const started = performance.now()
    run()
    best = Math.min(best, performance.now() - started)
  }
  return best
}

export async function benchRedaction(): Promise<void> {
  const log = arrived(Array.from({ length: 90_000 }, (_, index) => line(index)).join('\n'))
  const cleanMs = fastest(8, () => redactor.text(log))
  const shortMs = fastest(5, () => {
    for (let round = 0; round < 100_000; round++) redactor.text(line(7))
  })
  const warmMs = fastest(5, () => {
    for (let round = 0; round < 2_000; round++) redactor.value(JSON.parse(inspected))
  })
  const parseMs = fastest(5, () => {
    for (let round = 0; round < 2_000; round++) JSON.parse(inspected)
  })
  const cold: number[] = []
  for (let round = 0; round < 500; round++) {
    await delay(0.3)
    const given = JSON.parse(inspected)
    const started = performance.now()
    redactor.value(given)
    cold.push(performance.now() - started)
  }
  const hostile = [
    'token:token:',
    '"""',
    '-----BEGIN ',
    '{"a":',
    'authorization: ',
    'password: password: ',
    '://a:b',
    'password: aaaaaaaa bbbbbbbb ',
    'password: hunter2 hunter2 hunter2 hunter2 ',
    'key=aB3aB3aB3aB3aB3aB3 ',
  ]
  printTable(
    'Redaction',
    ['what', 'figure'],
    [
      [
        `a clean log of ${(log.length / MEGABYTE).toFixed(0)} MB`,
        `${((log.length / MEGABYTE / cleanMs) * 1_000).toFixed(0)} MB/s`,
      ],
      ['a short line, built anew', `${(shortMs / 100).toFixed(2)} µs`],
      ['an inspected container, back to back', `${((warmMs - parseMs) / 2).toFixed(1)} µs`],
      ['an inspected container, 0.3 ms and more apart', `${(quantile(cold, 0.5) * 1_000).toFixed(1)} µs`],
    ],
  )
  printTable(
    'Hostile texts, ms for each MB',
    ['repeated', ...SIZES.map((size) => `${size / MEGABYTE} MB`)],
    hostile.map((piece) => [
      JSON.stringify(piece),
      ...SIZES.map((size) => {
        const text = arrived(piece.repeat(size / piece.length))
        return ((fastest(Math.ceil(WARM / size) + 2, () => redactor.text(text)) * MEGABYTE) / size).toFixed(0)
      }),
    ]),
  )
}
