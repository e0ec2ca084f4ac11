/** Where the engine is and how it is reached: DOCKER_HOST and the TLS variables, or a context, parsed strictly. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, Failure } from '../core/failure.js'
import { findContext } from './context.js'
import { type Connector, createSshConnector, parseSshTarget } from './ssh.js'

type Env = Record<string, string | undefined>

/** Client certificates in PEM. `ca` checks the engine, `cert` and `key` prove us to it. */
export interface EngineTls {
  ca?: string | Buffer
  cert?: string | Buffer
  key?: string | Buffer
}

export interface EndpointOptions {
  /**
   * `unix:///path`, `tcp://host:port`, `http://host:port`, `https://host:port` or `ssh://[user@]host[:port]`. Absent:
   * DOCKER_HOST, then the context that DOCKER_CONTEXT or the docker command's configuration names, then the default socket.
   */
  host?: string | undefined
  /** Absent: DOCKER_CERT_PATH, when DOCKER_TLS_VERIFY is set. */
  tls?: EngineTls | undefined
  /** Where DOCKER_HOST, DOCKER_TLS_VERIFY, DOCKER_CERT_PATH, DOCKER_CONTEXT, DOCKER_CONFIG and HOME are read from. */
  env?: Env | undefined
}

/** An engine's address in the three forms that are needed: for people, for HTTP and for the connector. */
export interface Endpoint {
  address: string
  origin: string
  connect: { socketPath?: string } & EngineTls
  /** Makes the connections in place of sockets. */
  connector?: Connector
  /** Where the address came from: `host`, `DOCKER_HOST`, a context by name, or `default`. */
  source: string
}

const DEFAULT_HOST = 'unix:///var/run/docker.sock'
/** The kernel's limit for the address of a Unix socket, less the closing zero. */
const MAX_SOCKET_PATH = 107
const FORMS = 'Send unix:///path/to/docker.sock, tcp://host:port https://host:port or ssh://user@host.'

/** Resolves the options and the environment to one endpoint, or throws INVALID_INPUT saying what to set instead. */
export function parseEndpoint({ host, tls, env = {} }: EndpointOptions = {}): Endpoint {
  if (host !== undefined) return { ...parseHost(host, tls, env), source: 'host' }
  if (env.DOCKER_HOST) return { ...parseHost(env.DOCKER_HOST, tls, env), source: 'DOCKER_HOST' }
  const context = findContext(env)
  if (context === undefined) return { ...parseHost(DEFAULT_HOST, tls, env), source: 'default' }
  // The TLS variables belong to DOCKER_HOST; a context has its own.
  const found = parseHost(context.host, tls ?? context.tls, {})
  return { ...found, source: `context ${JSON.stringify(context.name)} (${context.chosenBy})` }
}

function parseHost(value: string, tls: EngineTls | undefined, env: Env): Omit<Endpoint, 'source'> {
  const [, scheme, rest = ''] = /^([a-z]+):\/\/(.*)$/s.exec(value) ?? []
  switch (scheme) {
    case 'unix':
      return unixEndpoint(value, rest)
    case 'tcp':
      return webEndpoint(value, rest, tls ?? tlsFromEnv(env))
    case 'http':
      if (tls !== undefined) throw refused(value, 'http:// carries no TLS, and tls was given. Send https://host:port.')
      return webEndpoint(value, rest, undefined)
    case 'https':
      return webEndpoint(value, rest, tls ?? tlsFromEnv(env) ?? {})
    case 'ssh':
      return sshEndpoint(value, rest)
    case 'npipe':
      throw refused(value, `Windows named pipes are not supported. Expose the engine over TCP with TLS. ${FORMS}`)
    default:
      throw refused(value, FORMS)
  }
}

function sshEndpoint(value: string, rest: string): Omit<Endpoint, 'source'> {
  const target = parseSshTarget(value, rest)
  if (target !== undefined) {
    return { address: value, origin: 'http://docker', connect: {}, connector: createSshConnector(target) }
  }
  throw refused(value, `It is ssh://[user@]host[:port], without a password or a path. ${FORMS}`)
}

function unixEndpoint(value: string, socketPath: string): Omit<Endpoint, 'source'> {
  if (!socketPath.startsWith('/') || /[\0\s?#]/.test(socketPath)) {
    throw refused(value, 'The path of a Unix socket must be absolute, as in unix:///var/run/docker.sock.')
  }
  if (Buffer.byteLength(socketPath) > MAX_SOCKET_PATH) {
    throw refused(
      value,
      `The path of a Unix socket may have ${MAX_SOCKET_PATH} bytes at most. Move it, or link to it from a shorter path: unix:///run/engine.sock.`,
    )
  }
  return { address: value, origin: 'http://docker', connect: { socketPath } }
}

function webEndpoint(value: string, rest: string, tls: EngineTls | undefined): Omit<Endpoint, 'source'> {
  const scheme = tls ? 'https' : 'http'
  const defaultPort = value.startsWith('tcp:') ? (tls ? ':2376' : ':2375') : ''
  const authority = rest.replace(/\/$/, '')
  if (!/^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?$/.test(authority)) throw refused(value, FORMS)
  const origin = /:[0-9]+$/.test(authority) ? `${scheme}://${authority}` : `${scheme}://${authority}${defaultPort}`
  if (!URL.canParse(origin)) throw refused(value, `${FORMS} A port is a number from 1 to 65535.`)
  return { address: value, origin: new URL(origin).origin, connect: tls ?? {} }
}

function tlsFromEnv(env: Env): EngineTls | undefined {
  const directory = env.DOCKER_CERT_PATH
  if (!env.DOCKER_TLS_VERIFY) {
    if (!directory) return undefined
    throw new Failure(
      'INVALID_INPUT',
      'DOCKER_CERT_PATH is set and DOCKER_TLS_VERIFY is not, which would trust any engine. Set DOCKER_TLS_VERIFY=1, or unset both.',
      { details: { field: 'DOCKER_TLS_VERIFY' } },
    )
  }
  const path = directory || (env.HOME && join(env.HOME, '.docker'))
  if (!path) {
    throw new Failure(
      'INVALID_INPUT',
      'DOCKER_TLS_VERIFY is set and DOCKER_CERT_PATH is not. Set it to the directory of ca.pem, cert.pem and key.pem.',
      { details: { field: 'DOCKER_CERT_PATH' } },
    )
  }
  return { ca: readPem(path, 'ca.pem'), cert: readPem(path, 'cert.pem'), key: readPem(path, 'key.pem') }
}

function readPem(directory: string, name: string): Buffer {
  try {
    return readFileSync(join(directory, name))
  } catch (cause) {
    throw new Failure(
      'INVALID_INPUT',
      `${join(directory, name)} cannot be read. DOCKER_CERT_PATH must hold ca.pem, cert.pem and key.pem.`,
      { details: { field: 'DOCKER_CERT_PATH' }, cause },
    )
  }
}

function refused(value: string, advice: string): Failure {
  return new Failure('INVALID_INPUT', `Docker host ${describe(value)} is not usable. ${advice}`, {
    details: { field: 'host' },
  })
}
