/** The form of every answer: JSON, its headers, and failures with the status of their code. */
import { FAILURES, Failure, isFailure } from '../core/failure.js'
import type { Redactor } from '../redaction/index.js'

/** Answers are data for programs: never cached, never guessed to be something else, never rendered. */
export const BASE_HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
} as const

export const JSON_HEADERS = { ...BASE_HEADERS, 'content-type': 'application/json' } as const

export const jsonAnswer = (status: number, body: unknown, headers: Record<string, string> | undefined = {}): Response =>
  new Response(JSON.stringify(body), { status, headers: { ...JSON_HEADERS, ...headers } })

/** An answer that was made elsewhere, with the headers of every answer where it has none of its own. */
export function framed(response: Response): Response {
  for (const [name, value] of Object.entries(BASE_HEADERS)) {
    if (!response.headers.has(name)) response.headers.set(name, value)
  }
  return response
}

/** The failure behind anything thrown. What is not a Failure is unknown: its own text goes no further than `cause`. */
export const toFailure = (error: unknown): Failure =>
  isFailure(error)
    ? error
    : new Failure('INTERNAL', 'Something went wrong inside skillgate. Its log says more.', { cause: error })

/** What a failure looks like on the wire. */
export function failureBody(
  { code, message, details }: Failure,
  redactor: Pick<Redactor, 'text' | 'value'>,
): { error: object } {
  const hasDetails = details !== undefined && Object.keys(details).length > 0
  return { error: { code, message: redactor.text(message), ...(hasDetails && { details: redactor.value(details) }) } }
}

export function failureAnswer(failure: Failure, redactor: Pick<Redactor, 'text' | 'value'>): Response {
  const { status } = FAILURES[failure.code]
  const allow = failure.code === 'METHOD_NOT_ALLOWED' ? failure.details?.allow : undefined
  return jsonAnswer(status, failureBody(failure, redactor), {
    ...(failure.code === 'UNAUTHORIZED' && { 'www-authenticate': 'Bearer' }),
    ...(Array.isArray(allow) && { allow: allow.join(', ') }),
  })
}
