/**
 * Finds keys and tokens that carry their provider's mark. The formats are facts from the vendors' documentation and from the
 * rule sets credited in NOTICE; each pattern is a bounded run of one class behind its mark, so matching is linear.
 */
import {
  behindEscape,
  type Detection,
  type Detector,
  isNameCode,
  type Row,
  runEnd,
  type Source,
  startsToken,
} from './boundary.js'
import { ADDRESSES, TAILED } from './formats/around.js'
import { CLOUD } from './formats/cloud.js'
import type { Format, SecretAddress, TailedFormat } from './formats/format.js'
import { HOSTING } from './formats/hosting.js'
import { MODEL } from './formats/model.js'
import { TRADE } from './formats/trade.js'
import { WATCH } from './formats/watch.js'

export const PREFIXED: readonly Format[] = [...HOSTING, ...CLOUD, ...MODEL, ...TRADE, ...WATCH]

/** The longest part of a JSON web token. */
const MAX_PART = 16_384
/** The longest secret part of an encoded address. */
const MAX_ENCODED = 600
/** How far a token may go on behind what is known of its format. */
const MAX_REST = 4_096

const sticky = (pattern: RegExp): RegExp => new RegExp(pattern.source, `${pattern.flags}y`)

const asTable = (belongs: RegExp): Uint8Array =>
  Uint8Array.from({ length: 128 }, (_, code) => (belongs.test(String.fromCharCode(code)) ? 1 : 0))

