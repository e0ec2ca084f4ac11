/** The fake's routes: what each does to its containers, and what it answers. */
import { parsePinnedImage } from '../core/image.js'
import { createFakeContainer, type FakeContainer, type FakeContainerConfig } from './fake-container.js'
import type { FakeProgram } from './fake-program.js'
import {
  containerInspect,
  containerStats,
  containerSummary,
  type FakeImage,
  type FakeNetwork,
  imageId,
  imageInspect,
  imageSummary,
  logBody,
  networkInspect,
} from './fake-wire.js'

export interface FakeReply {
  status: number
  json?: unknown
  /** Sent as it is, in the chunks that the fake was asked to cut. */
  bytes?: Buffer
  headers?: Record<string, string>
}

/** A request as the fake received it. */
export interface FakeRequest {
  method: string
  /** As it came, with version and query. */
  path: string
  /** The route it matched, as in {@link FakeEngine.fault}; undefined when none did. */
  route: string | undefined
  /** The path's variable part: a container's or an image's name. */
  name: string
  query: URLSearchParams
  headers: Record<string, string | string[] | undefined>
  body: unknown
}

export interface FakeWorld {
  version: string
  apiVersion: string
  minApiVersion: string
  engine: 'docker' | 'podman'
  images: FakeImage[]
  /** What a pull finds. */
  registry: FakeImage[]
  networks: FakeNetwork[]
  containers: Map<string, FakeContainer>
  createWarnings: string[]
  /** Starts that it remembers, also of containers that are gone. */
  starts: { container: FakeContainer; at: Date }[]
  programFor(argv: string[]): FakeProgram
  now: () => Date
}

type Route = (world: FakeWorld, request: FakeRequest) => FakeReply | Promise<FakeReply>

const NO_CONTENT: FakeReply = { status: 204 }

