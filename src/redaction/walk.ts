/** Redacts structured data by walking it: environments, labels, arguments, pairs, JSON in strings, errors. */
import type { Found } from './boundary.js'
import { secretsInList } from './command-line.js'
import { type KeyKind, saysLittle } from './key.js'
import { isPlausible } from './plausible.js'
import { isSanitary, type Removed, sanitizeUntrusted } from './untrusted.js'

/** Below the 32 levels that logged data may have. */
const MAX_DEPTH = 24
const MAX_KEYS = 2_000
const MAX_EMBEDDED = 256 * 1024
/** More than any answer may hold: a value that refers to itself would never end. */
const WIDEST: ValueLimits = { maxValues: 1_000_000, maxLength: 256 * 1024 * 1024 }
/** Keys that plain data never has; upstream data that does keeps them under another name. */
const UNSAFE_KEYS = new Set(['__proto__', 'constructor', 'prototype'])
/** Environment entries and arguments are no prose. */
const FLAT = { quoted: false, loose: false, tight: false, mentioned: false }
const STRUCTURED = { quoted: true, loose: false, tight: false, mentioned: false }

export interface ValueLimits {
  /** Values in all: members, list items and what holds them. */
  maxValues: number
  /** Characters of all strings and keys. */
  maxLength: number
  /** Given: each text is made fit to be shown first ({@link sanitizeUntrusted}), and what was removed is counted here. */
  removed?: Removed | undefined
}

interface WalkOptions {
  text(input: string): string
  /** True when no word of any rule occurs. */
  isClean(input: string): boolean
  /** True for a clean text of which nothing else is to be replaced. */
  isSettled(input: string): boolean
  mark(found: Pick<Found, 'rule'>): string
  judge(name: string): KeyKind
  withheld: string
}

interface JudgedKey {
  kind: KeyKind
  shown: string
  /** It is shown as it is, and says nothing of its value or another's. */
  plain: boolean
}

interface Left {
  values: number
  length: number
  /** Within a string already: JSON in JSON is read as text. */
  embedded: boolean
  removed: ValueLimits['removed']
}

