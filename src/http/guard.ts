/** Who may ask at all: the Host header that a request must name, and the token that it must bring. */
import { hash, timingSafeEqual } from 'node:crypto'
import { isIPv4 } from 'node:net'
import { describe, Failure } from '../core/failure.js'

/** What a Host header without a port means; URLs leave it out. */
const HTTP_PORT = '80'

interface NamedHost {
  name: string
  /** Undefined: any port. */
  port: string | undefined
}

/** `name`, `name:port`, `[::1]` or `[::1]:port`, in lower case; undefined for anything else. */
function parseHost(text: string): NamedHost | undefined {
  const [, name, port] = /^([a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::(\d{1,5}))?$/.exec(text.toLowerCase()) ?? []
  return name === undefined || Number(port ?? 0) > 65_535 ? undefined : { name, port }
}

/** True for the names of this machine itself: localhost, 127.0.0.0/8 and ::1 (in brackets or not). */
export const isLoopback = (name: string): boolean =>
  name === 'localhost' || name === '[::1]' || name === '::1' || (isIPv4(name) && name.startsWith('127.'))

/**
 * A check of the Host header, without which a web page could reach a server on the reader's own machine by letting its
 * own name resolve to 127.0.0.1. Throws FORBIDDEN_HOST; making it throws INVALID_INPUT for a name that is none.
 */
export function createHostCheck(allowedHosts: readonly string[]): (host: string | null) => void {
  const allowed = allowedHosts.map((text) => {
    const host = parseHost(text)
    if (host !== undefined) return host
    throw new Failure(
      'INVALID_INPUT',
      `Allowed host ${describe(text)} is no host name. Send a name or an address, with a port or without.`,
      { details: { field: 'allowedHosts' } },
    )
  })
  return (text) => {
    const host = parseHost(text ?? '')
    const isAllowed =
      host !== undefined &&
      (isLoopback(host.name) ||
        allowed.some(
          ({ name, port }) => name === host.name && (port === undefined || port === (host.port ?? HTTP_PORT)),
        ))
    if (isAllowed) return
    throw new Failure(
      'FORBIDDEN_HOST',
      `Host ${describe(text ?? undefined)} is not served here. Use localhost, or add the name to ALLOWED_HOSTS.`,
    )
  }
}

/** A check of the bearer token. Throws UNAUTHORIZED; making it throws INVALID_INPUT for a token that no header can carry. */
export function createTokenCheck(adminToken: string): (authorization: string | null) => void {
  if (typeof adminToken !== 'string' || !/^[\x21-\x7e]+$/.test(adminToken)) {
    throw new Failure(
      'INVALID_INPUT',
      'The admin token must be visible ASCII characters without blanks, at least one.',
      {
        details: { field: 'adminToken' },
      },
    )
  }
  const expected = digest(adminToken)
  return (authorization) => {
    const [, token] = /^Bearer +(\S+)$/i.exec(authorization ?? '') ?? []
    // Digests have one length, so that comparing them tells nothing, not even how long the token is.
    if (token !== undefined && timingSafeEqual(digest(token), expected)) return
    throw new Failure(
      'UNAUTHORIZED',
      `${token === undefined ? 'A token is missing' : 'The token is wrong'}. Send the ADMIN_TOKEN of this server as a bearer token in the Authorization header.`,
    )
  }
}

const digest = (text: string): Buffer => hash('sha256', text, 'buffer')
