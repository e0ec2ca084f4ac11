/** The engine behind the connection: which one it is, which API version to speak, and JSON calls in that version. */

import type { Duplex } from 'node:stream'
import { Failure, isFailure } from '../core/failure.js'
import type { StopSignal } from '../core/stop.js'
import type { Caller, CallOptions } from './call.js'
import { ENGINE_ROUTES, type EngineRoute } from './engine-routes.js'
import { type EnginePosture, engineId, preflight } from './preflight.js'
import { malformedAnswer, notAnEngine, oversizedAnswer } from './upstream.js'
import { fieldsOf, textOf } from './wire.js'

/** Which engine answers, and the API version that is spoken with it. */
export interface EngineIdentity {
  name: 'docker' | 'podman'
  version: string
  /** The lower of the engine's newest and ours. */
  apiVersion: string
  /** As in Go's GOOS and GOARCH: `linux`, `amd64`. */
  os: string
  arch: string
}

export interface Engine {
  /** Negotiated once, and again after the connection was lost. */
  identity(signal: StopSignal): Promise<EngineIdentity>
  /** Stable across its restarts; empty when it has none. Looked up once as well. */
  id(signal: StopSignal): Promise<string>
  /** What it can keep, looked up once as well. Throws ENGINE_UNSUITABLE when a required control is missing. */
  posture(signal: StopSignal): Promise<EnginePosture>
  /** Resolves with the parsed answer; `changed` is false for 304 (it was so already). */
  json(route: EngineRoute, options: CallOptions): Promise<{ body: unknown; changed: boolean }>
  stream(route: EngineRoute, options: CallOptions, onChunk: (chunk: Buffer) => void): Promise<void>
  upgrade(route: EngineRoute, options: CallOptions): Promise<Duplex>
}

/** Debian 12's Docker and Podman's compatible API speak 1.41; nothing newer than 1.51 was read. */
const OLDEST = 41
const NEWEST = 51

/** What a proxy before a real engine may answer. */
const BUSY_OR_GUARDED: ReadonlySet<number> = new Set([401, 403, 407, 408, 429])

/** `forget` is for a connection that was lost: another engine may answer the next one. */
export function createEngine(caller: Caller, address: string): Engine & { forget(): void } {
  let learnt: EngineIdentity | undefined
  let checked: EnginePosture | undefined
  let versionAnswer: unknown
  let infoAnswer: unknown

  async function ping(signal: StopSignal) {
    try {
      return await caller.text('ping', { signal })
    } catch (error) {
      const status = isFailure(error) ? error.details?.status : undefined
      if (typeof status !== 'number' || status >= 500 || BUSY_OR_GUARDED.has(status)) throw error
      throw notAnEngine(address, `it answered /_ping with status ${status}`)
    }
  }

  async function negotiate(signal: StopSignal): Promise<EngineIdentity> {
    const { headers } = await ping(signal)
    const offered = minorOf(headers['api-version'])
    if (offered === undefined) throw notAnEngine(address, 'it answered /_ping without an Api-Version')
    versionAnswer = parseJson((await caller.text('version', { signal })).text, '/version')
    const version = fieldsOf(versionAnswer)
    const minimum = minorOf(version.MinAPIVersion) ?? 0
    if (offered < OLDEST) {
      throw unsuitable(address, `speaks API 1.${offered} at most, and 1.${OLDEST} is needed. Upgrade the engine`)
    }
    if (minimum > NEWEST) {
      throw unsuitable(
        address,
        `needs API 1.${minimum} at least, and 1.${NEWEST} is the newest known. Upgrade skillgate`,
      )
    }
    if (textOf(version.Version) === '') throw notAnEngine(address, 'its answer to /version names no version')
    const components = Array.isArray(version.Components) ? version.Components.map(fieldsOf) : []
    const podman = components.some(({ Name }) => textOf(Name).startsWith('Podman'))
    return {
      name: podman ? 'podman' : 'docker',
      version: textOf(version.Version),
      apiVersion: `1.${Math.min(offered, NEWEST)}`,
      os: textOf(version.Os),
      arch: textOf(version.Arch),
    }
  }

  async function identity(signal: StopSignal): Promise<EngineIdentity> {
    learnt ??= await negotiate(signal)
    return learnt
  }

  async function askInfo(signal: StopSignal): Promise<{ engine: EngineIdentity; info: unknown }> {
    const engine = await identity(signal)
    if (infoAnswer !== undefined) return { engine, info: infoAnswer }
    const { text } = await caller.text('info', inVersion({ signal }, engine))
    const info = parseJson(text, '/info')
    // Lost meanwhile: what was learnt is of the engine before.
    if (learnt === engine) infoAnswer = info
    return { engine, info }
  }

  async function posture(signal: StopSignal): Promise<EnginePosture> {
    if (checked !== undefined) return checked
    const { engine, info } = await askInfo(signal)
    const found = preflight(info, versionAnswer, engine)
    if (learnt === engine) checked = found
    return found
  }

  async function id(signal: StopSignal): Promise<string> {
    const { engine, info } = await askInfo(signal)
    return engineId(info, engine)
  }

  async function versioned(options: CallOptions): Promise<CallOptions> {
    return inVersion(options, await identity(options.signal))
  }

  return {
    identity,
    posture,
    id,
    async json(route, options) {
      // Without a turn of the loop where the version is known: the request is on its way before anything else is done.
      const { status, text } = await caller.text(route, learnt ? inVersion(options, learnt) : await versioned(options))
      return {
        body: text.trim() === '' ? undefined : parseJson(text, ENGINE_ROUTES[route][1]),
        changed: status !== 304,
      }
    },
    stream: async (route, options, onChunk) => caller.stream(route, await versioned(options), onChunk),
    upgrade: async (route, options) => caller.upgrade(route, await versioned(options)),
    forget() {
      learnt = undefined
      checked = undefined
      infoAnswer = undefined
    },
  }
}

/** Named one by one, so that all calls have one shape. */
const inVersion = (
  { id, image, query, signal, body, maxBytes }: CallOptions,
  { apiVersion }: EngineIdentity,
): CallOptions => ({ id, image, query, signal, body, maxBytes, version: apiVersion })

function minorOf(version: unknown): number | undefined {
  const [, minor] = (typeof version === 'string' && /^1\.([0-9]{1,4})$/.exec(version)) || []
  return minor === undefined ? undefined : Number(minor)
}

/** Parsed, a value takes many times the bytes of its text; more than these would be no answer to what is asked here. */
const MAX_VALUES = 500_000

function hasTooManyValues(text: string): boolean {
  if (text.length <= MAX_VALUES) return false
  let values = 0
  for (let at = 0; at < text.length && values <= MAX_VALUES; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x2c || code === 0x5b || code === 0x7b) values++
  }
  return values > MAX_VALUES
}

function parseJson(text: string, route: string): unknown {
  if (hasTooManyValues(text)) throw oversizedAnswer(route, `${MAX_VALUES} values`)
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw malformedAnswer(route, 'it is not JSON', cause)
  }
}

function unsuitable(address: string, why: string): Failure {
  return new Failure('ENGINE_UNSUITABLE', `The engine at ${address} ${why}.`, { details: { address } })
}