export const FAKE_ROUTES: Record<string, Route> = {
  'GET /_ping': ({ apiVersion }) => ({
    status: 200,
    bytes: Buffer.from('OK'),
    headers: { 'api-version': apiVersion, ostype: 'linux', 'content-type': 'text/plain; charset=utf-8' },
  }),
  'GET /version': ({ version, apiVersion, minApiVersion, engine }) => ({
    status: 200,
    json: {
      Components: [{ Name: engine === 'podman' ? 'Podman Engine' : 'Engine', Version: version }],
      Version: version,
      ApiVersion: apiVersion,
      MinAPIVersion: minApiVersion,
      Os: 'linux',
      Arch: 'amd64',
    },
  }),
  'GET /info': ({ version }) => ({
    status: 200,
    json: {
      ServerVersion: version,
      OSType: 'linux',
      Architecture: 'x86_64',
      ID: 'FAKE:ENGINE',
      KernelVersion: '6.1.0-fake',
      CgroupVersion: '2',
      MemoryLimit: true,
      SwapLimit: true,
      PidsLimit: true,
      CpuCfsQuota: true,
      SecurityOptions: ['name=seccomp,profile=default'],
    },
  }),
  'GET /containers/json': ({ containers }, { query }) => {
    const limit = Number(query.get('limit') ?? 0)
    const all = /^(1|true)$/i.test(query.get('all') ?? '') || limit > 0
    const newestFirst = [...containers.values()].reverse()
    const { label: labels = [] } = JSON.parse(query.get('filters') ?? '{}') as { label?: string[] }
    const listed = newestFirst.filter(
      ({ state, config }) => (all || state === 'running') && labels.every((label) => isLabelled(config, label)),
    )
    return { status: 200, json: (limit > 0 ? listed.slice(0, limit) : listed).map(containerSummary) }
  },
  'GET /containers/{id}/json': (world, request) =>
    withContainer((container) => ({ status: 200, json: containerInspect(container, world.networks) }))(world, request),
  'POST /containers/create': createContainer,
  'POST /containers/{id}/start': (world, request) =>
    withContainer((container) => {
      if (!container.start()) return { status: 304 }
      world.starts.push({ container, at: world.now() })
      return NO_CONTENT
    })(world, request),
  'GET /events': ({ starts }, { query }) => {
    const { container: wanted = [] } = JSON.parse(query.get('filters') ?? '{}') as { container?: string[] }
    const until = Number(query.get('until')) * 1000
    const told = starts.filter(({ container: { id, name }, at }) => {
      return at.getTime() <= until && (wanted.includes(id) || wanted.includes(name))
    })
    const lines = told.map(({ container: { id, name } }) => ({
      Action: 'start',
      Actor: { ID: id, Attributes: { name } },
    }))
    return { status: 200, bytes: Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join('')) }
  },
  'POST /containers/{id}/stop': withContainer(async (container, { query }) =>
    (await container.stop(Number(query.get('t') ?? 10))) ? NO_CONTENT : { status: 304 },
  ),
  'POST /containers/{id}/kill': withContainer(async (container) =>
    (await container.kill()) ? NO_CONTENT : refusal(409, `Container ${container.id} is not running`),
  ),
  'POST /containers/{id}/wait': withContainer(async (container, { query }) => {
    const next = query.get('condition') === 'next-exit'
    return { status: 200, json: { StatusCode: await container.wait(next), Error: null } }
  }),
  'DELETE /containers/{id}': async (world, request) => {
    const container = findContainer(world, request.name)
    if (!container) return noSuchContainer(request.name)
    const force = /^(1|true)$/i.test(request.query.get('force') ?? '')
    if (container.state === 'running' && !force) return refusal(409, 'You cannot remove a running container')
    await container.kill()
    world.containers.delete(container.id)
    return NO_CONTENT
  },
  'GET /containers/{id}/logs': withContainer(async (container, { query }) => {
    const log = container.config.HostConfig?.LogConfig as { Type?: string } | undefined
    if (log?.Type === 'none') return refusal(500, "using the 'none' log driver, cannot read logs")
    if (/^(1|true)$/i.test(query.get('follow') ?? '')) await container.wait(false)
    const streams = new Set(['stdout', 'stderr'].filter((stream) => /^(1|true)$/i.test(query.get(stream) ?? '')))
    if (streams.size === 0) return refusal(400, 'Bad parameters: you must choose at least one stream')
    const timestamps = /^(1|true)$/i.test(query.get('timestamps') ?? '')
    return { status: 200, bytes: logBody(container, { tail: Number(query.get('tail') ?? 'all'), timestamps, streams }) }
  }),
  'GET /containers/{id}/stats': (world, request) =>
    withContainer((container) => ({ status: 200, json: containerStats(container, world.now()) }))(world, request),
  'GET /images/json': ({ images }) => ({ status: 200, json: images.map(imageSummary) }),
  'GET /images/{name}/json': ({ images }, { name }) => {
    const image = images.find((each) => [imageId(each), each.reference, ...(each.tags ?? [])].includes(name))
    return image ? { status: 200, json: imageInspect(image) } : refusal(404, `No such image: ${name}`)
  },
  'POST /images/create': pullImage,
  'GET /networks/{name}': ({ networks }, { name }) => {
    const matches = (network: FakeNetwork) => network.name === name || networkInspect(network).Id.startsWith(name)
    const network = networks.find(matches)
    return network ? { status: 200, json: networkInspect(network) } : refusal(404, `network ${name} not found`)
  },
}

/** `name` or `name=value`, as a filter has it. */
function isLabelled({ Labels = {} }: FakeContainerConfig, filter: string): boolean {
  const [name = '', value] = filter.split(/=(.*)/s)
  return Object.hasOwn(Labels, name) && (value === undefined || Labels[name] === value)
}

export function refusal(status: number, message: string): FakeReply {
  return { status, json: { message } }
}

/** As the engine resolves it: the full id, the exact name, or the only id that begins so. */
export function findContainer({ containers }: FakeWorld, name: string): FakeContainer | undefined {
  const named = containers.get(name) ?? [...containers.values()].find((container) => container.name === name)
  if (named) return named
  const matches = [...containers.values()].filter(({ id }) => id.startsWith(name))
  return matches.length === 1 ? matches[0] : undefined
}

