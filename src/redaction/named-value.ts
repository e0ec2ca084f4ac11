/** The value behind a secret name: where it ends, and whether it is one. */
import { type Detection, isBlank, type Source, STARVED } from './boundary.js'
import { quotedEnd, unquotedEnd, wrappedEnd } from './extent.js'
import { type KeyKind, saysLittle } from './key.js'
import { isPlausible, looksMixed, looksOpaque, looksRandom, type Surroundings } from './plausible.js'

/** A secret name in a text. */
export interface Name {
  name: string
  from: number
  to: number
  kind: KeyKind
  /** It follows `-` or `--`. */
  flag: boolean
}

export const at = (pattern: RegExp, text: string, index: number): RegExpExecArray | null => {
  pattern.lastIndex = index
  return pattern.exec(text)
}

export const ruleOf = (kind: KeyKind): string => (saysLittle(kind) ? 'secret' : kind)

/** A value of which nothing more is known than where it begins. */
export function plainValue(rule: string, kind: KeyKind, start: number, quote: string | undefined): ValueOptions {
  return {
    rule,
    kind,
    start,
    quote,
    loose: false,
    tight: false,
    mentioned: false,
    query: false,
    encoded: false,
    element: false,
    wholeLine: false,
    json: undefined,
  }
}

export interface ValueOptions {
  rule: string
  kind: KeyKind
  start: number
  quote: string | undefined
  loose: boolean
  tight: boolean
  mentioned: boolean
  query: boolean
  encoded: boolean
  element: boolean
  wholeLine: boolean
  json: string | undefined
}

/** Whether it looks random shows in the first characters. */
const WEAK_HEAD = 128

export function namedValue(source: Source, options: ValueOptions): Detection {
  const { rule, kind, start, quote, loose, tight, mentioned, json } = options
  const { query, encoded, element, wholeLine } = options
  const { text } = source
  if (text.charCodeAt(start) === 91 && text.startsWith('[REDACTED', start)) return undefined
  if (quote === undefined && saysLittle(kind) && !isLongWord(text, start)) return undefined
  if (tight && quote === undefined) {
    const run = scopeEnd(text, start)
    // Scopes (`secret:token:read`) hold nothing that a part of them does not hold.
    const assigns = /^[^\S\n]{0,3}=/.test(text.slice(run, run + 4))
    // `Auth:Jwt:SigningSecret = x`: what follows is the name.
    if (assigns && /^[A-Za-z_]\w*(?:[:.][A-Za-z_]\w*)*$/.test(text.slice(start, Math.min(run, start + 80))))
      return undefined
    if (
      run > start &&
      !assigns &&
      (run - start >= 400 || saysLittle(kind)) &&
      !hasMixedLetters(text.slice(start, run))
    ) {
      source.judged = Math.max(source.judged, run)
      return undefined
    }
  }
  if (mentioned && quote === undefined && isLowerWord(text, start)) return undefined
  const end =
    quote === undefined
      ? unquotedEnd(source, start, { query, encoded, element, wholeLine })
      : quotedEnd(source, start, quote)
  if (end === STARVED) return STARVED
  if (end <= start || (element && text.charCodeAt(end) !== 60)) return undefined
  if (saysLittle(kind)) {
    const head = text.slice(start, Math.min(end, start + WEAK_HEAD))
    if (!(kind === 'weak' ? looksRandom(head) : looksOpaque(head))) return undefined
  }
  const written = text.slice(start, end)
  // `token: Option<String>`: a type with a type in it.
  if (quote === undefined && text.charCodeAt(end) === 60 && /^[A-Z][A-Za-z]{1,20}$/.test(written)) return undefined
  if (quote === undefined && end - start < 40 && isItself(text, start, written)) return undefined
  const surroundings = { quoted: quote !== undefined || element, loose, tight, mentioned }
  if (!judgedValue(source, written, kind, surroundings)) {
    // Scopes (`secret:token:read`) hold nothing that a part of them does not hold.
    if (tight && !/^[^\S\n]{0,3}=/.test(text.slice(end, end + 4)) && !/\d/.test(written.slice(0, 400)))
      source.judged = Math.max(source.judged, Math.min(end, start + 400))
    return undefined
  }
  if (quote === undefined && loose && !wholeLine && !tight && !saysLittle(kind) && !looksMixed(written.slice(0, 400))) {
    // A sentence behind a name is seen by its words, not by its first.
    const seen = text.slice(start, wordsEnd(text, start, Math.min(source.lineEnd(start), start + 60)))
    if (!judgedValue(source, seen, kind, surroundings)) return undefined
  }
  if (quote === undefined && isReference(text, options, written)) return undefined
  const last = quote === undefined && !element ? wrappedEnd(source, start, end) : end
  if (last === STARVED) return last
  return { rule, start, end: last, ...(json !== undefined && /^[-\d.truefalsn]+$/.test(written) && { quote: json }) }
}

