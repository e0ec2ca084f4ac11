/** Starts private Docker and Podman engines that live in one directory, beside any other engine of the machine. */
import { createHash } from 'node:crypto'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { progress } from '../progress.js'
import { endCell, isRunning, logFile, readState, startCell, writeState } from './cell.js'
import { removeSharedCgroup } from './cgroup.js'
import { askEngine, callEngine } from './engine-call.js'
import { pushImage, REGISTRY } from './image-push.js'
import { until } from './until.js'

export type EngineKind = 'docker' | 'podman'

export interface EngineOptions {
  /** Where all files of the engine go; without it a new directory below the system's temporary one. */
  dir?: string
  /** Receives a line per step; by default they go to standard error, with the time. */
  log?: (line: string) => void
  /** Whether the engine ends together with this process, however that ends. True unless said otherwise. */
  owned?: boolean
}

export interface Engine {
  kind: EngineKind
  dir: string
  host: string
  /** The test image: busybox, by digest, as if pulled from a registry. Its default command prints a greeting. */
  image: string
  stop(): Promise<void>
}

const PODMAN_GROUP = '/libpod_parent'
const PREFIX = 'skillgate-engine-'

export function startDocker(options: EngineOptions = {}): Promise<Engine> {
  return startEngine('docker', options, (dir, host) => {
    const group = `/skillgate-${createHash('sha256').update(dir).digest('hex').slice(0, 12)}`
    // Without a file of its own the daemon would take the machine's settings, hosts to listen on included.
    const config = join(dir, 'daemon.json')
    writeFileSync(config, '{}')
    const places = ['--data-root', join(dir, 'data'), '--exec-root', join(dir, 'exec'), '--pidfile', join(dir, 'pid')]
    const cgroups = ['--exec-opt', 'native.cgroupdriver=cgroupfs', '--cgroup-parent', group]
    return {
      command: ['dockerd', '--config-file', config, ...places, ...cgroups, '-H', host],
      cgroups: [group],
      env: {},
    }
  })
}

export function startPodman(options: EngineOptions = {}): Promise<Engine> {
  return startEngine('podman', options, (dir, host) => {
    const file = (name: string, text: string) => {
      writeFileSync(join(dir, name), text)
      return join(dir, name)
    }
    const storage = ['driver = "overlay"', `graphroot = "${dir}/data"`, `runroot = "${dir}/run"`]
    const init = ['/usr/bin/catatonit', '/usr/libexec/podman/catatonit'].find((path) => existsSync(path))
    mkdirSync(join(dir, 'tmp'))
    const env = {
      CONTAINERS_CONF: file('containers.conf', `[containers]\n${init ? `init_path = "${init}"\n` : ''}`),
      CONTAINERS_REGISTRIES_CONF: file('registries.conf', `[[registry]]\nlocation = "${REGISTRY}"\ninsecure = true\n`),
      CONTAINERS_STORAGE_CONF: file('storage.conf', `[storage]\n${storage.join('\n')}\n`),
      TMPDIR: join(dir, 'tmp'),
    }
    const places = ['--tmpdir', join(dir, 'libpod'), '--network-config-dir', join(dir, 'networks')]
    const ways = ['--cgroup-manager', 'cgroupfs', '--events-backend', 'file']
    return { command: ['podman', ...places, ...ways, 'system', 'service', '--time=0', host], cgroups: [], env }
  })
}

interface Daemon {
  command: string[]
  cgroups: string[]
  env: Record<string, string>
}

async function startEngine(
  kind: EngineKind,
  { dir: wanted, log = progress, owned = true }: EngineOptions,
  daemon: (dir: string, host: string) => Daemon,
): Promise<Engine> {
  const say = (text: string) => log(`${kind}: ${text}`)
  await sweep()
  const dir = wanted ? resolve(wanted) : mkdtempSync(join(tmpdir(), PREFIX))
  if (wanted) await claim(dir)
  const host = `unix://${join(dir, 'engine.sock')}`
  say(`starting a throwaway engine in ${dir}`)
  try {
    const cell = startCell(dir, { host, owned, ...daemon(dir, host) })
    const answers = () => !isRunning(dir, cell) || callEngine(host, 'GET', '/_ping').then(isOk, () => false)
    if (!(await until(answers, 60_000)) || !isRunning(dir, cell)) throw new Error(`${kind} did not start`)
    const { Version } = JSON.parse(await askEngine(host, 'GET', '/version'))
    say(`version ${Version} answers; loading the test image`)
    const image = await pushImage(dir, cell)
    writeState(dir, { ...cell, image })
    say(`ready, ${image}`)
    return { kind, dir, host, image, stop: () => stopEngine(dir) }
  } catch (error) {
    const tail = existsSync(logFile(dir)) ? readFileSync(logFile(dir), 'utf8').split('\n').slice(-15).join('\n') : ''
    if (readState(dir)) await stopEngine(dir)
    else rmSync(dir, { recursive: true, force: true })
    throw new Error(`${(error as Error).message}\nThe end of its log:\n${tail}`, { cause: error })
  }
}

const isOk = ({ status }: { status: number }) => status === 200

/** Whether `dir` is an engine's, running or not. */
export const holdsEngine = (dir: string): boolean => readState(dir) !== undefined

/** The engine in `dir`, if it runs. */
export function runningEngine(dir: string): { host: string; image: string } | undefined {
  const state = readState(dir)
  return state?.image && isRunning(dir, state) ? { host: state.host, image: state.image } : undefined
}

/** Ends the engine in `dir` and removes what it left, also when its process is long dead. */
export async function stopEngine(dir: string): Promise<void> {
  const state = readState(dir)
  if (!state) throw new Error(`${dir} holds no throwaway engine, so nothing in it is removed`)
  const containers = join(dir, 'data', 'overlay-containers')
  const isPodman = existsSync(containers)
  if (isPodman) {
    // Podman has one parent group for all its containers on a machine: only those of this storage are this engine's.
    const ids = readdirSync(containers).filter((name) => /^[0-9a-f]{64}$/.test(name))
    writeState(dir, { ...state, cgroups: [...state.cgroups, ...ids.map((id) => `${PODMAN_GROUP}/libpod-${id}`)] })
  }
  await endCell(dir)
  if (isPodman) for (const group of [`${PODMAN_GROUP}/conmon`, PODMAN_GROUP]) removeSharedCgroup(group)
}

/** Makes `dir` ready for a new engine: one that still runs there is refused, the rest of a dead one is removed. */
async function claim(dir: string): Promise<void> {
  const state = readState(dir)
  if (state && isRunning(dir, state)) throw new Error(`an engine already runs in ${dir}; take it down first`)
  if (state) await stopEngine(dir)
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  if (readdirSync(dir).length > 0) throw new Error(`${dir} is not empty and holds no engine; give another directory`)
}

/** Removes what engines of killed processes left in the temporary directory. */
async function sweep(): Promise<void> {
  for (const name of readdirSync(tmpdir()).filter((name) => name.startsWith(PREFIX))) {
    const dir = join(tmpdir(), name)
    // Anybody may write to the temporary directory; a state that another user laid there is not to be acted upon.
    const found = lstatSync(dir, { throwIfNoEntry: false })
    if (!found?.isDirectory() || found.uid !== process.getuid?.()) continue
    const state = readState(dir)
    // Two engines that start at once may sweep the same place; the one that comes second finds parts of it gone.
    if (state && !isRunning(dir, state)) await stopEngine(dir).catch(() => {})
  }
}
