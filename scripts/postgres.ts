/** A throwaway PostgreSQL for tests and measurements: a private cluster on a socket in a directory of its own. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hasProgram, installPackages } from './engine/packages.js'
import { until } from './engine/until.js'
import { progress } from './progress.js'

export interface Postgres {
  /** Also for `pg`: `postgresql://…`. */
  connectionString: string
  stop(): Promise<void>
}

const PREFIX = 'skillgate-postgres-'
const PLACE = '/usr/lib/postgresql'
const USER = 'skillgate'

/** Why no PostgreSQL can be started here, after an attempt to install Debian's when that is allowed. */
export function ensurePostgres({ install }: { install: boolean }): string | undefined {
  if (process.platform !== 'linux') return `a throwaway PostgreSQL needs Linux, this is ${process.platform}`
  if (!hasProgram('setpriv')) return "the program setpriv (Debian's util-linux) is missing"
  if (findPrograms() !== undefined) return undefined
  if (!install) return 'the Debian package postgresql is not installed'
  if (process.getuid?.() !== 0 || !hasProgram('apt-get')) return 'only root on Debian can install postgresql here'
  progress('installing the Debian package postgresql')
  return installPackages(['postgresql'], progress) ?? (findPrograms() ? undefined : 'postgresql brought no server')
}

/** Starts a cluster that ends with this process, however that ends. */
export async function startPostgres(): Promise<Postgres> {
  const programs = findPrograms()
  if (programs === undefined) throw new Error('there is no PostgreSQL here: install the Debian package postgresql')
  removeLeftovers()
  const dir = mkdtempSync(join(tmpdir(), PREFIX))
  const owner = unprivileged()
  const data = join(dir, 'data')
  mkdirSync(data, { mode: 0o700 })
  if (owner !== undefined) for (const path of [dir, data]) chownSync(path, owner.uid, owner.gid)
  const as = owner === undefined ? [] : [`--reuid=${owner.uid}`, `--regid=${owner.gid}`, '--clear-groups']
  progress(`postgres: starting a throwaway cluster in ${dir}`)
  // A locale whose order differs from that of code points: what must not depend on it is tested by it.
  const locale = ['--encoding=UTF8', '--locale=C.UTF-8', '--locale-provider=icu', '--icu-locale=en-US']
  const made = spawnSync(
    'setpriv',
    [...as, join(programs, 'initdb'), `--pgdata=${data}`, `--username=${USER}`, '--auth=trust', '--no-sync', ...locale],
    { cwd: dir, encoding: 'utf8' },
  )
  if (made.status !== 0) {
    rmSync(dir, { recursive: true })
    throw new Error(`initdb failed: ${made.stderr || made.error?.message}`)
  }
  const settings = ['-k', dir, '-c', 'listen_addresses=', '-c', 'max_connections=200']
  const server = spawn(
    'setpriv',
    [...as, '--pdeathsig=INT', '--', join(programs, 'postgres'), '-D', data, ...settings],
    { cwd: dir, stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let log = ''
  server.stderr.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-4_000)
  })
  const answers = () => server.exitCode !== null || log.includes('ready to accept connections')
  if (!(await until(answers, 60_000)) || server.exitCode !== null) {
    await end(server, dir)
    throw new Error(`postgres did not start. The end of its log:\n${log}`)
  }
  progress('postgres: ready')
  return {
    connectionString: `postgresql://${USER}@localhost/postgres?host=${encodeURIComponent(dir)}`,
    stop: () => end(server, dir),
  }
}

async function end(server: ChildProcess, dir: string): Promise<void> {
  if (server.exitCode === null && server.signalCode === null) {
    const ended = once(server, 'exit')
    // Its fast shutdown: connections are ended, nothing is waited for.
    server.kill('SIGINT')
    await ended
  }
  rmSync(dir, { recursive: true, force: true })
}

/** Where the newest server's programs lie. Debian keeps them out of PATH. */
function findPrograms(): string | undefined {
  const versions = existsSync(PLACE) ? readdirSync(PLACE).toSorted((one, other) => Number(other) - Number(one)) : []
  return versions
    .map((version) => join(PLACE, version, 'bin'))
    .find((path) => ['initdb', 'postgres'].every((program) => existsSync(join(path, program))))
}

/** PostgreSQL refuses to run as root; undefined when this process is not. */
function unprivileged(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined
  const users = readFileSync('/etc/passwd', 'utf8').split('\n')
  const found = users.map((line) => line.split(':')).find(([name]) => name === 'postgres')
  const [, , uid, gid] = found ?? []
  if (uid === undefined || gid === undefined) throw new Error('there is no user postgres here to run the server as')
  return { uid: Number(uid), gid: Number(gid) }
}

/** Removes the clusters of processes that were killed; their servers ended with them. */
function removeLeftovers(): void {
  for (const name of readdirSync(tmpdir()).filter((name) => name.startsWith(PREFIX))) {
    const pidFile = join(tmpdir(), name, 'data', 'postmaster.pid')
    const pid = existsSync(pidFile) ? Number.parseInt(readFileSync(pidFile, 'utf8'), 10) : undefined
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) rmSync(join(tmpdir(), name), { recursive: true, force: true })
  }
}
