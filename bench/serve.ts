/** Runs per second over HTTP: accepted, executed and logged by a server on one core, as many at a time as the table says. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from 'undici'
import { ms, printTable, quantile, ratio } from './measure.js'

const TOKEN = 'for-the-benchmark-and-nothing-else'
const RUNS = 8_000
const MEMORY_RUNS = 200_000
const POLL_MS = 10
const KINDS = ['denied', 'allowed'] as const
const CONCURRENCIES = [1, 16, 64] as const

interface Measured {
  perSecond: number
  p50: number
  p99: number
}

interface Server {
  name: string
  /** The script that is the server, in `bench`, and its arguments. */
  args: readonly string[]
  /** All that come after it are held against it. */
  isReference?: true
}

export async function benchServe(servers: readonly Server[]): Promise<void> {
  const rows: string[][] = []
  const rates = new Map<string, number>()
  const references = servers.filter(({ isReference }) => isReference).map(({ name }) => name)
  for (const { name, args } of servers) {
    const server = await startHost(args)
    try {
      for (const kind of KINDS) await load(server.url, kind, 64, RUNS / 4)
      for (const concurrency of CONCURRENCIES) {
        for (const kind of KINDS) {
          const runs = concurrency === 1 ? RUNS / 8 : RUNS
          const { perSecond, p50, p99 } = await load(server.url, kind, concurrency, runs)
          const key = (of: string) => `${of} ${kind} ${concurrency}`
          rates.set(key(name), perSecond)
          const shares = references.map((of) => share(perSecond, rates.get(key(of))))
          rows.push([name, kind, String(concurrency), perSecond.toFixed(0), ...shares, ms(p50), ms(p99)])
        }
      }
    } finally {
      server.process.kill('SIGTERM')
      await once(server.process, 'exit')
    }
  }
  const shares = references.map((of) => `of ${of}`)
  const header = ['server', 'intent', 'at a time', 'runs/s', ...shares, 'p50 of the 202', 'p99']
  printTable('Runs per second over HTTP, the server on one core', header, rows)
}

const share = (rate: number, reference: number | undefined): string =>
  reference === undefined ? '' : ratio(rate / reference)

/** The memory of a server with the embedded store, before and after 200,000 runs. */
export async function benchMemory(directory: string): Promise<void> {
  const server = await startHost(['serve-host.mjs', 'embedded', directory])
  const resident = () => {
    const [, kibibytes] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${server.process.pid}/status`, 'utf8')) ?? []
    return `${(Number(kibibytes) / 1_024).toFixed(0)} MiB`
  }
  const rows = [['at the start', resident()]]
  try {
    for (let runs = 0; runs < MEMORY_RUNS; runs += MEMORY_RUNS / 4) {
      for (const kind of KINDS) await load(server.url, kind, 64, MEMORY_RUNS / 8)
      rows.push([`after ${runs + MEMORY_RUNS / 4} runs`, resident()])
    }
  } finally {
    server.process.kill('SIGTERM')
    await once(server.process, 'exit')
  }
  printTable('Resident memory of a server with the embedded store, half of the runs allowed', ['when', 'memory'], rows)
}

/** Each of the clients has a session and a connection of its own. The time counts until the last run's end is in the log. */
async function load(url: string, kind: (typeof KINDS)[number], concurrency: number, runs: number): Promise<Measured> {
  const clients = Array.from({ length: concurrency }, () => new Client(url, { pipelining: 1 }))
  const tool = kind === 'allowed' ? 'instant.look' : 'instant.change'
  const body = JSON.stringify({ role: 'assistant', content: 'go', intents: [{ tool, params: { text: 'here' } }] })
  const sessions = await Promise.all(
    clients.map(async (client) => {
      const { id } = await call<{ id: string }>(client, 'POST', '/sessions', '{}')
      const policy = { overrides: [{ tool: 'instant.look', allow: true }] }
      await call(client, 'PUT', `/sessions/${id}/policy`, JSON.stringify(policy))
      return id
    }),
  )
  const latencies: number[] = []
  let left = runs
  const started = performance.now()
  await Promise.all(
    clients.map(async (client, index) => {
      while (left-- > 0) {
        const sent = performance.now()
        await call(client, 'POST', `/sessions/${sessions[index]}/messages`, body)
        latencies.push(performance.now() - sent)
      }
    }),
  )
  // One asks for all: 64 who ask for their runs are served instead of the runs.
  while (clients[0] !== undefined && !(await isIdle(clients[0]))) await delay(POLL_MS)
  const seconds = (performance.now() - started) / 1_000
  await Promise.all(clients.map((client) => client.close()))
  return { perSecond: latencies.length / seconds, p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) }
}

async function isIdle(client: Client): Promise<boolean> {
  const { backlog, running } = await call<{ backlog: number; running: number }>(client, 'GET', '/health')
  return backlog + running === 0
}

async function call<T>(client: Client, method: 'GET' | 'POST' | 'PUT', path: string, body?: string): Promise<T> {
  const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' }
  const response = await client.request({ method, path: `/v1${path}`, headers, body: body ?? null })
  const answer = (await response.body.json()) as T
  if (response.statusCode >= 300) throw new Error(`${method} ${path}: ${JSON.stringify(answer)}`)
  return answer
}

async function startHost([script, ...args]: readonly string[]) {
  // The first core; what asks runs on the others.
  const child: ChildProcess = spawn('taskset', ['-c', '0', process.execPath, `bench/${script}`, ...args], {
    env: { ...process.env, ADMIN_TOKEN: TOKEN },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer]
  return { process: child, url: line.toString().trim() }
}
