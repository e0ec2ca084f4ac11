/** Plain JSON data: copied out of whatever a caller handed over, frozen, and written in one canonical form. */
import { hash } from 'node:crypto'
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
  try {
    return parsed(new Copying(name, maxValues).copy(value))
  } catch (error) {
    if (isFailure(error)) throw error
    throw new Failure('INVALID_INPUT', `${name} could not be read as plain JSON data. Send plain objects only.`, {
      details: { field: name },
      cause: error,
    })
  }
}

/** A copy under way. A class, since its functions made anew for each value would cost more than most values. */
class Copying {
  readonly #name: string
  readonly #maxValues: number
  readonly #path: (string | number)[] = []
  #values = 0

  constructor(name: string, maxValues: number) {
    this.#name = name
    this.#maxValues = maxValues
  }

  copy(item: unknown): Data {
    if (++this.#values > this.#maxValues) throw this.#tooMany()
    if (item === null || typeof item === 'boolean') return item
    if (typeof item === 'string') return item.toWellFormed()
    if (typeof item === 'number') {
      if (!Number.isFinite(item)) throw this.#refusal(`is ${item}, which is not a JSON number`)
      return item
    }
    if (typeof item !== 'object') throw this.#refusal(`is ${describe(item)}, which is not JSON`)
    if (this.#path.length >= MAX_DEPTH) throw this.#refusal(`is nested deeper than ${MAX_DEPTH} levels`)
    return Array.isArray(item) ? this.#copyList(item) : this.#copyObject(item as Record<string, unknown>)
  }

  #copyList(item: readonly unknown[]): Data {
    const { length } = item
    if (length > this.#maxValues) throw this.#tooMany()
    const list: Data[] = []
    for (let index = 0; index < length; index++) {
      this.#path.push(index)
      list.push(this.copy(item[index]))
      this.#path.pop()
    }
    return Object.freeze(list)
  }

  #copyObject(item: Record<string, unknown>): Data {
    const prototype = Object.getPrototypeOf(item)
    if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
      throw this.#refusal('is an instance of a class, not a plain object')
    }
    const object: Record<string, Data> = {}
    for (const key of Object.keys(item)) {
      if (FORBIDDEN_KEYS.has(key)) throw this.#refusal(`has the key ${JSON.stringify(key)}, which is never allowed`)
      const member = item[key]
      if (member === undefined) continue
      this.#path.push(key)
      object[key.toWellFormed()] = this.copy(member)
      this.#path.pop()
    }
    return Object.freeze(object)
  }

  #tooMany(): Failure {
    return this.#refusal(`holds more than ${this.#maxValues} values`)
  }

  #refusal(problem: string): Failure {
    return refusal(fieldOf(this.#name, this.#path), problem)
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

const fieldOf = (name: string, path: readonly (string | number)[]): string =>
  path.reduce<string>((at, key) => at + (typeof key === 'number' ? `[${key}]` : `.${brief(key, 60)}`), name)

function refusal(path: string, problem: string): Failure {
  const field = brief(path, 200)
  return new Failure('INVALID_INPUT', `${field} ${problem}. Send plain JSON data.`, { details: { field } })
}

/** The one canonical text of JSON data, with its strings made well-formed. Source: RFC 8785 (JSON Canonicalization Scheme). */
export function canonical(data: Data): string {
  if (typeof data === 'string') return quoted(data)
  if (typeof data !== 'object' || data === null) return JSON.stringify(data)
  let text = ''
  if (Array.isArray(data)) {
    for (const item of data) text += text === '' ? canonical(item) : `,${canonical(item)}`
    return `[${text}]`
  }
  const object = data as DataObject
  for (const key of sorted(Object.keys(object))) {
    const member = `${quoted(key)}:${canonical(object[key] as Data)}`
    text += text === '' ? member : `,${member}`
  }
  return `{${text}}`
}

/** Nothing that JSON escapes, and no surrogate, which may be alone. */
const PLAIN = /^[ !#-[\]-\ud7ff\ue000-\uffff]*$/
/** Above it the look at each character costs more than it saves. */
const SHORT = 100

const quoted = (text: string): string =>
  text.length < SHORT && PLAIN.test(text) ? `"${text}"` : JSON.stringify(text.toWellFormed())

const FEW = 16

/** By UTF-16 code units, which is what RFC 8785 section 3.2.3 asks for. In place: for a few keys, faster than `sort()`. */
function sorted(keys: string[]): string[] {
  if (keys.length > FEW) return keys.sort()
  for (let index = 1; index < keys.length; index++) {
    const key = keys[index] as string
    let place = index
    for (; place > 0 && (keys[place - 1] as string) > key; place--) keys[place] = keys[place - 1] as string
    keys[place] = key
  }
  return keys
}

/** Lower-case hexadecimal SHA-256 of the UTF-8 bytes of a text. */
export const sha256 = (text: string): string => hash('sha256', text, 'hex')
