/** The throwaway engines: they end without a trace, and nothing that is not theirs is touched. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { busyboxLayer, imageArchive } from '../engine/busybox-image.js'
import { endCell, isRunning, readState, writeState } from '../engine/cell.js'
import { ensurePackages } from '../engine/packages.js'
import { runningEngine, stopEngine } from '../engine/throwaway.js'
import { until } from '../engine/until.js'

const root = resolve(fileURLToPath(import.meta.url), '../../..')
const onLinux = process.platform === 'linux' ? {} : { skip: 'it reads /proc, which only Linux has' }
let place: string

before(() => {
  place = mkdtempSync(join(tmpdir(), 'skillgate-test-'))
})
after(() => rmSync(place, { recursive: true, force: true }))

function newDirectory(name: string): string {
  const dir = join(place, name)
  mkdirSync(dir)
  return dir
}

function startTime(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
}

async function end(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL')
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
}

const runCli = (...args: string[]) =>
  spawnSync(process.execPath, ['--import', 'tsx', join(root, 'scripts/engine.ts'), ...args], {
    cwd: root,
    encoding: 'utf8',
  })

test('the state of a process that is long dead is cleaned, files and all', onLinux, async () => {
  const dir = newDirectory('stale')
  const child = spawn('true')
  await once(child, 'exit')
  writeState(dir, { pid: child.pid ?? 0, started: '1', host: `unix://${dir}/engine.sock`, cgroups: [] })
  assert.equal(runningEngine(dir), undefined)
  await stopEngine(dir)
  assert.equal(existsSync(dir), false)
})

test('a process with the recorded pid that was not started for the directory is never ended', onLinux, async () => {
  const dir = newDirectory('foreign')
  const child = spawn('sleep', ['60'])
  try {
    const pid = child.pid ?? 0
    writeState(dir, { pid, started: startTime(pid), host: `unix://${dir}/engine.sock`, cgroups: [] })
    await endCell(dir)
    process.kill(pid, 0)
    assert.equal(existsSync(dir), false)
  } finally {
    await end(child)
  }
})

test('a process that took over the pid later is never ended, even if it names the directory', onLinux, async () => {
  const dir = newDirectory('reused')
  const child = spawn('sh', ['-c', 'read -r line', 'sh', dir])
  try {
    const pid = child.pid ?? 0
    const state = { pid, started: startTime(pid), host: `unix://${dir}/engine.sock`, cgroups: [] }
    assert.equal(isRunning(dir, state), true)
    writeState(dir, { ...state, started: String(Number(state.started) - 1) })
    await endCell(dir)
    process.kill(pid, 0)
  } finally {
    await end(child)
  }
})

test('a directory that holds no engine is not removed', async () => {
  const dir = newDirectory('mine')
  writeFileSync(join(dir, 'thesis.txt'), 'years of work')
  await assert.rejects(stopEngine(dir), /holds no throwaway engine/)
  assert.equal(existsSync(join(dir, 'thesis.txt')), true)
})

test('status with nothing running says so and exits 1; env prints nothing', () => {
  const dir = newDirectory('empty')
  const status = runCli('status', '--dir', dir)
  assert.equal(status.stdout, 'docker: not running\npodman: not running\n')
  assert.equal(status.status, 1)
  const env = runCli('env', '--dir', dir)
  assert.equal(env.stdout, '')
  assert.equal(env.status, 1)
})

test('--help prints the usage and exits 0', () => {
  for (const args of [['--help'], ['-h'], ['up', '--help']]) {
    const { status, stdout, stderr } = runCli(...args)
    assert.deepEqual([status, stderr], [0, ''])
    assert.match(stdout, /^usage: .* up\|down/)
  }
})

test('down leaves what no engine made, says so and exits 0; an empty directory goes', onLinux, async () => {
  const dir = newDirectory('shared')
  const child = spawn('true')
  await once(child, 'exit')
  const engine = join(dir, 'docker')
  const foreign = join(dir, 'podman')
  for (const place of [engine, foreign]) mkdirSync(place)
  writeState(engine, { pid: child.pid ?? 0, started: '1', host: `unix://${engine}/engine.sock`, cgroups: [] })
  for (const file of [join(dir, 'notes.txt'), join(foreign, 'mine.txt')]) writeFileSync(file, 'years of work')
  const { status, stderr } = runCli('down', '--dir', dir)
  assert.equal(status, 0, stderr)
  assert.match(stderr, /docker: stopped and removed/)
  assert.match(stderr, /left in .*: notes\.txt, podman\n/)
  assert.deepEqual(readdirSync(dir).toSorted(), ['notes.txt', 'podman'])
  assert.ok(existsSync(join(foreign, 'mine.txt')))
  const empty = newDirectory('nothing')
  const again = runCli('down', '--dir', empty)
  assert.deepEqual([again.status, existsSync(empty)], [0, false])
})

test('an unknown verb or engine prints the usage and exits 2', () => {
  for (const args of [['sideways'], ['up', '--only', 'rkt'], []]) {
    const { status, stderr } = runCli(...args)
    assert.equal(status, 2)
    assert.match(stderr, /^usage: /)
  }
})

test('the image archive is the same bytes for the same busybox, whatever the order of its applets', () => {
  const busybox = Buffer.from('not really a program')
  const one = imageArchive(busyboxLayer(busybox, ['sh', 'cat', 'busybox', 'ls']), 'registry/busybox:latest')
  const other = imageArchive(busyboxLayer(busybox, ['ls', 'sh', 'cat', 'cat']), 'registry/busybox:latest')
  assert.ok(one.equals(other))
  assert.equal(one.length % 512, 0)
})

test('tar reads the layer back with its modes, links and contents', { skip: noTar() }, () => {
  const layer = busyboxLayer(
    Buffer.from('x'.repeat(600)),
    ['sh'],
    [
      { path: 'kmsg', mode: 0o666, device: [1, 11] },
      { path: 'home', link: '/proc' },
      { path: 'bin/setuid', mode: 0o6755, content: 'x' },
    ],
  )
  const listing = spawnSync('tar', ['-tvf', '-'], { input: layer, encoding: 'utf8' })
  assert.equal(listing.status, 0, listing.stderr)
  assert.match(listing.stdout, /^crw-rw-rw- .* 1,11 .* kmsg$/m)
  assert.match(listing.stdout, /^-rwsr-sr-x .* 1 .* bin\/setuid$/m)
  assert.match(listing.stdout, /^lrwxrwxrwx .* home -> \/proc$/m)
  assert.doesNotMatch(listing.stdout, / home\/$/m)
  assert.match(listing.stdout, /^drwxrwxrwt .* tmp\/$/m)
  assert.match(listing.stdout, /^-rwxr-xr-x .* 600 .* bin\/busybox$/m)
  assert.match(listing.stdout, /^lrwxrwxrwx .* bin\/sh -> busybox$/m)
})

test('an engine ends when its owner is killed, with everything that it ran', { skip: noEngine() }, async () => {
  const dir = join(place, 'owned')
  const program = `
    import { startPodman } from ${JSON.stringify(join(root, 'scripts/engine.ts'))}
    await startPodman({ dir: ${JSON.stringify(dir)} })
    process.stdout.write('up')
    setInterval(() => {}, 1_000)
  `
  const owner = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  try {
    const [first] = await Promise.race([once(owner.stdout, 'data'), once(owner, 'exit')])
    assert.equal(String(first), 'up')
    const state = readState(dir)
    assert.ok(state && isRunning(dir, state))
    await end(owner)
    assert.ok(await until(() => !isRunning(dir, state), 15_000), 'it still runs')
    await stopEngine(dir)
    assert.equal(existsSync(dir), false)
  } finally {
    await end(owner)
    if (readState(dir)) await stopEngine(dir)
  }
})

function noTar(): string | false {
  return spawnSync('tar', ['--version']).status === 0 ? false : 'no tar program here'
}

function noEngine(): string | false {
  const { reason } = ensurePackages({ install: false, kinds: ['podman'] })
  if (!reason) return false
  assert.notEqual(process.env.REQUIRE_LIVE, '1', `REQUIRE_LIVE=1, but ${reason}`)
  return reason
}
