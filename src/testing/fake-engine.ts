/** A fake Docker Engine: a real HTTP server on a Unix socket that speaks Docker's wire format. */
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex, Writable } from 'node:stream'
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'
import type { FakeContainer } from './fake-container.js'
import type { FakeProgram } from './fake-program.js'
import {
  ATTACH_ROUTE,
  FAKE_ROUTES,
  type FakeReply,
  type FakeRequest,
  type FakeWorld,
  findContainer,
  matchRoute,
  noSuchContainer,
  refusal,
} from './fake-routes.js'
import { type FakeImage, type FakeNetwork, frame } from './fake-wire.js'
import { providerPrograms } from './provider-programs.js'

export interface FakeEngineOptions {
  /** Default: one image named `busybox`, with its digest, a tag and an id. */
  images?: FakeImage[]
  /** What a pull finds; nothing by default. */
  registry?: FakeImage[]
  /** Default: `suite-open`, which leads outside, and `suite-internal`, which does not. */
  networks?: FakeNetwork[]
  /** Programs by their exact argv; the programs of the provider suite are there already. Another argv exits with 127. */
  programs?: { argv: string[]; program: FakeProgram }[]
  engine?: 'docker' | 'podman'
  version?: string
  apiVersion?: string
  minApiVersion?: string
  /** Cuts bodies and attached streams into pieces of this many bytes, also inside frame headers. Default: uncut. */
  chunkBytes?: number
  /** What every create answers as `Warnings`. */
  createWarnings?: string[]
  /** Listens on a port of the loopback instead of a Unix socket. */
  tcp?: boolean
  now?: () => Date
}

/** What a route does instead of its own answer. */
export interface FakeFault {
  /** Milliseconds before the request is looked at. */
  delayMs?: number
  /** `hang`: no answer. `drop`: the connection is cut. `lose`: done as asked, then the connection is cut. */
  end?: 'hang' | 'drop' | 'lose'
  /** Answered instead; with neither `end` nor `reply`, the route's own answer follows the delay. */
  reply?: { status: number; headers?: Record<string, string>; body?: string }
  /** Changes the JSON of the route's own answer in place: an engine that lies. */
  alter?: (json: Record<string, unknown>) => void
  /** Done as asked (an attach is left unattached), then the connection is this function's, with the answer to send or not. */
  raw?: (socket: Duplex, answer: { head: string; body: Buffer }) => void
}

export interface FakeEngine extends AsyncDisposable {
  /** `unix:///…` or `tcp://…`, for createDockerProvider. */
  host: string
  /** The first image's pinned reference. */
  image: string
  /** Every request so far, oldest first. */
  requests: FakeRequest[]
  /** Resolves when no client is connected any more. */
  disconnected(): Promise<void>
  /** Clients that are connected now. */
  connections(): number
  /** By full id. */
  containers: ReadonlyMap<string, FakeContainer>
  /** Makes a route fail, such as `GET /containers/{id}/json`; a function may let single requests pass. Returns the undo. */
  fault(route: string, fault: FakeFault | ((request: FakeRequest) => FakeFault | undefined)): () => void
  /** Closes every connection and removes the socket. */
  close(): Promise<void>
}

const DEFAULT_IMAGE: FakeImage = {
  reference: `busybox@sha256:${'b5'.repeat(32)}`,
  tags: ['busybox:latest'],
  created: new Date('2026-01-01T00:00:00Z'),
  config: { Cmd: ['/bin/sh'], Env: ['PATH=/bin'] },
}

/**
 * Starts a fake engine in a temporary directory. It keeps containers in a state machine and runs their programs as
 * functions, so tests need neither an engine nor sleeps.
 *
 * @example
 * ```ts
 * import { createDockerProvider } from 'skillgate/docker'
 * import { createFakeEngine } from 'skillgate/testing'
 *
 * const fake = await createFakeEngine({ chunkBytes: 3 })
 * const provider = createDockerProvider({ host: fake.host })
 * fake.fault('GET /containers/json', { reply: { status: 500, body: '<html>' } })
 * await provider.request('GET', '/containers').catch((error) => console.log(error.message))
 * console.log(fake.requests.map((request) => request.path))
 * await provider.close()
 * await fake.close()
 * ```
 */
