/** Where a gateway is: its URL, parsed strictly, and what TLS needs. */
import { isIPv4 } from 'node:net'
import { describe, Failure } from '../core/failure.js'

/** In PEM. `ca` checks the gateway; `cert` and `key` prove us to one that asks for a client certificate. */
export interface GatewayTls {
  ca?: string | Buffer
  cert?: string | Buffer
  key?: string | Buffer
}

export interface GatewayAddress {
  /** For people. */
  address: string
  origin: string
  /** Before each path; empty or `/like/this`. */
  prefix: string
}

/** Throws INVALID_INPUT saying what to send instead. */
export function parseGatewayUrl(text: string, tls?: GatewayTls): GatewayAddress {
  const url = typeof text === 'string' && URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) throw refused(describe(text), 'Send https://host:port.')
  // Its value is not repeated: it may be the secret.
  if (url.username !== '' || url.password !== '') {
    throw refused('with a user or a password', 'Leave them out, and send the credential as `credential`.')
  }
  if (url.search !== '' || url.hash !== '') throw refused(describe(text), 'Leave out what follows the path.')
  if (url.protocol === 'http:' && tls !== undefined)
    throw refused(describe(text), 'http:// carries no TLS. Send https://.')
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    throw refused(
      describe(text),
      'The credential would be readable on its way. Send https://, or http:// to this machine.',
    )
  }
  const prefix = url.pathname.replace(/\/+$/, '')
  return { address: `${url.origin}${prefix}`, origin: url.origin, prefix }
}

const isLoopback = (name: string): boolean =>
  name === 'localhost' || name === '[::1]' || (isIPv4(name) && name.startsWith('127.'))

const refused = (what: string, advice: string): Failure =>
  new Failure('INVALID_INPUT', `Gateway URL ${what} is not usable. ${advice}`, { details: { field: 'url' } })