export function noSuchContainer(name: string): FakeReply {
  return refusal(404, `No such container: ${name}`)
}

/** The route and the variable part of a path without its version; undefined when nothing matches. */
export function matchRoute(method: string, pathname: string): { route: string; name: string } | undefined {
  for (const route of [...Object.keys(FAKE_ROUTES), ATTACH_ROUTE]) {
    const [routeMethod, template = ''] = route.split(' ')
    const pattern = new RegExp(`^${template.replace('{id}', '([^/]+)').replace('{name}', '(.+)')}$`)
    const match = routeMethod === method ? pattern.exec(pathname) : null
    if (match) return { route, name: decodeURIComponent(match[1] ?? '') }
  }
  return undefined
}

export const ATTACH_ROUTE = 'POST /containers/{id}/attach'

function withContainer(
  answer: (container: FakeContainer, request: FakeRequest) => FakeReply | Promise<FakeReply>,
): Route {
  return (world, request) => {
    const container = findContainer(world, request.name)
    return container ? answer(container, request) : noSuchContainer(request.name)
  }
}

/** A pull by digest, told in lines of JSON as it goes. */
function pullImage({ registry, images }: FakeWorld, { query }: FakeRequest): FakeReply {
  const { reference } = parsePinnedImage(`${query.get('fromImage')}@${query.get('tag')}`)
  const image = registry.find((each) => parsePinnedImage(each.reference).reference === reference)
  if (!image) return refusal(404, `manifest for ${reference} not found: manifest unknown: manifest unknown`)
  if (!images.includes(image)) images.push(image)
  const total = image.size ?? 1_000_000
  const layer = (status: string, progressDetail: object = {}) => ({ status, progressDetail, id: '4d0438606c1e' })
  const lines = [
    { status: `Pulling from ${query.get('fromImage')}`, id: query.get('tag') },
    layer('Pulling fs layer'),
    layer('Downloading', { current: Math.floor(total / 2), total }),
    layer('Downloading', { current: total, total }),
    layer('Download complete'),
    layer('Extracting', { current: total, total }),
    layer('Pull complete'),
    { status: `Digest: ${query.get('tag')}` },
  ]
  return {
    status: 200,
    bytes: Buffer.from(lines.map((line) => `${JSON.stringify(line)}\r\n`).join('')),
    headers: { 'content-type': 'application/json' },
  }
}

function createContainer(world: FakeWorld, { body, query }: FakeRequest): FakeReply {
  const config = (body ?? {}) as FakeContainerConfig
  const wanted = config.Image ?? ''
  const image = world.images.find((each) => [imageId(each), each.reference, ...(each.tags ?? [])].includes(wanted))
  if (!image) return refusal(404, `No such image: ${wanted}`)
  const name = query.get('name') ?? undefined
  const isTaken = [...world.containers.values()].some((container) => container.name === name)
  if (name !== undefined && isTaken) return refusal(409, `The container name "/${name}" is in use`)
  const entrypoint = config.Entrypoint ?? image.config?.Entrypoint ?? []
  const inherited = config.Entrypoint ? [] : (image.config?.Cmd ?? [])
  const argv = [...entrypoint, ...(config.Cmd?.length ? config.Cmd : inherited)]
  const container = createFakeContainer({
    name,
    imageId: imageId(image),
    argv,
    env: mergeEnv(image.config?.Env ?? [], config.Env ?? []),
    config,
    program: world.programFor(argv),
    now: world.now,
  })
  world.containers.set(container.id, container)
  return { status: 201, json: { Id: container.id, Warnings: world.createWarnings } }
}

/** An entry without `=` unsets the image's variable. */
function mergeEnv(...lists: string[][]): Record<string, string> {
  const env: Record<string, string> = {}
  for (const entry of lists.flat()) {
    const at = entry.indexOf('=')
    if (at === -1) delete env[entry]
    else env[entry.slice(0, at)] = entry.slice(at + 1)
  }
  return env
}