export async function createFakeEngine({
  images = [DEFAULT_IMAGE],
  registry = [],
  networks = [{ name: 'suite-open' }, { name: 'suite-internal', internal: true }],
  programs = [],
  engine = 'docker',
  version = engine === 'podman' ? '4.3.1' : '20.10.24',
  apiVersion = '1.41',
  minApiVersion = '1.12',
  chunkBytes = Number.POSITIVE_INFINITY,
  createWarnings = [],
  tcp = false,
  now = () => new Date(),
}: FakeEngineOptions = {}): Promise<FakeEngine> {
  const directory = await mkdtemp(join(tmpdir(), 'fake-engine-'))
  const socketPath = join(directory, 'engine.sock')
  const suite = Object.values(providerPrograms).map(({ cmd, fake }) => ({ argv: cmd, program: fake }))
  const table = new Map([...suite, ...programs].map(({ argv, program }) => [JSON.stringify(argv), program]))
  const world: FakeWorld = {
    version,
    apiVersion,
    minApiVersion,
    engine,
    images: [...images],
    registry,
    networks,
    containers: new Map(),
    createWarnings,
    starts: [],
    programFor: (argv) => table.get(JSON.stringify(argv)) ?? unknownProgram,
    now,
  }
  const requests: FakeRequest[] = []
  const faults = new Map<string, (request: FakeRequest) => FakeFault | undefined>()
  const taken = new Set<Duplex>()

  /** Records the request; undefined when its fault has already ended it. */
  async function admit(
    message: IncomingMessage,
  ): Promise<{ request: FakeRequest; fault: FakeFault | undefined; refused: FakeReply | undefined }> {
    const request = await readRequest(message)
    requests.push(request)
    const fault = request.route === undefined ? undefined : faults.get(request.route)?.(request)
    if (fault?.delayMs) await delay(fault.delayMs)
    return { request, fault, refused: refuseVersion(world, request) }
  }

  async function onRequest(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const { request, fault, refused } = await admit(message)
    if (fault?.end === 'hang') return
    if (fault?.end === 'drop') return void message.socket.destroy()
    if (fault?.reply) {
      const { status, headers = {}, body = '' } = fault.reply
      response.writeHead(status, headers).end(body)
      return
    }
    const route = FAKE_ROUTES[request.route ?? '']
    const reply = refused ?? (await route?.(world, request)) ?? refusal(404, 'page not found')
    if (fault?.end === 'lose') return void message.socket.destroy()
    if (fault?.alter) {
      reply.json = structuredClone(reply.json)
      fault.alter(reply.json as Record<string, unknown>)
    }
    const bytes = reply.json === undefined ? reply.bytes : Buffer.from(`${JSON.stringify(reply.json)}\n`)
    const type = reply.json === undefined ? 'application/octet-stream' : 'application/json'
    const headers = { 'content-type': type, ...reply.headers }
    if (fault?.raw) {
      const head = headOf(reply.status, headers, bytes)
      fault.raw(message.socket, { head, body: bytes ?? Buffer.alloc(0) })
      return
    }
    response.writeHead(reply.status, headers)
    if (bytes) await writeCut(response, bytes, chunkBytes)
    response.end()
  }

  async function onUpgrade(message: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    taken.add(socket)
    socket.once('close', () => taken.delete(socket))
    socket.on('error', () => {})
    if (!message.url?.includes('stdin=1')) socket.once('end', () => socket.end()).resume()
    const { request, fault, refused } = await admit(message)
    if (fault?.end === 'hang') return
    if (fault?.end === 'drop' || fault?.end === 'lose') return void socket.destroy()
    const container = request.route === ATTACH_ROUTE ? findContainer(world, request.name) : undefined
    const reply = fault?.reply ?? asPlain(refused ?? (container ? undefined : noSuchContainer(request.name)))
    if (reply || !container) {
      const { status, headers = {}, body = '' } = reply ?? { status: 404 }
      const lines = Object.entries({ ...headers, 'content-length': Buffer.byteLength(body), connection: 'close' })
      socket.end(`HTTP/1.1 ${status} Refused\r\n${lines.map(([k, v]) => `${k}: ${v}\r\n`).join('')}\r\n${body}`)
      return
    }
    if (fault?.raw) return void fault.raw(socket, { head: UPGRADED, body: Buffer.alloc(0) })
    attach(container, request, socket, head)
  }

  function attach(container: FakeContainer, { query }: FakeRequest, socket: Duplex, head: Buffer): void {
    socket.write(UPGRADED)
    let writing = Promise.resolve()
    const leave = container.attach({
      onOutput({ stream, bytes }) {
        if (query.get(stream) !== '1') return
        const framed = container.config.Tty ? bytes : frame(stream, bytes)
        writing = writing.then(() => writeCut(socket, framed, chunkBytes))
      },
      onEnd: () => void writing.then(() => socket.end()),
    })
    socket.once('close', leave)
    if (query.get('stdin') !== '1') return void socket.resume()
    if (head.length > 0) container.writeStdin(head)
    socket.on('data', (bytes: Buffer) => container.writeStdin(bytes))
    socket.once('end', () => container.closeStdin())
  }

  const connected = new Set<Socket>()
  let onEmpty = () => {}
  const server = createServer((message, response) => {
    onRequest(message, response).catch(() => message.socket.destroy())
  })
  server.on('connection', (socket: Socket) => {
    connected.add(socket)
    socket.once('close', () => {
      connected.delete(socket)
      if (connected.size === 0) onEmpty()
    })
  })
  server.on('upgrade', (message: IncomingMessage, socket: Duplex, head: Buffer) => {
    onUpgrade(message, socket, head).catch(() => socket.destroy())
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    if (tcp) server.listen(0, '127.0.0.1', resolve)
    else server.listen(socketPath, resolve)
  })

  async function close(): Promise<void> {
    for (const container of world.containers.values()) await container.kill()
    for (const socket of taken) socket.destroy()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    await rm(directory, { recursive: true, force: true })
  }

  return {
    host: tcp ? `tcp://127.0.0.1:${(server.address() as AddressInfo).port}` : `unix://${socketPath}`,
    image: images[0]?.reference ?? '',
    requests,
    connections: () => connected.size,
    async disconnected() {
      if (connected.size === 0) return
      await new Promise<void>((resolve) => {
        onEmpty = resolve
      })
    },
    containers: world.containers,
    fault(route, fault) {
      if (route !== ATTACH_ROUTE && !Object.hasOwn(FAKE_ROUTES, route))
        throw new Error(`the fake has no route ${route}`)
      const decide = typeof fault === 'function' ? fault : () => fault
      faults.set(route, decide)
      return () => {
        if (faults.get(route) === decide) faults.delete(route)
      }
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

const UPGRADED =
  'HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n'

function headOf(status: number, headers: Record<string, string>, body: Buffer | undefined): string {
  const all = body === undefined ? headers : { ...headers, 'content-length': String(body.length) }
  // What follows on this connection would wait for an answer that the server does not know to be given.
  const lines = Object.entries({ ...all, connection: 'close' }).map(([name, value]) => `${name}: ${value}\r\n`)
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n`
}

function unknownProgram({ argv, write }: Parameters<FakeProgram>[0]): number {
  write('stderr', `the fake engine has no program for ${JSON.stringify(argv)}\n`)
  return 127
}

async function readRequest(message: IncomingMessage): Promise<FakeRequest> {
  const path = message.url ?? '/'
  const url = new URL(`http://fake${path}`)
  const { route, name } = matchRoute(message.method ?? '', url.pathname.replace(/^\/v[0-9.]+(?=\/)/, '')) ?? {
    route: undefined,
    name: '',
  }
  let text = ''
  // An upgraded connection's bytes belong to the stream that follows.
  if (message.headers.upgrade === undefined) for await (const chunk of message) text += chunk
  return {
    method: message.method ?? '',
    path,
    route,
    name,
    query: url.searchParams,
    headers: message.headers,
    body: text === '' ? undefined : JSON.parse(text),
  }
}

function refuseVersion({ apiVersion, minApiVersion }: FakeWorld, { path }: FakeRequest): FakeReply | undefined {
  const asked = /^\/v1\.([0-9]+)\//.exec(path)?.[1]
  const minor = (version: string) => Number(version.split('.')[1])
  if (asked === undefined) return undefined
  if (Number(asked) > minor(apiVersion)) return refusal(400, `client version 1.${asked} is too new`)
  if (Number(asked) < minor(minApiVersion)) return refusal(400, `client version 1.${asked} is too old`)
  return undefined
}

function asPlain(reply: FakeReply | undefined): FakeFault['reply'] {
  return reply && { status: reply.status, body: JSON.stringify(reply.json) }
}

/** Each piece in a write of its own, with a turn of the event loop between, so that the reader sees them apart. */
async function writeCut(out: Writable, bytes: Buffer, chunkBytes: number): Promise<void> {
  if (bytes.length <= chunkBytes) return void out.write(bytes)
  for (let at = 0; at < bytes.length && !out.destroyed; at += chunkBytes) {
    out.write(bytes.subarray(at, at + chunkBytes))
    await nextTurn()
  }
}
