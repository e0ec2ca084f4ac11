/** What a route is: method, path, what it takes, what it answers, and the one call on the gate behind it. */
import { z } from 'zod'
import type { FailureCode } from '../core/failure.js'
import type { Gate } from '../core/gate.js'
import type { Keyed } from '../core/idempotency.js'

type Method = 'GET' | 'POST' | 'PUT'

/** A parsed value: JSON and query strings hold no `undefined`, so an optional member is absent or has its type. */
type Present<T> = { [K in keyof T]: Exclude<T[K], undefined> }

interface Answer<T> {
  /** The route's first status unless said otherwise. */
  status?: number
  body: T
  /** It is the answer to an earlier request with the same Idempotency-Key. */
  replayed?: true | undefined
}

/** A route with its types erased, as the application and the OpenAPI document read it. */
export interface Route {
  readonly method: Method
  /** With parameters in braces, `/v1` included. */
  readonly path: string
  readonly id: string
  readonly summary: string
  /** Answered without a token. */
  readonly open: boolean
  readonly params: z.ZodType
  readonly query: z.ZodType
  /** Undefined for a route that takes no body. */
  readonly body: z.ZodType | undefined
  /** The statuses of its success, the usual one first. */
  readonly statuses: readonly [number, ...number[]]
  readonly answer: z.ZodType
  /** Codes beside those that every route can fail with. */
  readonly failures: readonly FailureCode[]
  /** Takes an Idempotency-Key. */
  readonly keyed: boolean
  handle(
    gate: Gate,
    input: { params: unknown; query: unknown; body: unknown; idempotencyKey: string | undefined },
  ): Promise<Answer<unknown>>
}

interface RouteDefinition<A extends z.ZodType, P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType> {
  /** For generated clients: unique. */
  id: string
  summary: string
  open?: true
  params?: P
  query?: Q
  body?: B
  /** Default 200. */
  statuses?: readonly [number, ...number[]]
  answer: A
  failures?: readonly FailureCode[]
  keyed?: true
  handle(
    gate: Gate,
    input: Keyed & { params: Present<z.output<P>>; query: Present<z.output<Q>>; body: Present<z.output<B>> },
  ): Promise<Answer<z.input<A>>>
}

const Nothing = z.strictObject({})

/** Declares a route; the compiler holds what it answers against the schema that the document shows. */
export function route<
  A extends z.ZodType,
  P extends z.ZodType = typeof Nothing,
  Q extends z.ZodType = typeof Nothing,
  B extends z.ZodType = typeof Nothing,
>(method: Method, path: string, definition: RouteDefinition<A, P, Q, B>): Route {
  const { params = Nothing, query = Nothing, open = false, keyed = false, statuses = [200], failures = [] } = definition
  const { id, summary, body, answer, handle } = definition
  return {
    method,
    path: `/v1${path}`,
    id,
    summary,
    open,
    params,
    query,
    body,
    statuses,
    answer,
    failures,
    keyed,
    handle: handle as unknown as Route['handle'],
  }
}
