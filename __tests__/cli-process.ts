/** A `skillgate` process under test, and requests to it as a caller makes them in a shell. */
import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
export const NO_ENGINE = 'unix:///nonexistent/skillgate/docker.sock'
const hasCurl = spawnSync('curl', ['--version']).status === 0
if (!hasCurl) console.log('curl is not installed: its requests are made with fetch')

export interface Cli {
  process: ChildProcess
  url: string
  /** Everything printed so far. */
  output: { stdout: string; stderr: string }
  /** Resolves with the exit code. */
  exited: Promise<number | null>
}

/** How node is told to run the command: `npm test` has built it; a file that is run alone takes the sources. */
export const CLI: readonly string[] =
  process.env.SKILLGATE_TEST_CLI === undefined ? ['--import', 'tsx', 'src/cli.ts'] : [process.env.SKILLGATE_TEST_CLI]

/** Directories of logs: each server has its own unless a test gives it one. */
const LOGS = mkdtempSync(join(tmpdir(), 'skillgate-cli-'))
process.once('exit', () => rmSync(LOGS, { recursive: true, force: true }))

const newDataDir = (): string => mkdtempSync(join(LOGS, 'log-'))

export function spawnCli(args: string[], env: Record<string, string>): Omit<Cli, 'url'> {
  const child = spawn(process.execPath, [...CLI, ...args], {
    cwd: ROOT,
    env: { PATH: process.env.PATH, ...(env.DATABASE_URL === undefined && { DATA_DIR: newDataDir() }), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text
    })
  }
  return { process: child, output, exited: once(child, 'close').then(([code]) => code as number | null) }
}

/** Asks until there is an answer; fails with what `explain` says after the time, in milliseconds. */
export async function until<T>(ask: () => T | undefined | Promise<T | undefined>, explain: () => string): Promise<T> {
  const end = performance.now() + 30_000
  for (;;) {
    const answer = await ask()
    if (answer !== undefined) return answer
    assert.ok(performance.now() < end, `nothing within 30 s: ${explain()}`)
    await delay(25)
  }
}

export async function startCli(env: Record<string, string>): Promise<Cli> {
  const cli = spawnCli(['serve'], { ADMIN_TOKEN: 'demo', PORT: '0', ...env })
  const url = await until(
    () => /^skillgate listening on (\S+)\n/.exec(cli.output.stdout)?.[1],
    () => JSON.stringify(cli.output),
  )
  return { ...cli, url }
}

export async function stopCli(cli: Cli): Promise<void> {
  cli.process.kill('SIGKILL')
  await cli.exited
}

interface Reply {
  status: number
  json: unknown
}

/** One request as a caller makes it in a shell. */
async function request(cli: Cli, method: string, path: string, body?: string): Promise<Reply> {
  const url = `http://localhost:${new URL(cli.url).port}${path}`
  if (!hasCurl) {
    const headers = { authorization: 'Bearer demo', ...(body !== undefined && { 'content-type': 'application/json' }) }
    const response = await fetch(url, { method, headers, ...(body !== undefined && { body }) })
    return { status: response.status, json: await response.json() }
  }
  const content = body === undefined ? [] : ['-H', 'Content-Type: application/json', '-d', body]
  const args = ['-sS', '-X', method, url, '-H', 'Authorization: Bearer demo', ...content, '-w', '\n%{http_code}']
  const { stdout } = await promisify(execFile)('curl', args, { maxBuffer: 16 * 1024 * 1024 })
  const end = stdout.lastIndexOf('\n')
  return { status: Number(stdout.slice(end + 1)), json: JSON.parse(stdout.slice(0, end)) }
}

export async function expect<T>(cli: Cli, status: number, method: string, path: string, body?: string): Promise<T> {
  const reply = await request(cli, method, path, body)
  assert.equal(reply.status, status, `${method} ${path}: ${JSON.stringify(reply.json)}`)
  return reply.json as T
}
