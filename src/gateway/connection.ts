/** What it means that a connection to a gateway could not be made, or broke. */
import { Failure, isFailure } from '../core/failure.js'
import type { L1Route } from '../core/l1-request.js'
import { malformed } from './refusal.js'

const NEVER_MADE = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT']
const BROKEN = ['ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ETIMEDOUT', 'UND_ERR_SOCKET']

/** Whether the connection itself failed, so that a request that only reads may be sent once more. */
export const isConnectionError = (error: unknown): boolean =>
  !isFailure(error) && [...NEVER_MADE, ...BROKEN].includes(codeOf(error))

/** What undici rejected with, as a Failure that says what to do about it. */
export function connectionFailure(error: unknown, address: string, route: L1Route): Failure {
  const code = codeOf(error)
  if (NEVER_MADE.includes(code)) {
    return new Failure('UPSTREAM_ERROR', `No gateway listens at ${address} (${code}). Start it, or correct the URL.`, {
      retriable: true,
      details: { address, reason: 'not_listening' },
      cause: error,
    })
  }
  if (/CERT|TLS|SSL|EPROTO|UNABLE_TO_|ALTNAME/.test(code)) {
    return new Failure(
      'UPSTREAM_ERROR',
      `TLS with the gateway at ${address} failed (${code}). Check that tls.ca signed its certificate, and that the certificate names this host.`,
      { retriable: false, details: { address, reason: 'tls' }, cause: error },
    )
  }
  if (/^HPE_|^UND_ERR_(?:HEADERS_OVERFLOW|RES)|HTTPParserError/.test(code)) {
    return malformed(address, 'it is not well-formed HTTP', error)
  }
  const ran = route === 'POST /containers/run'
  const advice = ran ? 'The program may have run: look at what it did before you ask again' : 'Try again'
  return new Failure('UPSTREAM_ERROR', `The connection to the gateway at ${address} broke (${code}). ${advice}.`, {
    // Asking again would run the program again.
    retriable: !ran,
    details: { address, reason: 'connection_lost', ...(ran && { may_have_run: true }) },
    cause: error,
  })
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  if (error.name === 'HTTPParserError') return error.name
  return 'code' in error && typeof error.code === 'string' ? error.code : 'unknown'
}
