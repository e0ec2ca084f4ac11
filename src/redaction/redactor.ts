/** One redactor for every text and every object that leaves: results, errors, log events, HTTP bodies. */
import { isSecretKey } from './key.js'
import { ASSIGNMENT, isSuspect, RULES } from './rule.js'

const REDACTED = '[REDACTED]'
const UNREADABLE = '[withheld: this text could not be checked for secrets]'
const MIN_REGISTERED = 8
/** Below the 32 levels that logged data may have. */
const MAX_DEPTH = 24
const MAX_KEYS = 2_000
const MAX_REMEMBERED = 5_000
const MAX_REMEMBERED_LENGTH = 200
/** More than any answer may hold: a value that refers to itself would never end. */
const WIDEST: ValueLimits = { maxValues: 1_000_000, maxLength: 256 * 1024 * 1024 }
/** Keys that plain data never has; upstream data that does keeps them under another name. */
const UNSAFE_KEYS = new Set(['__proto__', 'constructor', 'prototype'])

export interface Redactor {
  /** The text with every recognised secret replaced by `[REDACTED]`. Never throws: what cannot be checked is withheld. */
  text(input: string): string
  /**
   * A plain-data copy with secrets replaced in every string and under every secret key. Never throws: what cannot be
   * checked, or is larger than `limits`, is withheld whole, and a text says so instead.
   */
  value(input: unknown, limits?: ValueLimits): unknown
}

export interface ValueLimits {
  /** Values in all: members, list items and what holds them. */
  maxValues: number
  /** Characters of all strings and keys. */
  maxLength: number
}

/**
 * Creates a redactor. `registered` are the host's own secrets (8 characters or more), removed wherever they appear.
 *
 * @example
 * ```ts
 * import { createRedactor } from 'skillgate'
 *
 * const redactor = createRedactor({ registered: ['correct-horse-battery'] })
 * redactor.text('DB_PASSWORD=hunter2 user=app') // DB_PASSWORD=[REDACTED] user=app
 * ```
 */
export function createRedactor({ registered = [] }: { registered?: readonly string[] } = {}): Redactor {
  const forms = registered.filter((value) => value.length >= MIN_REGISTERED).flatMap(writtenForms)
  const known = [...new Set(forms)].sort((a, b) => b.length - a.length)

  const harmless = new Set<string>()
  const keys = new Map<string, { secret: boolean; shown: string }>()

  function text(input: string): string {
    if (typeof input !== 'string' || input.length > MAX_REMEMBERED_LENGTH) return redact(input)
    if (harmless.has(input)) return input
    const output = redact(input)
    // Ids, states and names come again and again; what was clean once is clean.
    if (output === input) {
      if (harmless.size >= MAX_REMEMBERED) harmless.clear()
      harmless.add(input)
    }
    return output
  }

  function redact(input: string): string {
    try {
      let output = input
      for (const value of known) output = output.replaceAll(value, REDACTED)
      if (!isSuspect(output)) return output
      for (const rule of RULES) {
        output = output.replace(rule, (_match, kept) => (typeof kept === 'string' ? kept + REDACTED : REDACTED))
      }
      return redactAssignments(output)
    } catch {
      return UNREADABLE
    }
  }

  function value(input: unknown, { maxValues, maxLength } = WIDEST): unknown {
    try {
      return walk(input, 0, { values: maxValues, length: maxLength })
    } catch {
      return UNREADABLE
    }
  }

  function walk(item: unknown, depth: number, left: Left): unknown {
    if (typeof item === 'string') {
      take(left, item.length)
      return text(item)
    }
    take(left, 0)
    if (item === null || typeof item === 'boolean') return item
    if (typeof item === 'number') return Number.isFinite(item) ? item : null
    if (typeof item === 'bigint') return String(item)
    if (typeof item !== 'object') return undefined
    if (depth >= MAX_DEPTH) return UNREADABLE
    if (Array.isArray(item)) {
      return item.map((member, index) => {
        if (typeof member !== 'string') return walk(member, depth + 1, left) ?? null
        take(left, member.length)
        return listItem(member, item[index - 1])
      })
    }
    if (item instanceof Date) return Number.isNaN(item.getTime()) ? null : item.toISOString()
    const object: Record<string, unknown> = {}
    for (const key of Object.keys(item)) {
      const member = (item as Record<string, unknown>)[key]
      const { secret, shown } = judgeKey(key)
      left.length -= key.length
      // A list under a secret key is a list of secrets; an object has keys of its own that say more.
      const hidden = secret && Array.isArray(member) ? member.map((item) => (isLeaf(item) ? REDACTED : item)) : member
      const cleaned = secret && isLeaf(member) ? REDACTED : walk(hidden, depth + 1, left)
      if (cleaned !== undefined) object[shown] = cleaned
    }
    return object
  }

  /** The same few keys come again and again. */
  function judgeKey(key: string): { secret: boolean; shown: string } {
    const known = keys.get(key)
    if (known !== undefined) return known
    const judged = { secret: isSecretKey(key), shown: UNSAFE_KEYS.has(key) ? `(${key})` : text(key) }
    if (keys.size >= MAX_KEYS) keys.clear()
    if (key.length <= 200) keys.set(key, judged)
    return judged
  }

  /**
   * In a list, `NAME=value` is an environment entry, whose value runs to the end of the string, blanks included, and
   * what follows `--password` is its value.
   */
  function listItem(item: string, before: unknown): string {
    const flag =
      typeof before === 'string' && before.startsWith('-') && /^--?([A-Za-z][\w.-]{0,100})$/.exec(before)?.[1]
    if (flag && isSecretKey(flag) && isLeaf(item)) return REDACTED
    const split = item.indexOf('=')
    const name = split > 0 && split < item.length - 1 ? item.slice(0, split) : ''
    return /^[\w.-]+$/.test(name) && judgeKey(name).secret ? `${name}=${REDACTED}` : text(item)
  }

  return { text, value }
}