/** Where the first sign stands that sentences do not have, or a blank before a hyphen. */
function wordsEnd(text: string, start: number, end: number): number {
  for (let index = start; index < end; index++) {
    const code = text.charCodeAt(index)
    if (code < 128 ? SIGNS[code] === 1 : code === 0xa0 || code > 0x1679) {
      if (!isBlank(code)) {
        if (code < 128) return index
      } else if (index + 1 < end && text.charCodeAt(index + 1) === 45) return index
    }
  }
  return end
}

const SIGNS = new Uint8Array(128)
for (const sign of '=:"\'`[]{}<>| \t\n\v\f\r') SIGNS[sign.charCodeAt(0)] = 1

const KINDS: readonly KeyKind[] = ['password', 'secret', 'weak', 'opaque', 'authorization', 'cookie', 'none']
/** A short text asks too seldom for its answers to be worth keeping. */
const SELDOM = 16
const MAX_VERDICTS = 256

/** {@link isPlausible}, remembered for as long as the text is read. */
export function judgedValue(source: Source, written: string, kind: KeyKind, surroundings: Surroundings): boolean {
  if (source.looks < SELDOM) return isPlausible(written, kind, surroundings)
  const { quoted, loose, tight, mentioned } = surroundings
  const place = (KINDS.indexOf(kind) << 4) | (quoted ? 8 : 0) | (loose ? 4 : 0) | (tight ? 2 : 0) | (mentioned ? 1 : 0)
  source.verdicts ??= []
  let verdicts = source.verdicts[place]
  if (verdicts === undefined) source.verdicts[place] = verdicts = new Map()
  // No more of a value is looked at.
  const head = written.length > 400 ? written.slice(0, 400) : written
  let verdict = verdicts.get(head)
  if (verdict === undefined) {
    if (verdicts.size >= MAX_VERDICTS) verdicts.clear()
    verdict = isPlausible(head, kind, surroundings)
    verdicts.set(head, verdict)
  }
  return verdict
}

/** `self.password = password`, `connect(user=user, password=password)`: code hands a value on. */
function isItself(text: string, start: number, written: string): boolean {
  if (text.charCodeAt(start - 1) !== 61) {
    return text.charCodeAt(start - 2) === 61 && text.slice(start - written.length - 3, start) === `${written} = `
  }
  const name = start - written.length - 1
  return (
    text.slice(name, start) === `${written}=` &&
    /\b(\w{2,40})=\1,\s{0,4}$/.test(text.slice(Math.max(0, name - 89), name))
  )
}

const hasMixedLetters = (letters: string): boolean => /[A-Z]/.test(letters) && looksMixed(letters)

/** Letters, colons and the like, of which scopes are made. */
const SCOPE = /[A-Za-z:.*]{0,400}/y

/** Where a scope ends, 400 characters ahead at most; `start` when a digit or another sign follows. */
function scopeEnd(text: string, start: number): number {
  SCOPE.lastIndex = start
  SCOPE.test(text)
  const end = SCOPE.lastIndex
  return end < start + 400 && text.charCodeAt(end) > 32 ? start : end
}

/** A word of small letters only, as sentences have. */
function isLowerWord(text: string, start: number): boolean {
  for (let index = start; index < start + 24; index++) {
    const code = text.charCodeAt(index)
    if (code >= 97 && code <= 122) continue
    const isStop = (code === 46 || code === 44) && !(text.charCodeAt(index + 1) > 32)
    return index > start && (isStop || !(code > 32))
  }
  return false
}

/** Only 16 characters without a blank can look random. */
function isLongWord(text: string, start: number): boolean {
  for (let index = start; index < start + 16; index++) if (!(text.charCodeAt(index) > 32)) return false
  return true
}

/** True where `name:value` is part of an image reference: `acme/auth:1.4`, `auth.acme.io:5000/tool`, `auth:1@sha256:…`. */
function isReference(text: string, { start, tight }: ValueOptions, written: string): boolean {
  if (!tight) return false
  const before = text.slice(Math.max(0, start - 140), start)
  if (/\/[\w.-]{1,128}:$/.test(before)) return true
  return /^(?:\d{1,5}\/|[\w.-]{1,128}@sha256:[0-9a-f]{64})/.test(written)
}
