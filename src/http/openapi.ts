/** The OpenAPI 3.1 document, derived from the route table and from the schemas that the routes parse with. */
import { z } from 'zod'
import { FAILURES, type FailureCode } from '../core/failure.js'
import { type JsonSchema, toJsonSchema } from '../core/input.js'
import { VERSION } from '../core/version.js'
import { COMPONENTS, ErrorAnswer } from './documents.js'
import type { Route } from './route.js'

export interface OpenApiDocument {
  openapi: '3.1.0'
  info: { title: string; version: string; description: string }
  security: Record<string, string[]>[]
  paths: Record<string, Record<string, JsonSchema>>
  components: { schemas: Record<string, JsonSchema>; securitySchemes: Record<string, JsonSchema> }
  [key: string]: unknown
}

let document: OpenApiDocument | undefined

/** The document of the routes. Made on first use: it is the same for every application. */
export function openApi(routes: readonly Route[]): OpenApiDocument {
  document ??= describeRoutes(routes)
  return document
}

function describeRoutes(routes: readonly Route[]): OpenApiDocument {
  const named = new Map<string, string>()
  for (const [name, schema] of Object.entries(COMPONENTS)) named.set(JSON.stringify(toJsonSchema(schema)), name)
  const schemas = Object.entries(COMPONENTS).map(([name, schema]): [string, JsonSchema] => {
    const json = toJsonSchema(schema)
    return [name, Object.fromEntries(Object.entries(json).map(([key, member]) => [key, withReferences(member, named)]))]
  })
  const refer = (schema: z.ZodType): unknown => withReferences(toJsonSchema(schema), named)
  const paths: OpenApiDocument['paths'] = {}
  for (const route of routes) {
    const operations = paths[route.path] ?? {}
    operations[route.method.toLowerCase()] = describeRoute(route, refer)
    paths[route.path] = operations
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'skillgate',
      version: VERSION,
      description: "Runs an agent's tool calls under a deny-by-default policy and keeps a hash-chained log of them.",
    },
    security: [{ adminToken: [] }],
    paths,
    components: {
      schemas: Object.fromEntries(schemas),
      securitySchemes: { adminToken: { type: 'http', scheme: 'bearer', description: 'The ADMIN_TOKEN of the server' } },
    },
  }
}

/** Schemas that are a component's become a reference to it; zod writes the same schema the same way everywhere. */
function withReferences(json: unknown, named: ReadonlyMap<string, string>): unknown {
  if (typeof json !== 'object' || json === null) return json
  if (Array.isArray(json)) return json.map((item) => withReferences(item, named))
  const name = named.get(JSON.stringify(json))
  if (name !== undefined) return { $ref: `#/components/schemas/${name}` }
  return Object.fromEntries(Object.entries(json).map(([key, member]) => [key, withReferences(member, named)]))
}

function describeRoute(route: Route, refer: (schema: z.ZodType) => unknown): JsonSchema {
  const { id, summary, open, keyed, params, query, body, statuses, answer } = route
  const json = (schema: z.ZodType) => ({ 'application/json': { schema: refer(schema) } })
  const responses: Record<string, JsonSchema> = {}
  for (const status of statuses) responses[status] = { description: summary, content: json(answer) }
  for (const code of failuresOf(route)) {
    const { status } = FAILURES[code]
    const description = responses[status] === undefined ? code : `${responses[status].description}, ${code}`
    responses[status] = { description, content: json(ErrorAnswer) }
  }
  const parameters = [
    ...describeParameters('path', params),
    ...describeParameters('query', query),
    ...(keyed ? [IDEMPOTENCY_KEY] : []),
  ]
  return {
    operationId: id,
    summary,
    ...(open && { security: [] }),
    ...(parameters.length > 0 && { parameters }),
    ...(body && { requestBody: { required: true, content: json(body) } }),
    responses,
  }
}

const IDEMPOTENCY_KEY: JsonSchema = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description:
    'The same request with the same key within 24 hours is executed once; retries get its answer, with Idempotency-Replayed: true',
  schema: { type: 'string', pattern: '^[!-~]{1,200}$' },
}

function failuresOf({ open, keyed, method, failures }: Route): FailureCode[] {
  const protectedRoute: FailureCode[] = open ? [] : ['UNAUTHORIZED', 'UNAVAILABLE']
  const withBody: FailureCode[] = method === 'GET' ? [] : ['PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE']
  return [
    'INVALID_INPUT',
    'FORBIDDEN_HOST',
    ...protectedRoute,
    ...withBody,
    ...failures,
    ...(keyed ? (['IDEMPOTENCY_MISMATCH'] as const) : []),
    'INTERNAL',
  ]
}

function describeParameters(place: 'path' | 'query', schema: z.ZodType): JsonSchema[] {
  const shape = schema instanceof z.ZodObject ? (schema.shape as Record<string, z.ZodType>) : {}
  return Object.entries(shape).map(([name, member]) => {
    const { description, ...rest } = toJsonSchema(member)
    const required = place === 'path' || !member.safeParse(undefined).success
    return { name, in: place, required, ...(description !== undefined && { description }), schema: rest }
  })
}
