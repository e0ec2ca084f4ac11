/** Secrets that a statement around them tells: line protocols, sentences that name them behind, announcements, JSON web keys. */
import { type Detection, runEnd, type Source, STARVED } from './boundary.js'
import { looksGiven, looksMixed, looksRandom } from './plausible.js'

/** `AUTH x` and `AUTH user x` of Redis and mail, `IDENTIFY x` of chat, `SETUSER user on >x`. */
export function detectAuthentication(source: Source, start: number, end: number): Detection {
  const { text, lineEnd } = source
  const word = text.slice(start, end)
  if (word !== word.toUpperCase() || !/^$|[\s"'>:]/.test(text.slice(Math.max(0, start - 1), start))) return undefined
  source.looks += 1
  const found = (word.startsWith('SETUSER') ? OPENED : COMMAND).exec(text.slice(end, Math.min(lineEnd(end), end + 400)))
  const secret = found?.[1]
  if (found === null || secret === undefined || !/\d/.test(secret) || !/[A-Za-z]/.test(secret)) return undefined
  const from = end + found[0].length - secret.length
  return { rule: 'password', start: from, end: from + secret.length }
}

const COMMAND = /^(?:[\w.@-]{1,60}"? "?)?([^\s"'<>[\]\\]{6,200})(?=["']?(?:\s*$|[,}\]])|\\[nr"'])/
const OPENED = /^[\w.@-]{1,60} [^>\n]{0,100}>(\S{4,200})/

/** How far around a private member others tell that it is one of a JSON web key. */
const KEY_BEFORE = 500
const KEY_BEHIND = 2_500

/** What the others are called, also within a string, or as a language shows its objects. */
const KEY_MEMBER = /kty\\{0,7}["':]|["'](?:dp|dq|qi)\\{0,7}["']/
const LONGEST_MEMBER = 16

/** A private member of a JSON web key; they come in any order. */
export function detectJsonWebKey(source: Source, start: number, end: number): Detection {
  const { text } = source
  const found = /^\s?\\{0,7}(["'])([\w-]{20,2000})\\{0,7}\1/.exec(text.slice(end, end + 2_020))
  const secret = found?.[2]
  if (found === null || secret === undefined || (secret.length < 40 && !/k/i.test(text.slice(start, end))))
    return undefined
  const limit = end + KEY_BEHIND
  const memberIn = (first: number, last: number): number => {
    const at = text.slice(first, last + LONGEST_MEMBER).search(KEY_MEMBER)
    return at === -1 || first + at >= last ? -1 : first + at
  }
  const member = runEnd(source, Math.max(0, end - KEY_BEFORE), limit, memberIn, detectJsonWebKey)
  if (member >= limit) return !source.final && text.length < limit + LONGEST_MEMBER ? STARVED : undefined
  const from = end + found[0].indexOf(secret)
  return { rule: 'private-key', start: from, end: from + secret.length }
}

/** `"d":` and what it becomes in a string, in a string in a string, and in Python. */
export const KEY_MEMBERS: readonly string[] = ['d', 'k', 'p', 'q', 'dp', 'dq', 'qi'].flatMap((name) => [
  `"${name}":`,
  `"${name}\\":`,
  `"${name}\\\\\\":`,
  `'${name}':`,
])

/** The code of an OAuth redirect is worth a token. */
export function detectCode({ text }: Source, _start: number, end: number): Detection {
  const code = /^[\w.~%-]{20,400}/.exec(text.slice(end, end + 400))?.[0]
  return code === undefined || !looksRandom(code) ? undefined : { rule: 'secret', start: end, end: end + code.length }
}

/** `host:5432:database:user:password` of a .pgpass. */
export function detectPasswordFile({ text }: Source, _start: number, end: number): Detection {
  const found = /^[\w*.-]{1,64}:[\w*.-]{1,64}:([^\s:/"']{3,200})(?=["'\s]|$)/.exec(text.slice(end, end + 340))
  if (found?.[1] === undefined) return undefined
  return { rule: 'password', start: end + found[0].length - found[1].length, end: end + found[0].length }
}

/** Ends of names in letters that no ASCII name has: `Contraseña`, `пароль`, `密码`; and one of three words. */
export const FOREIGN_NAMES: readonly string[] = ['mot de passe', 'senord', 'ña', 'ь', '码', 'ド']

export function detectForeignName(source: Source, start: number, end: number): Detection {
  const { text, lineEnd } = source
  if (end - start === 1 && !'лЛ密ー'.includes(text.charAt(start - 1))) return undefined
  if (!/(?:mot de passe|lösenord|contraseña|пароль|密码|パスワード)$/i.test(text.slice(Math.max(0, end - 12), end)))
    return undefined
  source.looks += 1
  const found = /^["']?[ \t]{0,3}[:=：][ \t]{0,3}["']?([^\s"',;<>&]{4,200})/.exec(
    text.slice(end, Math.min(lineEnd(start), end + 210)),
  )
  if (found?.[1] === undefined || !(looksMixed(found[1]) || looksGiven(found[1]))) return undefined
  return { rule: 'password', start: end + found[0].length - found[1].length, end: end + found[0].length }
}
