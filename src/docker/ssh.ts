/** Engines behind ssh: each connection is a child `ssh … docker system dial-stdio`, as the docker command has it. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import type { buildConnector } from 'undici'
import { Failure } from '../core/failure.js'

export interface SshTarget {
  /** As the user wrote it, for messages. */
  address: string
  user: string | undefined
  host: string
  port: string | undefined
}

export type Connector = buildConnector.connector

const MAX_SAID_BYTES = 4_096
/** What ssh gets to exit by itself, once the other side has nothing more to say. */
const EXIT_GRACE_MS = 1_000
/** The status of ssh's own failures, and of a shell that has no such command. */
const SSH_FAILED = 255
const NO_COMMAND = 127

/** `[user@]host[:port]`, or undefined. No part can be an option: none begins with a hyphen. */
export function parseSshTarget(address: string, rest: string): SshTarget | undefined {
  const [, user, named, port] =
    /^(?:([A-Za-z0-9_][A-Za-z0-9._-]*)@)?([A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?\/?$/.exec(
      rest,
    ) ?? []
  if (named === undefined || Number(port ?? 1) < 1 || Number(port ?? 1) > 65_535) return undefined
  return { address, user, host: named.replace(/^\[|\]$/g, ''), port }
}

/** What ssh is started with. Nobody can be asked anything; the user's own configuration holds, agent and jump hosts included. */
function sshArguments({ user, host, port }: SshTarget): string[] {
  return [
    ...['-o', 'BatchMode=yes', '-T'],
    ...(user === undefined ? [] : ['-l', user]),
    ...(port === undefined ? [] : ['-p', port]),
    ...['--', host, 'docker', 'system', 'dial-stdio'],
  ]
}

export function createSshConnector(target: SshTarget): Connector {
  return function connect(_options, callback) {
    const child = spawn('ssh', sshArguments(target), { stdio: 'pipe' })
    const onError = (error: Error) => callback(notStarted(error, target), null)
    child.once('error', onError)
    child.once('spawn', () => {
      child.off('error', onError)
      // What undici asks of a socket beyond a stream, it asks only where it is there.
      callback(null, new SshConnection(child, target) as unknown as Socket)
    })
  }
}

/** The child's standard input and output as one stream; its death is the connection's end, and the other way round. */
class SshConnection extends Duplex {
  readonly #child: ChildProcessWithoutNullStreams
  #said = ''
  #exited = false

  constructor(child: ChildProcessWithoutNullStreams, target: SshTarget) {
    super({ allowHalfOpen: true })
    this.#child = child
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (this.#said.length < MAX_SAID_BYTES) this.#said += text
    })
    child.stdout.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) child.stdout.pause()
    })
    // A broken pipe is told by the exit, which says why.
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream.on('error', () => {})
    child.on('error', (error) => this.destroy(error))
    let ended = false
    const end = () => {
      if (!ended) this.push(null)
      ended = true
    }
    child.stdout.once('end', () => {
      if (this.#exited) end()
      else setTimeout(end, EXIT_GRACE_MS).unref()
    })
    child.once('exit', (code) => {
      this.#exited = true
      // Its last words may still be on their way.
      if (code) setImmediate(() => this.destroy(this.#failure(code, target)))
      else if (child.stdout.readableEnded) end()
    })
  }

  override _read(): void {
    this.#child.stdout.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    // Its error is the exit's to tell.
    this.#child.stdin.write(chunk, () => callback())
  }

  override _final(callback: () => void): void {
    this.#child.stdin.end(callback)
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    if (this.#exited) callback(error)
    else {
      this.#child.once('exit', () => callback(error))
      this.#child.kill()
    }
  }

  /** A connection that waits to be used again must not keep the process alive. */
  ref(): this {
    for (const handle of this.#handles()) handle.ref?.()
    return this
  }

  unref(): this {
    for (const handle of this.#handles()) handle.unref?.()
    return this
  }

  #handles(): { ref?(): void; unref?(): void }[] {
    const { stdin, stdout, stderr } = this.#child
    return [this.#child, stdin, stdout, stderr] as { ref?(): void; unref?(): void }[]
  }

  #failure(code: number, { address }: SshTarget): Failure {
    const words = this.#said
      .trim()
      .split('\n')
      .map((line) => line.trim())
      .filter(Boolean)
      .slice(-3)
      .join(' ')
    const advice =
      code === SSH_FAILED
        ? 'Try the same with ssh itself: it must work without a question, by a key or an agent.'
        : code === NO_COMMAND
          ? 'The docker command must be installed there, and in the PATH of a shell that is not interactive.'
          : 'Try “docker system dial-stdio” there: the user must be allowed to use the engine.'
    return new Failure(
      'UPSTREAM_ERROR',
      `The ssh connection to ${address} ended (${code}): ${words || 'it said nothing'}. ${advice}`,
      {
        retriable: code === SSH_FAILED,
        details: { address, reason: code === SSH_FAILED ? 'ssh' : 'no_engine_behind_ssh' },
      },
    )
  }
}

function notStarted(error: Error, { address }: SshTarget): Failure {
  const code = 'code' in error ? String(error.code) : 'unknown'
  return new Failure(
    'UPSTREAM_ERROR',
    `ssh could not be started for ${address} (${code}). Install the OpenSSH client, so that “ssh” is in the PATH.`,
    { retriable: false, details: { address, reason: 'ssh' }, cause: error },
  )
}
