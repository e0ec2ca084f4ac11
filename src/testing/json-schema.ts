/** Holds a tool's JSON Schema against what models and hosts need of it. Source: JSON Schema 2020-12, the keywords in use. */
import assert from 'node:assert/strict'

const TYPES = ['object', 'array', 'string', 'number', 'integer', 'boolean', 'null']

/** Throws an AssertionError naming the place unless the schema is a strict object schema whose fields are described. */
export function assertJsonSchema(schema: unknown): void {
  assert.deepEqual(JSON.parse(JSON.stringify(schema)), schema, 'a JSON Schema is plain JSON data')
  const { type, properties, additionalProperties } = objectIn(schema, 'schema')
  assert.equal(type, 'object')
  assert.equal(additionalProperties, false, 'unknown fields must be refused')
  for (const [name, field] of Object.entries(objectIn(properties ?? {}, 'properties'))) {
    const { description, ...rest } = objectIn(field, name)
    assert.ok(typeof description === 'string' && description !== '', `${name} has no description`)
    const says = ['type', 'anyOf', 'oneOf', 'allOf', 'enum', 'const', '$ref'].some((keyword) => keyword in rest)
    assert.ok(says, `${name} does not say what it takes`)
  }
  assertSchema(schema, 'schema')
}

function assertSchema(schema: unknown, path: string): void {
  if (typeof schema === 'boolean') return
  const { type, properties, required, items, anyOf, oneOf, allOf, ...rest } = objectIn(schema, path)
  for (const name of [type ?? []].flat()) assert.ok(TYPES.includes(name as string), `${path}.type ${name}`)
  const fields = Object.entries(objectIn(properties ?? {}, `${path}.properties`))
  for (const [name, field] of fields) assertSchema(field, `${path}.${name}`)
  for (const name of (required ?? []) as unknown[]) {
    assert.ok(
      fields.some(([field]) => field === name),
      `${path}.required names ${name}, which is no field`,
    )
  }
  for (const member of [items ?? []].flat()) assertSchema(member, `${path}[]`)
  for (const options of [anyOf, oneOf, allOf]) {
    if (options === undefined) continue
    assert.ok(Array.isArray(options) && options.length > 0, `${path} offers no options`)
    for (const option of options) assertSchema(option, path)
  }
  for (const key of ['additionalProperties', 'propertyNames']) {
    if (rest[key] !== undefined) assertSchema(rest[key], `${path}.${key}`)
  }
  if (rest.enum !== undefined) assert.ok(Array.isArray(rest.enum) && rest.enum.length > 0, `${path}.enum`)
  if (rest.pattern !== undefined) new RegExp(String(rest.pattern), 'u')
  for (const bound of ['minimum', 'maximum', 'minLength', 'maxLength', 'minItems', 'maxItems']) {
    assert.ok(rest[bound] === undefined || typeof rest[bound] === 'number', `${path}.${bound}`)
  }
}

function objectIn(value: unknown, path: string): Record<string, unknown> {
  assert.ok(typeof value === 'object' && value !== null && !Array.isArray(value), `${path} must be an object`)
  return value as Record<string, unknown>
}
