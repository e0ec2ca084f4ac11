/**
 * Runs a daemon in namespaces of its own (processes, mounts, network) and ends it without a trace: when the cell's first
 * process dies, the kernel takes every container, mount and network interface in it along, however it died.
 */
import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findBusybox } from './busybox-image.js'
import { removeCgroup } from './cgroup.js'
import { until } from './until.js'

export interface CellState {
  /** The host's pid of `unshare`, and its start time in clock ticks: a pid alone may belong to somebody else by now. */
  pid: number
  started: string
  host: string
  image?: string
  /** Control groups below every hierarchy's root that belong to this cell alone. */
  cgroups: string[]
}

export interface CellOptions {
  host: string
  command: readonly string[]
  env?: Record<string, string>
  cgroups: string[]
  /** An owned cell ends with the process that started it, even when that is killed; else it stays until it is ended. */
  owned: boolean
}

const INIT = fileURLToPath(new URL('./cell-init.sh', import.meta.url))

export const logFile = (dir: string) => join(dir, 'engine.log')
const stateFile = (dir: string) => join(dir, 'state.json')

/** Starts `command` in a new cell whose files all lie in `dir`. */
export function startCell(dir: string, { host, command, env = {}, cgroups, owned }: CellOptions): CellState {
  const socketPath = host.replace('unix://', '')
  if (Buffer.byteLength(socketPath) > 107)
    throw new Error(`the socket path ${socketPath} is too long; use a shorter dir`)
  const busybox = findBusybox()
  if (!busybox) throw new Error('no statically linked busybox here: install the Debian package busybox-static')
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const log = openSync(logFile(dir), 'a')
  const namespaces = ['--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc']
  const child = spawn('unshare', [...namespaces, 'sh', INIT, dir, busybox, String(owned), ...command], {
    // Podman's conmon writes a file `oom` to where it stands when a container is out of memory.
    cwd: dir,
    detached: true,
    stdio: [owned ? 'pipe' : 'ignore', log, log],
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin`, ...env },
  })
  closeSync(log)
  // A refused spawn shows as a missing pid below; without a listener the event would end this process.
  child.on('error', () => {})
  if (child.pid === undefined) throw new Error('cannot run unshare: install the Debian package util-linux')
  child.unref()
  if (child.stdin && 'unref' in child.stdin) (child.stdin as { unref(): void }).unref()
  const state: CellState = { pid: child.pid, started: startTime(child.pid) ?? '', host, cgroups }
  writeState(dir, state)
  return state
}

export function writeState(dir: string, state: CellState): void {
  writeFileSync(stateFile(dir), `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 })
}

export function readState(dir: string): CellState | undefined {
  try {
    return JSON.parse(readFileSync(stateFile(dir), 'utf8'))
  } catch {
    return undefined
  }
}

/** Whether the process that `state` names is alive and is the very one that was started for `dir`. */
export function isRunning(dir: string, { pid, started }: CellState): boolean {
  return started !== '' && startTime(pid) === started && commandLine(pid).includes(dir)
}

/** Ends the cell in `dir`, if it still runs, and removes everything of it. A process that is not the cell's is left alone. */
export async function endCell(dir: string, graceMs = 3_000): Promise<void> {
  const state = readState(dir)
  if (state && isRunning(dir, state)) {
    for (const pid of childrenOf(state.pid)) signal(pid, 'SIGTERM')
    const ended = await until(() => !isRunning(dir, state), graceMs)
    if (!ended) {
      // The cell's first process takes all others along, and `unshare` ends when it has.
      const inner = childrenOf(state.pid)
      for (const pid of inner.length > 0 ? inner : [state.pid]) signal(pid, 'SIGKILL')
      if (!(await until(() => !isRunning(dir, state), 10_000))) throw new Error(`process ${state.pid} does not end`)
    }
  }
  for (const group of state?.cgroups ?? []) await removeCgroup(group)
  rmSync(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 })
}

/** The processes that `pid` started; of `unshare` that is the cell's first process. */
export function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number)
  } catch {
    return []
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function commandLine(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
  } catch {
    return []
  }
}

function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return undefined
  }
}
