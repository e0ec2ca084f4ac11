/** Plain JSON data: copied out of whatever a caller handed over, frozen, and written in one canonical form. */
import { createHash } from 'node:crypto'
import { brief, describe, Failure, isFailure } from './failure.js'

export type Data = null | boolean | number | string | readonly Data[] | { readonly [key: string]: Data }
export type DataObject = { readonly [key: string]: Data }

const MAX_DEPTH = 32
const MAX_VALUES = 100_000
const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype'])

/**
 * Copies a value into frozen plain JSON data, reading each property once, so that what is judged later is what was
 * read here even if the caller's object changes. `undefined` members are dropped, strings become well-formed Unicode.
 * Throws INVALID_INPUT naming the path for anything that is not JSON, nested deeper than 32, or keyed `__proto__`.
 */
export function parseData(value: unknown, name = 'value', { maxValues = MAX_VALUES } = {}): Data {
  if (typeof value === 'object' && value !== null && PARSED.has(value)) return value as Data
  let values = 0
  const copy = (item: unknown, path: string, depth: number): Data => {
    if (++values > maxValues) throw refusal(path, `holds more than ${maxValues} values`)
    if (item === null || typeof item === 'boolean') return item
    if (typeof item === 'string') return item.toWellFormed()
    if (typeof item === 'number') {
      if (!Number.isFinite(item)) throw refusal(path, `is ${item}, which is not a JSON number`)
      return item
    }
    if (typeof item !== 'object') throw refusal(path, `is ${describe(item)}, which is not JSON`)
    if (depth >= MAX_DEPTH) throw refusal(path, `is nested deeper than ${MAX_DEPTH} levels`)
    if (Array.isArray(item)) {
      const { length } = item
      if (length > maxValues) throw refusal(path, `holds more than ${maxValues} values`)
      const list: Data[] = []
      for (let index = 0; index < length; index++) list.push(copy(item[index], `${path}[${index}]`, depth + 1))
      return Object.freeze(list)
    }
    const prototype = Object.getPrototypeOf(item)
    if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
      throw refusal(path, 'is an instance of a class, not a plain object')
    }
    const object: Record<string, Data> = {}
    for (const key of Object.keys(item)) {
      if (FORBIDDEN_KEYS.has(key)) throw refusal(path, `has the key ${JSON.stringify(key)}, which is never allowed`)
      const member = (item as Record<string, unknown>)[key]
      if (member !== undefined) object[key.toWellFormed()] = copy(member, `${path}.${brief(key, 60)}`, depth + 1)
    }
    return Object.freeze(object)
  }
  try {
    return parsed(copy(value, name, 0))
  } catch (error) {
    if (isFailure(error)) throw error
    throw new Failure('INVALID_INPUT', `${name} could not be read as plain JSON data. Send plain objects only.`, {
      details: { field: name },
      cause: error,
    })
  }
}

/** What was copied here is frozen and need not be copied again. */
const PARSED = new WeakSet<object>()

function parsed<T extends Data>(data: T): T {
  if (typeof data === 'object' && data !== null) PARSED.add(data)
  return data
}

/** The data without the members that `drop` names; itself when there are none. */
export function omit(data: DataObject, drop: (key: string, member: Data) => boolean): DataObject {
  const kept: Record<string, Data> = {}
  let dropped = false
  for (const key of Object.keys(data)) {
    const member = data[key] as Data
    if (drop(key, member)) dropped = true
    else kept[key] = member
  }
  return dropped ? parsed(Object.freeze(kept)) : data
}

/** As {@link parseData}, for a value that must be an object. */
export function parseObject(value: unknown, name: string): DataObject {
  const data = typeof value === 'object' && value !== null ? parseData(value, name) : undefined
  if (data !== undefined && !Array.isArray(data)) return data as DataObject
  throw new Failure('INVALID_INPUT', `${name} must be an object, got ${describe(value)}.`, { details: { field: name } })
}

function refusal(path: string, problem: string): Failure {
  const field = brief(path, 200)
  return new Failure('INVALID_INPUT', `${field} ${problem}. Send plain JSON data.`, { details: { field } })
}

/** The one canonical text of JSON data. Source: RFC 8785 (JSON Canonicalization Scheme). */
export function canonical(data: Data): string {
  if (Array.isArray(data)) return `[${data.map(canonical).join(',')}]`
  if (typeof data !== 'object' || data === null) return JSON.stringify(data)
  const object = data as DataObject
  // Default sort order is by UTF-16 code units, which is what RFC 8785 section 3.2.3 asks for.
  const members = Object.keys(object).sort()
  return `{${members.map((key) => `${JSON.stringify(key)}:${canonical(object[key] as Data)}`).join(',')}}`
}

/** Lower-case hexadecimal SHA-256 of the UTF-8 bytes of the pieces, in order. */
export function sha256(...pieces: string[]): string {
  const hash = createHash('sha256')
  for (const piece of pieces) hash.update(piece, 'utf8')
  return hash.digest('hex')
}
