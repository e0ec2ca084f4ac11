/** The OpenAPI document against the route table, the failure table and itself. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { FAILURES } from '../../core/failure.js'
import { VERSION } from '../../core/version.js'
import { openApi } from '../openapi.js'
import { ROUTES } from '../routes.js'
import { createFixture } from './fixture.js'

interface Operation {
  operationId: string
  security?: unknown[]
  parameters?: { name: string; in: string; required: boolean; schema: object }[]
  requestBody?: { required: boolean; content: Record<string, { schema: object }> }
  responses: Record<string, { description: string; content: Record<string, { schema: object }> }>
}

const document = openApi(ROUTES)
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({
    name: `${method.toUpperCase()} ${path}`,
    path,
    operation: operation as unknown as Operation,
  })),
)

/** Every object in the document, with where it stands. */
function* objectsIn(value: unknown, path = '#'): Generator<[string, Record<string, unknown>]> {
  if (typeof value !== 'object' || value === null) return
  if (!Array.isArray(value)) yield [path, value as Record<string, unknown>]
  for (const [key, member] of Object.entries(value)) yield* objectsIn(member, `${path}/${key}`)
}

describe('the OpenAPI document', () => {
  it('is what the server answers, as JSON', async () => {
    const { call } = createFixture()
    const { json } = await call('GET', '/v1/openapi.json', { headers: { authorization: null } })
    assert.deepEqual(json, JSON.parse(JSON.stringify(document)))
  })

  it('is OpenAPI 3.1 of this version', () => {
    assert.match(document.openapi, /^3\.1\.\d+$/)
    const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'))
    assert.equal(VERSION, version)
    assert.equal(document.info.version, version)
  })

  it('holds exactly the routes of the table', () => {
    const table = ROUTES.map(({ method, path }) => `${method} ${path}`)
    assert.deepEqual(operations.map(({ name }) => name).sort(), table.sort())
    assert.equal(new Set(operations.map(({ operation }) => operation.operationId)).size, ROUTES.length)
  })

  it('holds only references that lead somewhere, and no component without a use', () => {
    const used = new Set<string>()
    for (const [path, { $ref }] of objectsIn(document)) {
      if ($ref === undefined) continue
      const name = /^#\/components\/schemas\/(\w+)$/.exec(String($ref))?.[1] ?? ''
      assert.ok(Object.hasOwn(document.components.schemas, name), `${path}: ${$ref}`)
      used.add(name)
    }
    assert.deepEqual([...used].sort(), Object.keys(document.components.schemas).sort())
  })

  it('states types that JSON Schema knows, and requires only what it describes', () => {
    const types = ['string', 'number', 'integer', 'boolean', 'object', 'array', 'null']
    for (const [path, { type, required, properties }] of objectsIn(document)) {
      if (path.endsWith('/properties') || path.includes('/securitySchemes/')) continue
      if (typeof type === 'string') assert.ok(types.includes(type), `${path}: ${type}`)
      if (Array.isArray(required))
        for (const name of required) assert.ok(Object.hasOwn(properties as object, name), `${path}: ${name}`)
    }
  })

  for (const { name, path, operation } of operations) {
    const { parameters = [], requestBody, responses, security } = operation
    const route = ROUTES.find((entry) => `${entry.method} ${entry.path}` === name)

    it(`describes the parameters and the body of ${name}`, () => {
      const inPath = parameters.filter((parameter) => parameter.in === 'path')
      assert.deepEqual(
        inPath.map((parameter) => `{${parameter.name}}`),
        path.match(/\{\w+\}/g) ?? [],
      )
      assert.ok(inPath.every(({ required }) => required))
      assert.equal(requestBody !== undefined, route?.body !== undefined)
    })

    it(`describes the answers of ${name}`, () => {
      const expected = route?.open
        ? ['200', '400', '403', '500']
        : ['400', '401', '403', '500', '503', ...(route?.statuses ?? []).map(String)]
      for (const status of expected) assert.ok(responses[status], status)
      assert.deepEqual(security, route?.open ? [] : undefined)
      for (const [status, { description, content }] of Object.entries(responses)) {
        assert.ok(description)
        const schema = content['application/json']?.schema
        assert.ok(schema)
        if (route?.statuses.includes(Number(status))) continue
        assert.deepEqual(schema, { $ref: '#/components/schemas/Error' })
        for (const code of description.split(', ')) {
          assert.equal(FAILURES[code as keyof typeof FAILURES].status, Number(status))
        }
      }
    })
  }
})

describe('docs/http-api.md', () => {
  const text = readFileSync(new URL('../../../docs/http-api.md', import.meta.url), 'utf8')

  it('lists every code with its status and whether a retry can help', () => {
    const rows = text.matchAll(/^\| ([A-Z_]+) \| (\d{3}) \| (yes|no) \|$/gm)
    const table = Array.from(rows, ([, code, status, retry]) => [code, Number(status), retry === 'yes'])
    assert.deepEqual(
      table,
      Object.entries(FAILURES).map(([code, { status, retriable }]) => [code, status, retriable]),
    )
  })

  it('lists every route', () => {
    const rows = text.matchAll(/^\| `(GET|POST|PUT) (\/[^`? ]*)/gm)
    const table = Array.from(rows, ([, method, path]) => `${method} /v1${path}`)
    assert.deepEqual(table.sort(), ROUTES.map(({ method, path }) => `${method} ${path}`).sort())
  })
})