export function createWalk({ text, isClean, isSettled, mark, judge, withheld }: WalkOptions) {
  const keys = new Map<string, JudgedKey>()

  function walk(item: unknown, depth: number, left: Left): unknown {
    if (typeof item === 'string') {
      take(left, item.length)
      return string(sanitized(item, left), depth, left)
    }
    take(left, 0)
    if (item === null || typeof item === 'boolean') return item
    if (typeof item === 'number') return Number.isFinite(item) ? item : null
    if (typeof item === 'bigint') return String(item)
    if (typeof item !== 'object') return undefined
    if (depth >= MAX_DEPTH) return withheld
    if (Array.isArray(item)) return list(item, depth, left)
    if (item instanceof Date) return Number.isNaN(item.getTime()) ? null : item.toISOString()
    if (item instanceof Error) return members(errorParts(item), depth, left)
    if (item instanceof Map)
      return members(Object.fromEntries([...item].map(([key, member]) => [String(key), member])), depth, left)
    if (item instanceof Set) return list([...item], depth, left)
    return members(item as Record<string, unknown>, depth, left)
  }

  function members(
    item: Record<string, unknown>,
    depth: number,
    left: Left,
    within = item.kind,
  ): Record<string, unknown> {
    // A copy has the shape of what is copied, which takes less than to give it one member after the other.
    const object: Record<string, unknown> = { ...item }
    let renamed: Map<string, string | undefined> | undefined
    const isSealed = within === 'Secret' || item.sensitive === true
    for (const key of Object.keys(object)) {
      const member = object[key]
      left.length -= key.length
      const judged = judgeMember(key, left)
      const kind = judged.plain ? 'none' : kindOf(judged, key, item)
      const cleaned =
        within === 'SecretList' && key === 'items' && Array.isArray(member)
          ? secrets(member, depth, left)
          : isSealed && SEALED_KEYS.has(key)
            ? sealed(member, depth, left)
            : kind !== 'none'
              ? secretMember(member, kind, depth, left)
              : Array.isArray(member)
                ? list(member, depth + 1, left, programOf(key, item))
                : walk(member, depth + 1, left)
      if (cleaned !== member) object[key] = cleaned
      if (cleaned === undefined || judged.shown !== key) {
        renamed ??= new Map()
        renamed.set(key, cleaned === undefined ? undefined : judged.shown)
      }
    }
    return renamed === undefined && Object.getOwnPropertySymbols(object).length === 0 ? object : rename(object, renamed)
  }

  /** The items of such a list do not say what they are. */
  function secrets(items: readonly unknown[], depth: number, left: Left): unknown[] | string {
    if (depth + 1 >= MAX_DEPTH) return withheld
    return items.map((item) =>
      typeof item === 'object' && item !== null && !Array.isArray(item)
        ? members(item as Record<string, unknown>, depth + 2, left, 'Secret')
        : (walk(item, depth + 2, left) ?? null),
    )
  }

  /** What a Kubernetes secret holds, and an output of Terraform that is called sensitive: whatever it is called. */
  function sealed(member: unknown, depth: number, left: Left): unknown {
    if (typeof member === 'string' && member !== '' && !member.startsWith('[REDACTED')) {
      take(left, member.length)
      return mark({ rule: 'secret' })
    }
    if (typeof member !== 'object' || member === null || Array.isArray(member)) return walk(member, depth + 1, left)
    take(left, 0)
    if (depth + 1 >= MAX_DEPTH) return withheld
    const object: Record<string, unknown> = {}
    for (const [key, inner] of Object.entries(member)) {
      left.length -= key.length
      const { shown } = judgeMember(key, left)
      const cleaned = OPEN_KEYS.test(key) ? walk(inner, depth + 2, left) : sealed(inner, depth + 1, left)
      if (cleaned !== undefined) object[shown] = cleaned
    }
    return object
  }

  function kindOf({ kind }: JudgedKey, key: string, item: Record<string, unknown>): KeyKind {
    const named = VALUE_KEYS.has(key) ? pairName(item) : undefined
    if (named !== undefined) return judge(named)
    // Docker's own secrets are referred to by their ids.
    return saysLittle(kind) && key === 'SecretID' && 'SecretName' in item ? 'none' : kind
  }

  /** A list under a secret key is a list of secrets; an object has keys of its own that say more. */
  function secretMember(member: unknown, kind: KeyKind, depth: number, left: Left): unknown {
    if (Array.isArray(member)) {
      take(left, 0)
      if (depth + 1 >= MAX_DEPTH) return withheld
      return member.map((item) =>
        isLeaf(item) ? secretMember(item, kind, depth + 1, left) : (walk(item, depth + 2, left) ?? null),
      )
    }
    if (typeof member === 'number' && (kind === 'password' || Math.abs(member) > 99_999))
      return mark({ rule: ruleOf(kind) })
    if (kind !== 'weak' && isOutput(member)) {
      const cleaned = members(member, depth + 1, left)
      if (cleaned.value === member.value) cleaned.value = secretMember(member.value, kind, depth + 1, left)
      return cleaned
    }
    if (typeof member !== 'string' || member === '' || !isSecret(member, kind)) return walk(member, depth + 1, left)
    take(left, member.length)
    return mark({ rule: ruleOf(kind) })
  }

  /** Labels are keys too. */
  function judgeMember(key: string, left: Left): JudgedKey {
    const known = keys.get(key)
    if (known?.plain) return known
    const cleaned = sanitized(key, left)
    return keys.get(cleaned) ?? judgeKey(cleaned)
  }

  function judgeKey(key: string): JudgedKey {
    const kind = /^auth$/i.test(key) ? 'secret' : judge(key)
    const shown = UNSAFE_KEYS.has(key) ? `(${key})` : text(key)
    const judged = { kind, shown, plain: kind === 'none' && shown === key && !VALUE_KEYS.has(key) && isSanitary(key) }
    if (keys.size >= MAX_KEYS) keys.clear()
    if (key.length <= 200) keys.set(key, judged)
    return judged
  }

  function list(items: readonly unknown[], depth: number, left: Left, program?: string): unknown[] | string {
    if (depth >= MAX_DEPTH) return withheld
    if (!items.some(isText)) return items.map((item) => walk(item, depth + 1, left) ?? null)
    const cleaned = items.map((item) => (typeof item === 'string' ? sanitized(item, left) : item))
    const kept = secretsInList(cleaned, program)
    return cleaned.map((member, index) => {
      if (typeof member !== 'string') return walk(member, depth + 1, left) ?? null
      take(left, member.length)
      return listItem(member, cleaned[index - 1], kept.get(index), depth, left)
    })
  }

  /**
   * In a list, `NAME=value` is an environment entry, whose value runs to the end of the string, blanks included, and
   * what follows `--password` is its value.
   */
  function listItem(item: string, before: unknown, kept: number | undefined, depth: number, left: Left): string {
    if (typeof before === 'string' && before.charCodeAt(0) === 45 && item.charCodeAt(0) !== 45) {
      const flag = /^--?([A-Za-z][\w.-]{0,100})$/.exec(before)?.[1]
      if (flag !== undefined && item !== '') {
        const { kind } = keys.get(flag) ?? judgeKey(flag)
        if (kind !== 'none' && isSecret(item, kind, FLAT)) return mark({ rule: ruleOf(kind) })
      }
    }
    if (kept !== undefined && !item.startsWith('[REDACTED', kept))
      return item.slice(0, kept) + mark({ rule: 'cli-argument' })
    // A command of a shell begins with its environment.
    if (typeof before === 'string' && /^-[a-z]{0,3}c$/.test(before) && item.includes(' '))
      return string(item, depth, left)
    const split = item.indexOf('=')
    const name = split > 0 && split < 160 && split < item.length - 1 ? item.slice(0, split) : ''
    if (/^-{0,2}[\w.-]+$/.test(name)) {
      const { kind } = keys.get(name) ?? judgeKey(name)
      const value = item.slice(split + 1)
      if (kind !== 'none' && isSecret(value, kind, FLAT)) return `${name}=${mark({ rule: ruleOf(kind) })}`
      if (kind !== 'none' && text(value) === value) return item
      const inner = string(value, depth, left)
      if (inner !== value) return `${item.slice(0, split + 1)}${inner}`
    }
    return string(item, depth, left)
  }

  /** JSON inside a string is walked as well, once. */
  function string(item: string, depth: number, left: Left): string {
    if (isClean(item)) return isSettled(item) ? item : text(item)
    const first = item.charCodeAt(0)
    if ((first === 123 || first === 91) && item.length <= MAX_EMBEDDED && depth < MAX_DEPTH && !left.embedded) {
      const parsed = parseJson(item)
      if (parsed !== undefined) {
        const inner = { ...left, embedded: true }
        const cleaned = JSON.stringify(walk(parsed, depth + 1, inner))
        left.values = inner.values
        return cleaned === JSON.stringify(parsed) ? text(item) : text(cleaned)
      }
    }
    return text(item)
  }

  return (input: unknown, { maxValues, maxLength, removed }: ValueLimits = WIDEST): unknown => {
    try {
      return walk(input, 0, { values: maxValues, length: maxLength, embedded: false, removed })
    } catch {
      return withheld
    }
  }
}

