/** One redactor for every text and every object that leaves: results, errors, log events, HTTP bodies, live output. */
import type { Found } from './boundary.js'
import { judgeKey, type KeyKind } from './key.js'
import { createRegistered, type Registered } from './registered.js'
import { createPosition, createScan, type KeyNames, type Rule } from './scan.js'
import { createStream, type RedactionStream } from './stream.js'
import { createWalk, type ValueLimits } from './walk.js'

const UNREADABLE = '[withheld: this text could not be checked for secrets]'

/** How often a rule matched. Never what it matched. */
export interface Finding {
  rule: string
  count: number
}

export interface Redactor {
  /** The text with every recognised secret replaced by a placeholder. Never throws: what cannot be checked is withheld. */
  text(input: string): string
  /**
   * A plain-data copy with secrets replaced in every string and under every secret key. Never throws: what cannot be
   * checked, or is larger than `limits`, is withheld whole, and a text says so instead.
   */
  value(input: unknown, limits?: ValueLimits): unknown
  /** For text that comes in pieces: however it is cut, what leaves is what {@link Redactor.text} makes of the whole. */
  stream(): RedactionStream
  /** What was replaced since the redactor was created, by rule. Rules that matched nothing are left out. */
  findings(): Finding[]
}

export interface RedactorOptions {
  /** The host's own secrets, 8 characters or more; shorter ones are ignored. Removed in every usual encoding. */
  registered?: readonly string[] | undefined
  /** Formats of the host's own. */
  rules?: readonly Rule[] | undefined
  /** Names whose values are secrets, or never are, whatever the built-in judgement; compared without regard to case. */
  keys?: KeyNames | undefined
  /** Texts longer than `maxLength` characters are withheld. Default: 64 Mi. */
  limits?: { maxLength?: number } | undefined
  /** `rule` writes `[REDACTED:<rule>]`, `plain` writes `[REDACTED]`. */
  placeholder?: 'rule' | 'plain' | undefined
}

/**
 * Creates a redactor. Findings are counted per redactor; texts are not kept.
 *
 * @example
 * ```ts
 * import { createRedactor } from 'skillgate/redaction'
 *
 * const redactor = createRedactor({ registered: ['correct-horse-battery'] })
 * redactor.text('DB_PASSWORD=hunter2 user=app') // DB_PASSWORD=[REDACTED:password] user=app
 * redactor.findings() // [{ rule: 'password', count: 1 }]
 * ```
 */
export function createRedactor(options: RedactorOptions = {}): Redactor {
  const { registered = [], rules = [], keys = {}, limits = {}, placeholder = 'rule' } = options
  const maxLength = limits.maxLength ?? 64 * 1024 * 1024
  const known = createRegistered(registered)
  const judge = judgeOf(keys)
  const scan = rules.length === 0 && judge === judgeKey ? sharedScan() : createScan(rules, judge, keys.secret ?? [])
  const counts = new Map<string, { written: string; count: number }>()

  /** Counts a finding and answers what to write in its place. */
  function mark({ rule, quote = '' }: Pick<Found, 'rule' | 'quote'>): string {
    let counted = counts.get(rule)
    if (counted === undefined) {
      counted = { written: placeholder === 'plain' ? '[REDACTED]' : `[REDACTED:${rule}]`, count: 0 }
      counts.set(rule, counted)
    }
    counted.count += 1
    return quote === '' ? counted.written : quote + counted.written + quote
  }

  const isSettled = (input: string): boolean => input.length <= maxLength && known?.read(input)(0, 0) === undefined

  function text(input: string): string {
    try {
      if (typeof input !== 'string' || input.length > maxLength) return UNREADABLE
      const output = known === undefined ? input : withoutRegistered(known, input)
      const first = scan.first(output)
      return first === -1 ? output : scanned(output, first)
    } catch {
      return UNREADABLE
    }
  }

  function withoutRegistered({ read }: Registered, input: string): string {
    const next = read(input)
    let output = ''
    let done = 0
    for (let found = next(0, 0); found !== undefined; found = next(done, done)) {
      output += input.slice(done, found.start) + mark(found)
      done = found.end
    }
    return done === 0 ? input : output + input.slice(done)
  }

  /** `first`: behind the first word that may count. */
  function scanned(input: string, first: number): string {
    let output = ''
    let done = 0
    const emit = (found: Found): void => {
      output += input.slice(done, found.start) + mark(found)
      done = found.end
    }
    scan.run(input, createPosition(first - 1), { limit: input.length, final: true, emit })
    return done === 0 ? input : output + input.slice(done)
  }

  return {
    text,
    value: createWalk({
      text,
      isClean: (input) => scan.first(input) === -1,
      isSettled,
      mark,
      judge,
      withheld: UNREADABLE,
    }),
    stream: () => createStream({ known, scan, mark, withheld: UNREADABLE }),
    findings: () => [...counts].map(([rule, { count }]) => ({ rule, count })),
  }
}

function judgeOf({ secret = [], harmless = [] }: KeyNames): (name: string) => KeyKind {
  if (secret.length === 0 && harmless.length === 0) return judgeKey
  const own = new Map<string, KeyKind>([
    ...harmless.map((name) => [name.toLowerCase(), 'none'] as const),
    ...secret.map((name) => [name.toLowerCase(), 'password'] as const),
  ])
  return (name) => own.get(name.toLowerCase()) ?? judgeKey(name)
}

/** The table of the built-in rules is the same for everybody, and is made when it is first needed. */
let shared: ReturnType<typeof createScan> | undefined
function sharedScan(): ReturnType<typeof createScan> {
  shared ??= createScan([], judgeKey, [])
  return shared
}
