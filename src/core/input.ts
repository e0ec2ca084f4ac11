/** Reads unknown input against a zod schema: typed and frozen data, or one error that names the field and what to send. */
import { z } from 'zod'
import { type DataObject, omit, parseObject } from './data.js'
import { brief, describe, Failure } from './failure.js'

export type JsonSchema = Record<string, unknown>

/** Parses an object into frozen data; `null` members count as absent. Throws INVALID_INPUT naming the first bad field. */
export function parseInput<T>(schema: z.ZodType<T>, value: unknown, name: string): T {
  if (typeof value === 'object' && value !== null && PARSED_BY.get(value) === schema) return value as T
  const given = withoutNulls(parseObject(value, name))
  const parsed = schema.safeParse(given)
  if (parsed.success) {
    const data = deepFreeze(parsed.data)
    if (typeof data === 'object' && data !== null) PARSED_BY.set(data, schema)
    return data
  }
  throw explain(parsed.error.issues[0], given, schema, name)
}

/** What a schema answered is frozen, and need not be parsed by it again. */
const PARSED_BY = new WeakMap<object, z.ZodType>()

/** A member that is `null` was left out by its sender: models write every field they know. */
export function withoutNulls(data: DataObject): DataObject {
  return Object.values(data).includes(null) ? omit(data, (_key, member) => member === null) : data
}

/** JSON Schema (draft 2020-12) of what a caller may send: the same zod that parses it. */
export function toJsonSchema(schema: z.ZodType): JsonSchema {
  // `output`, because a lenient reader (an integer that may come as digits) states its rule on the output side.
  const { $schema: _, ...json } = z.toJSONSchema(schema, {
    io: 'output',
    unrepresentable: 'any',
    override({ zodSchema, jsonSchema }) {
      if (zodSchema._zod.def.type !== 'object') return
      const { shape } = zodSchema._zod.def as unknown as { shape: Record<string, z.ZodType> }
      const required = Object.keys(shape).filter((key) => !shape[key]?.safeParse(undefined).success)
      if (required.length > 0) jsonSchema.required = required
      else delete jsonSchema.required
    },
  })
  return json
}

function explain(issue: z.core.$ZodIssue | undefined, data: DataObject, schema: z.ZodType, name: string): Failure {
  if (issue === undefined) return new Failure('INVALID_INPUT', `${name} is not valid.`)
  const path = issue.path.map(String)
  // A record's key is the sender's own text, as long as it likes.
  const shown = path.map(named)
  const field = fieldName(shown) || name
  if (issue.code === 'unrecognized_keys') {
    const unknown = issue.keys
      .slice(0, 5)
      .map((key) => JSON.stringify(named(key)))
      .join(', ')
    const within = path.length === 0 ? schema : undefined
    const known = within instanceof z.ZodObject ? Object.keys(within.shape) : []
    const hint = known.length > 0 ? ` Known fields: ${known.join(', ')}.` : ` Leave it out of ${field}.`
    return new Failure('INVALID_INPUT', `Unknown field ${unknown}.${hint}`, {
      details: { field: fieldName([...shown, named(issue.keys[0] ?? '')]) },
    })
  }
  const value = path.reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], data)
  const about = path.length === 0 ? undefined : descriptionAt(schema, path)
  const send = about === undefined ? '' : ` ${field}: ${about.replace(/\.?$/, '.')}`
  const message =
    value === undefined
      ? `${field} is missing.${send}`
      : `${field} is not valid: ${problem(issue)}, got ${describe(value)}.${send}`
  return new Failure('INVALID_INPUT', message, { details: { field } })
}

const named = (key: string): string => brief(key, 60)

const problem = (issue: z.core.$ZodIssue): string =>
  issue.message
    .replace(/^Invalid (?:input|string|option): /, '')
    .replace(/, received .*$/, '')
    .replace(/\.$/, '')

const fieldName = (path: readonly string[]): string =>
  path.reduce((name, key) => (/^\d+$/.test(key) ? `${name}[${key}]` : name === '' ? key : `${name}.${key}`), '')

/** What the field at the path says of itself, as far as objects and lists go: what it stands in would mislead. */
function descriptionAt(schema: z.ZodType, path: readonly string[]): string | undefined {
  let at: z.ZodType | undefined = schema
  for (const key of path) {
    while (at instanceof z.ZodDefault || at instanceof z.ZodOptional) at = at.unwrap() as z.ZodType
    if (at instanceof z.ZodObject) at = (at.shape as Record<string, z.ZodType>)[key]
    else at = at instanceof z.ZodArray ? (at.element as z.ZodType) : undefined
    if (at === undefined) return undefined
  }
  return z.globalRegistry.get(at)?.description
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const member of Object.values(value)) deepFreeze(member)
  }
  return value
}