/** The members under their new names, without those that have none. */
function rename(object: Record<string, unknown>, names = new Map<string, string | undefined>()) {
  const renamed: Record<string, unknown> = {}
  for (const key of Object.keys(object)) {
    const name = names.has(key) ? names.get(key) : key
    if (name !== undefined) renamed[name] = object[key]
  }
  return renamed
}

const isText = (item: unknown): boolean => typeof item === 'string'

function sanitized(text: string, { removed }: Left): string {
  if (removed === undefined || isSanitary(text)) return text
  return sanitizeUntrusted(text, { maxLength: Number.POSITIVE_INFINITY, removed }).text
}

const SEALED_KEYS = new Set(['data', 'stringData', 'value'])
/** Stand beside secrets, and are none. */
const OPEN_KEYS =
  /^(?:user(?:name)?|host(?:name)?|port|db(?:name)?|database|namespace|type|region|endpoint|email|(?:ca|tls)\.crt)$/i

/** `"db_password": { "value": "x", "type": "string" }` */
const isOutput = (member: unknown): member is Record<string, unknown> & { value: string } =>
  typeof member === 'object' &&
  member !== null &&
  !Array.isArray(member) &&
  'value' in member &&
  typeof member.value === 'string' &&
  pairName(member as Record<string, unknown>) === undefined

/** Where an engine keeps arguments apart from the program that they are for. */
const ARGUMENT_LISTS = new Set(['arguments', 'Args', 'args', 'Cmd', 'command'])

function programOf(key: string, item: Record<string, unknown>): string | undefined {
  if (!ARGUMENT_LISTS.has(key)) return undefined
  for (const holder of ['entrypoint', 'Entrypoint', 'Path', 'command']) {
    const program = holder === key ? undefined : item[holder]
    const first = Array.isArray(program) ? program[0] : program
    if (typeof first === 'string') return first
  }
  return undefined
}

const VALUE_KEYS = new Set(['value', 'Value', 'VALUE', 'val'])

/** `{ name: 'DB_PASSWORD', value: … }`: what the value is called. */
function pairName(item: Record<string, unknown>): string | undefined {
  if (!('value' in item || 'Value' in item || 'VALUE' in item || 'val' in item)) return undefined
  const name = item.name ?? item.Name ?? item.key ?? item.Key ?? item.NAME
  return typeof name === 'string' ? name : undefined
}

function errorParts(error: Error): Record<string, unknown> {
  const { name, message, stack, cause } = error
  return { ...error, name, message, stack, ...(cause !== undefined && { cause }) }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const ruleOf = (kind: KeyKind): string => (saysLittle(kind) ? 'secret' : kind)

const isSecret = (value: string, kind: KeyKind, surroundings = STRUCTURED): boolean =>
  !value.startsWith('[REDACTED') &&
  isPlausible(value, kind === 'authorization' || kind === 'cookie' ? 'password' : kind, surroundings)

function take(left: Left, length: number): void {
  left.values -= 1
  left.length -= length
  if (left.values < 0 || left.length < 0) throw new RangeError('larger than the limits')
}

const isLeaf = (member: unknown): boolean => typeof member === 'string' || typeof member === 'number'