interface Left {
  values: number
  length: number
}

function take(left: Left, length: number): void {
  left.values -= 1
  left.length -= length
  if (left.values < 0 || left.length < 0) throw new RangeError('larger than the limits')
}

/** A secret as it is, as JSON and as a URL write it. */
const writtenForms = (value: string): string[] => [
  value,
  JSON.stringify(value).slice(1, -1),
  encodeURIComponent(value.toWellFormed()),
]

const isLeaf = (member: unknown): boolean => (typeof member === 'string' && member !== '') || typeof member === 'number'

function redactAssignments(input: string): string {
  let output = ''
  let done = 0
  ASSIGNMENT.lastIndex = 0
  for (let match = ASSIGNMENT.exec(input); match !== null; match = ASSIGNMENT.exec(input)) {
    const [whole, , name = '', separator = '', quote] = match
    if (!isSecretKey(name) || (separator === ':' && isReference(input, match.index, match.index + whole.length))) {
      // A harmless name may be followed directly by a secret one, so search again right behind the name.
      ASSIGNMENT.lastIndex = match.index + name.length + 1
      continue
    }
    const start = match.index + whole.length
    const end = endOfValue(input, start, quote, separator.includes('='))
    if (end === start || input.startsWith(REDACTED, start)) {
      ASSIGNMENT.lastIndex = Math.max(end, start)
      continue
    }
    output += input.slice(done, start) + REDACTED
    done = end
    ASSIGNMENT.lastIndex = end
  }
  return done === 0 ? input : output + input.slice(done)
}

/** True where `name:value` is part of an image reference: `acme/auth:1.4`, `auth.acme.io:5000/tool`, `auth:1@sha256:…`. */
function isReference(input: string, start: number, valueAt: number): boolean {
  if (input[start - 1] === '/') return true
  return /^(?:\d{1,5}\/|[\w.-]{1,128}@sha256:[0-9a-f]{64})/.test(input.slice(valueAt, valueAt + 210))
}

/** Where the value ends: at its closing quote, else at the first character that no unquoted value holds. */
function endOfValue(input: string, start: number, quote: string | undefined, assigned: boolean): number {
  if (quote !== undefined) {
    for (let index = start; index < input.length; index++) {
      if (input.startsWith(quote, index)) return index
      if (quote.length === 1 && input[index] === '\\') index++
    }
    return input.length
  }
  const stop = assigned ? /[\s&;,"'<>)\]}]/g : /[\s,;"'<>)\]}]/g
  stop.lastIndex = start
  return stop.exec(input)?.index ?? input.length
}
