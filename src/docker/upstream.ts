/** What went wrong between us and the engine, as a Failure that says what to do about it. */
import { brief, Failure } from '../core/failure.js'

/** Whoever shows it cuts it, behind redaction: here nobody knows what in it is secret. */
const MAX_MESSAGE = 64 * 1024
const REDIRECTS: ReadonlySet<number> = new Set([300, 301, 302, 303, 307, 308])

/** The answer of an engine that refused: its status, and its own words where it sent the documented `{ message }`. */
export function upstreamFailure(status: number, text: string, route: string): Failure {
  const said = engineMessage(text)
  const retriable = status === 408 || status === 429 || status >= 500
  const answered = `The engine answered ${route} with`
  const advice = `${retriable ? 'Try again, or look' : 'Look'} at the engine’s own log.`
  const message = REDIRECTS.has(status)
    ? `${answered} a redirect (${status}), which is never followed. Point DOCKER_HOST at the engine itself.`
    : said === ''
      ? `${answered} status ${status} and no message of its own. ${advice}`
      : `${answered} status ${status}: ${said}${retriable ? `. ${advice}` : ''}`
  return new Failure('UPSTREAM_ERROR', message, { retriable, details: { status, route } })
}

/** The engine answered, and the answer cannot be used; asking again would bring the same. */
export function malformedAnswer(route: string, why: string, cause?: unknown): Failure {
  const message = `The engine’s answer to ${route} cannot be used: ${why}. Check that a Docker Engine answers there, and no proxy that changes its answers.`
  return new Failure('UPSTREAM_ERROR', message, { retriable: false, details: { route }, cause })
}

/** The engine answered with more than is held in memory for one answer; `most` says how much that is. */
export function oversizedAnswer(route: string, most: string): Failure {
  const message = `The engine’s answer to ${route} is larger than ${most}, and was cut off. Ask for less.`
  return new Failure('UPSTREAM_ERROR', message, { retriable: false, details: { route } })
}

/** Something answered at the address, and it is no container engine. */
export function notAnEngine(address: string, why: string): Failure {
  return new Failure(
    'UPSTREAM_ERROR',
    `What answers at ${address} is not a Docker Engine: ${why}. Point DOCKER_HOST at the engine’s own socket or port.`,
    { retriable: false, details: { address, reason: 'not_an_engine' } },
  )
}

/** No answer: the socket is missing, not ours to open, or the connection broke. */
export function connectionFailure(error: unknown, address: string): Failure {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
  if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTFOUND') {
    return new Failure(
      'UPSTREAM_ERROR',
      `No engine listens at ${address} (${code}). Start Docker, or set DOCKER_HOST to where it listens.`,
      { retriable: true, details: { address, reason: 'not_listening' }, cause: error },
    )
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return new Failure(
      'UPSTREAM_ERROR',
      `Permission to open ${address} is denied. Run as a member of the socket’s group (usually docker), or use a rootless engine’s socket.`,
      { retriable: false, details: { address, reason: 'permission_denied' }, cause: error },
    )
  }
  if (/CERT|TLS|SSL|EPROTO|UNABLE_TO_/.test(code)) {
    return new Failure(
      'UPSTREAM_ERROR',
      `TLS with ${address} failed (${code}). Check that ca.pem signed the engine’s certificate and cert.pem is one it accepts.`,
      { retriable: false, details: { address, reason: 'tls' }, cause: error },
    )
  }
  if (code.endsWith('HEADERS_OVERFLOW') || code === 'HPE_HEADER_OVERFLOW') {
    return notAnEngine(address, 'its answer’s headers have no end')
  }
  if (code.startsWith('HPE_') || (error instanceof Error && error.name === 'HTTPParserError')) {
    return notAnEngine(address, 'it does not speak HTTP')
  }
  return new Failure('UPSTREAM_ERROR', `The connection to the engine at ${address} broke (${code}). Try again.`, {
    retriable: true,
    details: { address, reason: 'connection_lost' },
    cause: error,
  })
}

function engineMessage(text: string): string {
  try {
    const body: unknown = JSON.parse(text)
    const message = body instanceof Object && 'message' in body ? body.message : undefined
    return typeof message === 'string' ? brief(message, MAX_MESSAGE) : ''
  } catch {
    return ''
  }
}
