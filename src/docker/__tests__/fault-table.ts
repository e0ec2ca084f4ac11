/** The ways in which a hostile or broken engine can answer: each as what it puts on the wire, and what comes of it. */
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { FailureCode } from '../../core/failure.js'
import type { FakeFault } from '../../testing/index.js'

type Answer = Parameters<NonNullable<FakeFault['raw']>>[1]

export interface FaultKind {
  name: string
  fault: FakeFault
  /** What a request ends in, where nothing is said of its route in particular. */
  gives: FailureCode | 'ok'
}

type Send = (socket: Duplex, answer: Answer) => void

const kind = (gives: FaultKind['gives'], name: string, fault: FakeFault): FaultKind => ({ gives, name, fault })
const hanging = (name: string, raw: Send): FaultKind => kind('TIMEOUT', name, { raw })
const broken = (name: string, raw: Send): FaultKind => kind('UPSTREAM_ERROR', name, { raw })
const reply = (name: string, status: number, body = '', headers: Record<string, string> = {}): FaultKind =>
  kind('UPSTREAM_ERROR', name, { reply: { status, body, headers } })

const isUpgrade = ({ head }: Answer): boolean => head.startsWith('HTTP/1.1 101')

/** The route's own headers with another length and body; an upgraded connection has no length. 204 and 304 could have no body. */
function send(socket: Duplex, answer: Answer, body: string | Buffer, length = Buffer.byteLength(body)): void {
  const head = answer.head
    .replace(/\r\ncontent-length: \d+/i, '')
    .replace(/^HTTP\/1.1 (?:204|304) .*/, 'HTTP/1.1 200 OK')
  socket.write(isUpgrade(answer) ? head : head.replace(/\r\n\r\n$/, `\r\ncontent-length: ${length}\r\n\r\n`))
  socket.write(body)
}

const half = (bytes: Buffer | string): Buffer => Buffer.from(bytes).subarray(0, Math.ceil(bytes.length / 2))

function drip(socket: Duplex, bytes: Buffer): void {
  let at = 0
  const timer = setInterval(() => {
    if (at < bytes.length && !socket.destroyed) socket.write(bytes.subarray(at, ++at))
    else clearInterval(timer)
  }, 50)
  socket.once('close', () => clearInterval(timer))
}

/** Writes the same piece again and again, as fast as the reader takes it. */
function pour(socket: Duplex, piece: Buffer, pieces = Number.POSITIVE_INFINITY): void {
  let left = pieces
  const more = () => {
    while (left > 0 && !socket.destroyed) {
      left--
      if (!socket.write(piece)) return void socket.once('drain', more)
    }
    socket.end()
  }
  more()
}

