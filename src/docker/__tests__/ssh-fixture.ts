/** An `ssh` for tests: a program of that name that leads to an engine's socket, or the real one to an sshd of its own. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

export interface SshUnderTest {
  /** `ssh://…` */
  host: string
  /** Where the program notes its arguments, a line of JSON for each start. */
  argumentsFile: string
  close(): Promise<void>
}

const STAND_IN = `#!${process.execPath}
const { appendFileSync } = require('node:fs')
const { connect } = require('node:net')
appendFileSync(process.env.STAND_IN_ARGUMENTS, JSON.stringify({ pid: process.pid, args: process.argv.slice(2) }) + '\\n')
const [, code, words] = /^(\\d+):([^]*)$/.exec(process.env.STAND_IN_FAILURE ?? '') ?? []
if (code) {
  process.stderr.write(words)
  process.exitCode = Number(code)
} else {
  const socket = connect({ path: process.env.STAND_IN_SOCKET, allowHalfOpen: true })
  process.stdin.pipe(socket)
  socket.pipe(process.stdout)
  socket.on('end', () => process.exit(0))
  socket.on('error', (error) => {
    process.stderr.write(String(error))
    process.exit(1)
  })
}
`

/** Puts a directory with an executable \`ssh\` first in this process's PATH. */
function putFirst(directory: string, program: string): () => void {
  const before = process.env.PATH
  writeFileSync(join(directory, 'ssh'), program)
  chmodSync(join(directory, 'ssh'), 0o755)
  process.env.PATH = `${directory}${delimiter}${before}`
  return () => {
    process.env.PATH = before
  }
}

export function standInSsh(socketPath: string): SshUnderTest {
  const directory = mkdtempSync(join(tmpdir(), 'ssh-stand-in-'))
  const argumentsFile = join(directory, 'arguments')
  writeFileSync(argumentsFile, '')
  const restore = putFirst(directory, STAND_IN)
  Object.assign(process.env, { STAND_IN_ARGUMENTS: argumentsFile, STAND_IN_SOCKET: socketPath })
  return {
    host: 'ssh://me@engine.example:2222',
    argumentsFile,
    async close() {
      restore()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** Why the real one cannot be tested here; undefined when it can. */
export function whyNoSshd(): string | undefined {
  if (spawnSync('docker', ['system', 'dial-stdio', '--help']).status !== 0) return 'the docker command is not installed'
  if (!existsSync('/usr/sbin/sshd')) return 'sshd is not installed (Debian: openssh-server)'
  return userInfo().uid === 0 ? undefined : 'only root starts an sshd here'
}

/** An sshd on a loopback port with keys of its own; whoever comes in finds the engine as DOCKER_HOST. */
export async function realSsh(engineHost: string): Promise<SshUnderTest> {
  const directory = mkdtempSync(join(tmpdir(), 'sshd-'))
  const at = (name: string) => join(directory, name)
  for (const name of ['host-key', 'user-key']) {
    const { status, stderr } = spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at(name)], {
      encoding: 'utf8',
    })
    assert.equal(status, 0, stderr)
  }
  const port = await freePort()
  mkdirSync('/run/sshd', { recursive: true })
  const lines = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${at('host-key')}`,
    `AuthorizedKeysFile ${at('user-key.pub')}`,
    'PidFile none',
    'StrictModes no',
    'UsePAM no',
    'PasswordAuthentication no',
    `SetEnv DOCKER_HOST=${engineHost} PATH=${process.env.PATH}`,
  ]
  writeFileSync(at('sshd_config'), `${lines.join('\n')}\n`)
  const client = [
    `IdentityFile ${at('user-key')}`,
    'IdentitiesOnly yes',
    `UserKnownHostsFile ${at('known-hosts')}`,
    'StrictHostKeyChecking accept-new',
  ]
  writeFileSync(at('ssh_config'), `${client.join('\n')}\n`)
  const sshd = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', at('sshd_config')], { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  sshd.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  await untilListening(port, sshd, () => said)
  const real = spawnSync('/bin/sh', ['-c', 'command -v ssh'], { encoding: 'utf8' }).stdout.trim()
  const argumentsFile = at('arguments')
  const restore = putFirst(directory, `#!/bin/sh\nexec ${real} -F ${at('ssh_config')} "$@"\n`)
  return {
    host: `ssh://${userInfo().username}@127.0.0.1:${port}`,
    argumentsFile,
    async close() {
      restore()
      sshd.kill()
      await once(sshd, 'exit')
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

async function untilListening(port: number, sshd: ChildProcess, said: () => string): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    assert.equal(sshd.exitCode, null, said())
    const socket = connect(port, '127.0.0.1')
    const listens = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'error').then(() => false),
    ]).catch(() => false)
    socket.destroy()
    if (listens) return
    await delay(50)
  }
  assert.fail(`sshd does not listen: ${said()}`)
}
