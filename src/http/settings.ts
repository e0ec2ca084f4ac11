/** The environment of `skillgate serve`, parsed strictly: nonsense refuses to start, with the reason. */
import { readFileSync } from 'node:fs'
import { isIPv6 } from 'node:net'
import { describe, Failure, isFailure } from '../core/failure.js'
import { parsePublicKeys } from '../core/signature.js'
import { MIN_KEY_BYTES } from '../core/signing-key.js'
import { isLoopback } from './guard.js'

export interface KeySettings {
  /** Authenticates the labels of run containers; undefined makes one that ends with the process. */
  signingKey: string | undefined
  /** As `createGate` takes them. */
  publicKeys: Record<string, string>
  /** What the skills reach the engine through, in place of one of their own. */
  gateway: { url: string; credential: string } | undefined
}

export interface ServeSettings extends KeySettings {
  adminToken: string
  host: string
  port: number
  allowedHosts: string[]
  corsOrigins: string[]
}

const DEFAULT_HOST = '127.0.0.1'
const DEFAULT_PORT = '8090'
const MIN_TOKEN = 16

/** Reads the variables; an empty one counts as not set. Throws INVALID_INPUT that names the variable. */
export function parseSettings(env: Readonly<Record<string, string | undefined>>): ServeSettings {
  const { host, port } = parseListen(env)
  return {
    adminToken: parseToken(env.ADMIN_TOKEN ?? '', host),
    host,
    port,
    allowedHosts: parseList('ALLOWED_HOSTS', env.ALLOWED_HOSTS),
    corsOrigins: parseList('CORS_ORIGINS', env.CORS_ORIGINS),
    ...parseKeySettings(env),
  }
}

/** The part of it that a command without a server of its own needs. */
export const parseKeySettings = (env: Readonly<Record<string, string | undefined>>): KeySettings => ({
  signingKey: parseSigningKey(env.SIGNING_KEY || undefined),
  publicKeys: env.PUBLIC_KEYS ? readPublicKeys(env.PUBLIC_KEYS) : {},
  gateway: parseGateway(env.GATEWAY_URL || undefined, env.GATEWAY_CREDENTIAL || undefined),
})

/** The client itself judges both. */
function parseGateway(url: string | undefined, credential: string | undefined): KeySettings['gateway'] {
  if (url !== undefined && credential !== undefined) return { url, credential }
  if (url === undefined && credential === undefined) return undefined
  const missing = url === undefined ? 'GATEWAY_URL' : 'GATEWAY_CREDENTIAL'
  throw refused(missing, 'is not set. GATEWAY_URL and GATEWAY_CREDENTIAL need each other')
}

/** Where a server listens, by HOST and PORT. Throws INVALID_INPUT that names the variable. */
export function parseListen(env: Readonly<Record<string, string | undefined>>): { host: string; port: number } {
  return { host: parseListenHost(env.HOST || DEFAULT_HOST), port: parsePort(env.PORT || DEFAULT_PORT) }
}

/** Throws INVALID_INPUT for a SIGNING_KEY that is too short. */
export function parseSigningKey(key: string | undefined): string | undefined {
  const bytes = Buffer.byteLength(key ?? '')
  if (key === undefined || bytes >= MIN_KEY_BYTES) return key
  throw refused('SIGNING_KEY', `has ${bytes} bytes; ${MIN_KEY_BYTES} are needed. Make one with openssl rand -hex 32`)
}

function parseListenHost(text: string): string {
  if (isIPv6(text) || /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/.test(text)) return text
  throw refused('HOST', `${describe(text)} is no address. Set it to an address or name of this machine, without a port`)
}

function parseToken(token: string, host: string): string {
  if (token === '') throw refused('ADMIN_TOKEN', 'is not set. Set it to a long random text, e.g. openssl rand -hex 32')
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw refused('ADMIN_TOKEN', 'holds blanks or characters that are not ASCII. Use visible ASCII characters only')
  }
  if (token.length < MIN_TOKEN && !isLoopback(host.toLowerCase())) {
    throw refused(
      'ADMIN_TOKEN',
      `has ${token.length} characters; at least ${MIN_TOKEN} are needed to listen on ${host}. Set a longer one, or HOST=${DEFAULT_HOST}`,
    )
  }
  return token
}

function parsePort(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text)
  throw refused('PORT', `${describe(text)} is no port. Set a number from 1 to 65535, or 0 for a free one`)
}

function parseList(name: string, text = ''): string[] {
  const entries = text.split(',').map((entry) => entry.trim())
  if (text.trim() === '') return []
  if (entries.every((entry) => entry !== '')) return entries
  throw refused(name, `${describe(text)} has an empty entry. Separate entries by single commas`)
}

/** A file and not the keys themselves: PEM has line breaks, and keys come and go without a new start script. */
function readPublicKeys(path: string): Record<string, string> {
  const problem = (text: string): Failure => refused('PUBLIC_KEYS', `${describe(path)}: ${text.replace(/\.$/, '')}`)
  let keys: unknown
  try {
    keys = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    const { code = 'it is not JSON' } = error as NodeJS.ErrnoException
    throw problem(`the file cannot be read (${code}). It must hold a JSON object of Ed25519 public keys by id`)
  }
  try {
    if (parsePublicKeys(keys).size > 0) return keys as Record<string, string>
  } catch (error) {
    throw isFailure(error) ? problem(error.message) : error
  }
  throw problem('the file holds no key. Add one, or unset the variable')
}

/** Of an environment variable, which is the field. */
export const refused = (name: string, problem: string): Failure =>
  new Failure('INVALID_INPUT', `${name} ${problem}.`, { details: { field: name } })