/** What tokens consist of; no format is shorter than what is looked at here. */
const SIGNS = asTable(/[\w.+/=~:%|$!@*#-]/)
function isLong(text: string, start: number): boolean {
  for (let index = start + 5; index <= start + 12; index++) if (SIGNS[text.charCodeAt(index)] !== 1) return false
  return true
}

const LETTERS = asTable(/\w/)
/** Vendors lengthen their tokens: what goes on in letters and digits belongs to one. */
function tokenEnd(text: string, index: number): number {
  const limit = Math.min(text.length, index + MAX_REST)
  let end = index
  while (end < limit && LETTERS[text.charCodeAt(end)] === 1) end++
  return end
}

const mayCount = (text: string, start: number): boolean => isLong(text, start) && startsToken(text, start)

/** A name's word in a mark must not be asked before the mark: it would take what stands behind the token for its value. */
const NAME_IN_MARK = /^.*?(?:secret|token|key|_pat|auth|sess|pass)(?=.)/i

/** The part of a mark that is sought; the pattern tells the rest. */
const soughtOf = (mark: string): string => NAME_IN_MARK.exec(mark)?.[0] ?? mark

function detectPrefixed(rule: string, token: RegExp, mark: string): Detector {
  const pattern = sticky(token)
  const sought = soughtOf(mark).length
  const next = mark.charCodeAt(sought)
  return (source, start) => {
    const { text } = source
    if (sought < mark.length && text.charCodeAt(start + sought) !== next) return undefined
    if (!mayCount(text, start)) return undefined
    source.looks += 1
    pattern.lastIndex = start
    if (!pattern.test(text)) return undefined
    const end = tokenEnd(text, pattern.lastIndex)
    return isFilled(text, end) ? undefined : { rule, start, end }
  }
}

/** `ghp_xxxxxxxxxxxx` shows where a token goes. */
function isFilled(text: string, end: number): boolean {
  const code = text.charCodeAt(end - 1)
  for (let index = end - 2; index > end - 16; index--) if (text.charCodeAt(index) !== code) return false
  return true
}

/** The address of a webhook is the secret as a whole: whoever has it may post. */
const ADDRESS_BEFORE = /https?:(?:\/\/|\\\/\\\/)[\w.-]{0,80}(?:\/[\w.-]{1,40}){0,3}$/

function detectAddress([rule, , secret]: SecretAddress): Detector {
  const pattern = sticky(secret)
  const isWhole = rule.endsWith('-hook')
  return (source, from, end) => {
    const { text, floor } = source
    pattern.lastIndex = end
    const found = pattern.exec(text)
    if (found === null) return undefined
    const lead = isWhole ? ADDRESS_BEFORE.exec(text.slice(Math.max(floor, from - 200), from))?.[0].length : undefined
    const start = lead === undefined ? pattern.lastIndex - (found[1] ?? '').length : from - lead
    return { rule, start, end: tokenEnd(text, pattern.lastIndex) }
  }
}

const encodedOf = (mark: string): string => mark.replace(/[/?=]/g, encodeURIComponent)

/** The address is a parameter of another: what it is when decoded tells, and how far that was. */
function detectEncodedAddress([rule, mark, secret]: SecretAddress): Detector {
  const pattern = sticky(secret)
  return (source, start, end) => {
    const { text } = source
    const encoded = /^(?:[\w.~-]|%[2-7][0-9A-Fa-f])+/.exec(text.slice(end, end + MAX_ENCODED))?.[0] ?? ''
    // What is decoded in vain is decoded again behind the next mark within it.
    source.looks += 1 + (encoded.length >> 5)
    const signs = encoded.match(/%..|./g) ?? []
    const before = text.slice(Math.max(0, start - 20), start).replace(/%2f/gi, '/') + mark
    pattern.lastIndex = before.length
    const found = pattern.exec(
      before + signs.map((sign) => (sign.length === 1 ? sign : decodeURIComponent(sign))).join(''),
    )
    if (found === null) return undefined
    const ended = pattern.lastIndex - before.length
    const begun = ended - (found[1] ?? '').length
    const indexOf = (count: number): number => end + signs.slice(0, count).join('').length
    return { rule, start: indexOf(begun), end: indexOf(ended) }
  }
}

const SERVER_KEY = /AAAA[\w-]{7}:[\w-]{100,200}/y

/** Eleven characters, the first four of them `A`, a colon, and the key. */
function detectServerKey({ text, floor }: Source, _start: number, end: number): Detection {
  let from = end - 1
  while (from > floor && from > end - 12 && text.charCodeAt(from - 1) === 65) from--
  if (text.charCodeAt(from + 11) !== 58 || !startsToken(text, from)) return undefined
  SERVER_KEY.lastIndex = from
  return SERVER_KEY.test(text)
    ? { rule: 'firebase-key', start: from, end: tokenEnd(text, SERVER_KEY.lastIndex) }
    : undefined
}

function detectTailed([rule, , of, least, most, behind]: TailedFormat): Detector {
  const belongs = asTable(of)
  const pattern = sticky(behind)
  return (source, start) => {
    const { text, floor } = source
    if (belongs[text.charCodeAt(start - 1)] !== 1 || belongs[text.charCodeAt(start - least)] !== 1) return undefined
    source.looks += 1
    let from = start
    while (from > floor && start - from < most && belongs[text.charCodeAt(from - 1)] === 1) from--
    from = behindEscape(text, from, start)
    if (start - from < least || !startsToken(text, from)) return undefined
    pattern.lastIndex = start
    return pattern.test(text) ? { rule, start: from, end: tokenEnd(text, pattern.lastIndex) } : undefined
  }
}

const segmentEnd = (text: string, start: number, end: number): number => {
  for (let index = start; index < end; index++) {
    const code = text.charCodeAt(index)
    if (!isNameCode(code) || code === 46) return index
  }
  return -1
}

/** Header, payload and signature, or the five parts of an encrypted one. */
function detectJwt(source: Source, start: number, end: number): Detection {
  const { text } = source
  if (!startsToken(text, start)) return undefined
  let at = end
  let parts = 0
  for (; parts < 5; parts++) {
    const stop = runEnd(
      source,
      at,
      Math.min(text.length, at + MAX_PART),
      (from, to) => segmentEnd(text, from, to),
      segmentEnd,
    )
    if (parts < 2 && stop - at < 6) return undefined
    at = stop
    if (text.charCodeAt(at) !== 46 || parts === 4) break
    at++
  }
  return parts < 2 ? undefined : { rule: 'jwt', start, end: at }
}

const railsEnd = (text: string, start: number, end: number): number => {
  const at = text.slice(start, end).search(/[^A-Za-z0-9+/%=]/)
  return at === -1 ? -1 : start + at
}

/** A signed cookie of Rails: up to a thousand characters, and only then what tells it. */
function detectRailsCookie(source: Source, start: number, end: number): Detection {
  const { text } = source
  if (!startsToken(text, start) || text.slice(start, end) !== 'BAh7') return undefined
  source.looks += 1
  const limit = Math.min(text.length, end + 1_001)
  const stop = runEnd(source, end, limit, (from, to) => railsEnd(text, from, to), railsEnd)
  if (stop - end < 40 || stop - end > 1_000) return undefined
  const signature = /^--[a-f0-9]{40,64}/.exec(text.slice(stop, stop + 66))?.[0]
  return signature === undefined ? undefined : { rule: 'rails-key', start, end: stop + signature.length }
}

/** Every mark, lower-cased where the automaton does so itself, with its detector. */
export const PROVIDER_RULES: readonly Row[] = [
  ...PREFIXED.flatMap(([rule, marks, token]) =>
    marks.split(' ').map((mark): Row => {
      const sought = soughtOf(mark)
      const detect = detectPrefixed(rule, token, mark)
      return [sought, detect, sought === mark ? undefined : mark.charCodeAt(sought.length), mayCount]
    }),
  ),
  ...ADDRESSES.map((address) => [address[1], detectAddress(address)] as const),
  ...ADDRESSES.map((address) => [encodedOf(address[1]), detectEncodedAddress(address)] as const),
  // A mark for each sign behind the run: within a run of any length none ends.
  ...'bcdefghijklmnopqrstuvwxyz0123456789_-'.split('').map((sign) => [`AAAA${sign}`, detectServerKey] as const),
  ...TAILED.map((format) => [format[1], detectTailed(format)] as const),
  ['eyJ', detectJwt],
  ['BAh7', detectRailsCookie],
]
