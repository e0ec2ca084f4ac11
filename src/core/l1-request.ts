/** The L1 routes: a table of constants, and the strict parser of what a skill sends. Every provider answers exactly these. */
import { describe, Failure } from './failure.js'

type Parameter<T> = (value: string | undefined, name: string) => T

function integer(fallback: number, min: number, max: number): Parameter<number> {
  return function parseInteger(value, name) {
    if (value === undefined) return fallback
    const number = /^[0-9]{1,4}$/.test(value) ? Number(value) : Number.NaN
    if (number >= min && number <= max) return number
    throw refused(name, value, `must be an integer from ${min} to ${max}`)
  }
}

function flag(fallback: boolean): Parameter<boolean> {
  return function parseFlag(value, name) {
    if (value === undefined) return fallback
    if (value === 'true' || value === 'false') return value === 'true'
    throw refused(name, value, 'must be true or false')
  }
}

const L1_ROUTES = {
  'GET /containers': { all: flag(false), limit: integer(25, 1, 100) },
  'POST /containers/run': {},
  'POST /containers/run/collect': {},
  'GET /containers/{id}': {},
  'POST /containers/{id}/start': {},
  'POST /containers/{id}/stop': { timeout: integer(10, 0, 300) },
  'GET /containers/{id}/logs': { tail: integer(100, 1, 1000), timestamps: flag(true) },
  'GET /containers/{id}/stats': {},
  'GET /images': { limit: integer(25, 1, 100) },
} as const satisfies Record<string, Record<string, Parameter<unknown>>>

export type L1Route = keyof typeof L1_ROUTES

export const L1_ROUTE_NAMES = Object.keys(L1_ROUTES) as [L1Route, ...L1Route[]]

type Query<R extends L1Route> = {
  [P in keyof (typeof L1_ROUTES)[R]]: (typeof L1_ROUTES)[R][P] extends Parameter<infer T> ? T : never
}

/** A request that passed the table: its route, the id in its path (empty where it has none) and its typed query. */
export type L1Request<R extends L1Route = L1Route> = { [K in R]: { route: K; id: string; query: Query<K> } }[R]

/** The names the engine takes for a container; `.`, `..`, `-rf` and anything percent-encoded are none of them. */
export const CONTAINER_ID = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/

/** Throws NOT_FOUND for a route that is not in the table and INVALID_INPUT for a bad id or query. */
export function parseL1Request(method: unknown, path: unknown): L1Request {
  if (typeof method !== 'string' || typeof path !== 'string' || path.length > 500) throw unknownRoute(method, path)
  const line = `${method} ${path}`
  const known = KNOWN_REQUESTS.get(line)
  if (known !== undefined) return known
  const request = parseRequest(method, path)
  if (KNOWN_REQUESTS.size >= MAX_KNOWN) KNOWN_REQUESTS.clear()
  KNOWN_REQUESTS.set(line, request)
  return request
}

/** The same few requests come again and again, and what one means never changes. */
const KNOWN_REQUESTS = new Map<string, L1Request>()
const MAX_KNOWN = 500

function parseRequest(method: string, path: string): L1Request {
  const [pathname = '', search, ...rest] = path.split('?')
  const segments = pathname.split('/')
  const found = ROUTE_TABLE.find(
    (route) =>
      route.method === method &&
      route.parts.length === segments.length &&
      route.parts.every((part, index) => part === '{id}' || part === segments[index]),
  )
  if (found === undefined || rest.length > 0) throw unknownRoute(method, path)
  const id = found.hasId ? (segments[2] ?? '') : ''
  if (found.hasId && !CONTAINER_ID.test(id)) {
    throw refused('id', id, 'must be a container id or name: letters, digits, _ . - and at most 128 of them')
  }
  const query = Object.freeze(parseQuery(L1_ROUTES[found.route], search))
  return Object.freeze({ route: found.route, id, query }) as L1Request
}

/** The routes taken apart, in the order in which they are tried. */
const ROUTE_TABLE = L1_ROUTE_NAMES.map((route) => {
  const [method, template = ''] = route.split(' ')
  return { route, method, parts: template.split('/'), hasId: template.includes('{id}') }
})

function parseQuery(parameters: Record<string, Parameter<unknown>>, search: string | undefined) {
  const values = new Map<string, string>()
  for (const pair of search ? search.split('&') : []) {
    const [name = '', value = ''] = pair.split(/=(.*)/s)
    if (!Object.hasOwn(parameters, name)) throw refused('query', pair, 'is not a parameter of this route')
    if (values.has(name)) throw refused(name, pair, 'is given twice')
    values.set(name, value)
  }
  return Object.fromEntries(Object.entries(parameters).map(([name, parse]) => [name, parse(values.get(name), name)]))
}

function refused(field: string, value: string, rule: string): Failure {
  return new Failure('INVALID_INPUT', `${field} ${describe(value)} ${rule}.`, { details: { field } })
}

function unknownRoute(method: unknown, path: unknown): Failure {
  return new Failure(
    'NOT_FOUND',
    `${describe(method)} ${describe(path)} is not a route of the provider protocol. It has: ${L1_ROUTE_NAMES.join(', ')}.`,
  )
}
