/** Parses the body of `POST /containers/run`; a misspelt key would be a missing control, so none is let by. */
import { describe, Failure } from '../core/failure.js'
import type { RunSpec } from '../core/run-spec.js'

type Rule = [test: (value: unknown) => boolean, expected: string]

const texts: Rule = [(v) => Array.isArray(v) && v.every((item) => isText(item)), 'a list of strings']
const text: Rule = [(v) => isText(v), 'a string without NUL']
const number = (min: number): Rule => [
  (v) => typeof v === 'number' && Number.isFinite(v) && v >= min,
  `a number from ${min}`,
]
const integer = (min: number): Rule => [(v) => Number.isSafeInteger(v) && Number(v) >= min, `an integer from ${min}`]
const optional = ([test, expected]: Rule): Rule => [(v) => v === undefined || test(v), expected]

const MOUNT_FIELDS: Record<string, Rule> = {
  source: [isAbsolutePath, 'an absolute path'],
  target: [isAbsolutePath, 'an absolute path'],
  read_only: [(v) => typeof v === 'boolean', 'true or false'],
}

const SPEC_FIELDS: Record<keyof RunSpec, Rule> = {
  image: text,
  cmd: texts,
  entrypoint: optional(texts),
  env: [isEnvironment, 'an object of strings whose names have neither = nor NUL'],
  stdin: optional([(v) => typeof v === 'string', 'a string']),
  workdir: optional([isAbsolutePath, 'an absolute path']),
  timeout_ms: integer(1),
  memory_mb: number(6),
  cpus: number(0.01),
  pids: integer(1),
  network: [(v) => v === 'none' || v === 'open', '"none" or "open"'],
  mounts: [(v) => Array.isArray(v), 'a list of { source, target, read_only }'],
  output: [(v) => v instanceof Object, '{ keep_bytes, limit_bytes }'],
}

/** Throws INVALID_INPUT naming the first field that is missing, unknown or of the wrong kind. */
export function parseRunSpec(body: unknown): RunSpec {
  checkFields(body, SPEC_FIELDS, 'body')
  const spec = body as unknown as RunSpec
  spec.mounts.forEach((mount, index) => {
    checkFields(mount, MOUNT_FIELDS, `mounts.${index}`)
  })
  checkFields(spec.output, { keep_bytes: integer(0), limit_bytes: integer(1) }, 'output')
  return spec
}

function checkFields(value: unknown, rules: Record<string, Rule>, path: string): void {
  if (!(value instanceof Object) || Array.isArray(value)) throw refused(path, value, 'an object')
  const fields = value as Record<string, unknown>
  const name = (field: string) => (path === 'body' ? field : `${path}.${field}`)
  for (const field of Object.keys(fields)) {
    if (!Object.hasOwn(rules, field)) throw refused(name(field), fields[field], 'absent: there is no such field')
  }
  for (const [field, [test, expected]] of Object.entries(rules)) {
    if (!test(fields[field])) throw refused(name(field), fields[field], expected)
  }
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && !value.includes('\0')
}

/** `.` and `..` would name another place than the one that was judged. */
function isAbsolutePath(value: unknown): boolean {
  return typeof value === 'string' && /^\/[^\0]*$/.test(value) && !/\/\.{1,2}(\/|$)/.test(value)
}

function isEnvironment(value: unknown): boolean {
  if (!(value instanceof Object) || Array.isArray(value)) return false
  return Object.entries(value).every(([name, item]) => /^[^=\0]+$/.test(name) && isText(item))
}

function refused(field: string, value: unknown, expected: string): Failure {
  return new Failure('INVALID_INPUT', `${field} must be ${expected}, got ${describe(value)}.`, { details: { field } })
}