/** For any call: what is wrong shows before a body. */
export const ANY_CALL: FaultKind[] = [
  kind('TIMEOUT', 'hangs before the headers', { end: 'hang' }),
  hanging('does it and hangs', () => {}),
  hanging('hangs inside the headers', (socket, { head }) => socket.write(half(head))),
  hanging('drips', (socket, { head, body }) => drip(socket, Buffer.concat([Buffer.from(head), body]))),
  kind('UPSTREAM_ERROR', 'closes before an answer', { end: 'drop' }),
  kind('UPSTREAM_ERROR', 'does it and closes', { end: 'lose' }),
  broken('resets', (socket) => (socket as Socket).resetAndDestroy()),
  broken('does not speak HTTP', (socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n')),
  broken('takes over what was not offered', (socket) =>
    socket.write('HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n'),
  ),
  reply('answers 500 in HTML', 500, '<html>secret</html>'),
  reply('answers 409', 409, '{"message":"conflict"}'),
  reply('answers 301 to elsewhere', 301, '', { location: 'http://169.254.169.254/' }),
  reply('answers 304', 304),
]

/** For calls that are answered over plain HTTP: what is wrong is the body. */
export const BODIES: FaultKind[] = [
  hanging('hangs inside the body', (socket, answer) => send(socket, answer, half(answer.body), answer.body.length + 1)),
  hanging('announces more than it sends', (socket, answer) =>
    send(socket, answer, answer.body, answer.body.length + 10),
  ),
  broken('ends inside the body', (socket, answer) => {
    send(socket, answer, half(answer.body), answer.body.length + 1)
    socket.end()
  }),
  kind('ok', 'sends more than it announces', {
    raw: (socket, { head, body }) =>
      socket.write(Buffer.concat([Buffer.from(head), body, Buffer.from('HTTP/1.1 200')])),
  }),
  broken('answers 204', (socket) =>
    socket.write('HTTP/1.1 204 No Content\r\napi-version: 1.41\r\nconnection: close\r\n\r\n'),
  ),
]

const json = (name: string, body: string): FaultKind => broken(name, (socket, answer) => send(socket, answer, body))

/** For the same calls: a body that is complete, and not what it should be. */
export const CONTENTS: FaultKind[] = [
  json('answers 200 with nothing', ''),
  json('sends half its JSON', '{"Id":"'),
  json('sends HTML for JSON', '<html>'),
  json('sends null', 'null'),
  json('sends a list', '[[]]'),
  json('sends a string', '"x"'),
  json('sends a number', '7'),
  json('sends true', 'true'),
  json('sends lists 10 000 deep', '['.repeat(10_000) + ']'.repeat(10_000)),
  json('sends objects 10 000 deep', `${'{"Id":'.repeat(10_000)}0${'}'.repeat(10_000)}`),
]

const header = (stream: number, length: number): Buffer => {
  const bytes = Buffer.from([stream, 0, 0, 0, 0, 0, 0, 0])
  bytes.writeUInt32BE(length, 4)
  return bytes
}

const framed = (name: string, ...parts: Buffer[]): FaultKind =>
  broken(name, (socket, answer) => {
    send(socket, answer, Buffer.concat(parts))
    socket.end()
  })

const DONE = Buffer.from('done')

/** For calls that are answered with framed output. */
export const FRAMES: FaultKind[] = [
  framed('ends inside a frame', header(1, 10), DONE),
  framed('ends inside a frame’s header', header(1, 4), DONE, Buffer.from([1, 0, 0])),
  framed('frames 0xFFFFFFFF bytes', header(1, 0xffff_ffff), DONE),
  framed('frames an unknown stream', header(7, 4), DONE),
  framed('sends no frames', Buffer.from('<html>not framed</html>')),
  hanging('hangs inside a frame', (socket, answer) => send(socket, answer, Buffer.concat([header(1, 10), DONE]), 1000)),
]

/** For attach alone: the connection is handed over, and then. */
export const STREAMS: FaultKind[] = [
  hanging('never sends and never closes', (socket, { head }) => socket.write(head)),
  broken('closes at once', (socket, { head }) => socket.end(head)),
  broken('answers 200 and streams', (socket) => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n')
    pour(socket, Buffer.alloc(65_536, 'x'))
  }),
]

const lie = (gives: FailureCode, name: string, ...changes: [path: string, value: unknown][]): FaultKind =>
  kind(gives, name, {
    alter(json) {
      for (const [path, value] of changes) {
        const keys = path.split('.')
        const last = keys.pop() as string
        const parent = keys.reduce((at, key) => at[key] as Record<string, unknown>, json)
        parent[last] = value
      }
    },
  })

const mismatch = (name: string, path: string, value: unknown): FaultKind => lie('POSTURE_MISMATCH', name, [path, value])
const OTHER = `sha256:${'0'.repeat(64)}`
const MOUNT = { Type: 'bind', Source: '/', Destination: '/host', RW: true }

/** Answers that are well formed and not true, by the call that tells them. */
export const LIES = {
  image: [
    lie('IMAGE_NOT_FOUND', 'has another digest', ['RepoDigests', [`busybox@${OTHER}`]]),
    lie('PLATFORM_MISMATCH', 'is for another processor', ['Architecture', 'riscv64']),
    lie('UPSTREAM_ERROR', 'has no id', ['Id', 'busybox']),
  ],
  create: [
    mismatch('warns of a limit that it dropped', 'Warnings', ['Your kernel does not support swap limit capabilities']),
    lie('UPSTREAM_ERROR', 'gives a short id', ['Id', 'abc123']),
  ],
  made: [
    mismatch('made another container', 'Id', 'f'.repeat(64)),
    mismatch('took another image', 'Image', OTHER),
    mismatch('mounts more than was asked', 'Mounts', [MOUNT]),
    mismatch('binds more than was asked', 'HostConfig.Binds', ['/:/host']),
    mismatch('is privileged', 'HostConfig.Privileged', true),
    mismatch('keeps capabilities', 'HostConfig.CapDrop', []),
    mismatch('adds a capability', 'HostConfig.CapAdd', ['SYS_ADMIN']),
    mismatch('has a writable root', 'HostConfig.ReadonlyRootfs', false),
    mismatch('has no memory limit', 'HostConfig.Memory', 0),
    mismatch('has no pids limit', 'HostConfig.PidsLimit', null),
    mismatch('is unconfined', 'HostConfig.SecurityOpt', ['seccomp=unconfined']),
    mismatch('shares the host’s network', 'HostConfig.NetworkMode', 'host'),
    mismatch('shares the host’s processes', 'HostConfig.PidMode', 'host'),
    mismatch('is of the user root', 'Config.User', '0:0'),
  ],
  ended: [
    lie('UPSTREAM_ERROR', 'tells of another container', ['Id', 'f'.repeat(64)]),
    lie('UPSTREAM_ERROR', 'says that it still runs', ['State.Running', true]),
    lie('UPSTREAM_ERROR', 'has no exit code', ['State.ExitCode', null]),
    lie('UPSTREAM_ERROR', 'never ended', ['State.FinishedAt', '0001-01-01T00:00:00Z']),
  ],
  waited: [lie('UPSTREAM_ERROR', 'has no status', ['StatusCode', '0'])],
} satisfies Record<string, FaultKind[]>

/** For any call, one at a time: each would fill the memory of a reader that does not count. */
export const WITHOUT_END: FaultKind[] = [
  broken('sends headers without end', (socket) => {
    socket.write('HTTP/1.1 200 OK\r\n')
    pour(socket, Buffer.from(`X-Header: ${'x'.repeat(1000)}\r\n`.repeat(64)))
  }),
  broken('sends a body without end', (socket, answer) => {
    send(socket, answer, '["', 1e15)
    pour(socket, Buffer.alloc(65_536, 'x'))
  }),
  broken('sends values without end', (socket, answer) => {
    const values = Buffer.from(`[${'{},'.repeat(2_700_000)}0]`)
    send(socket, answer, values)
  }),
  broken('refuses without end', (socket) => {
    socket.write('HTTP/1.1 500 Error\r\ncontent-length: 1000000000000\r\n\r\n')
    pour(socket, Buffer.alloc(65_536, 'x'))
  }),
  broken('sends preliminary answers without end', (socket) =>
    pour(socket, Buffer.from('HTTP/1.1 102 Wait\r\n\r\n'.repeat(999))),
  ),
]

/** 1 GiB in one line and one frame, from one buffer of 64 KiB. */
export const ONE_LINE: FaultKind = broken('sends one line of 1 GiB', (socket, answer) => {
  send(socket, answer, header(1, 1024 ** 3), 8 + 1024 ** 3)
  pour(socket, Buffer.alloc(65_536, 'x'), 1024 * 16)
})
