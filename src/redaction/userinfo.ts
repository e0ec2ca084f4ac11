/** Passwords and tokens in URLs: `scheme://user:password@host`, also escaped or encoded, and Go's `user:password@tcp(…)`. */
import { type Detection, isNameCode, type Source, startsToken } from './boundary.js'
import { looksRandom } from './plausible.js'

const RULE = 'url-password'
const MAX_USERINFO = 600
const NOT_SECRET =
  /^(?:\$\{?[\w.]+\}?|\$\(\w+\)|\{\{?[\w. ]+\}?\}|<[\w -]+>|\*+|x{3,}|%[sv]|\[REDACTED.*|:?password|pass|pw|passwd|\.\.\.|…)$/i

/** `://` or `:\/\/` at `start`. */
export function detectUserinfo(source: Source, _start: number, end: number): Detection {
  const { text } = source
  const limit = Math.min(source.lineEnd(end), end + MAX_USERINFO)
  let at = -1
  let slash = -1
  for (let index = end; index < limit; index++) {
    const code = text.charCodeAt(index)
    if (code <= 32 || code === 34 || code === 60 || code === 62 || code === 96) break
    if (code === 39 && slash !== -1) break
    if (code === 58 && isSlash(text, index + 1) && (text.startsWith('://', index) || text.startsWith(':\\/\\/', index)))
      break
    // `jdbc:sqlserver://host:1433;password=x@y`: what follows belongs to a name.
    if (code === 59 && /^;\w{1,40}=/.test(text.slice(index, index + 42))) break
    if (code === 64) {
      // Behind the first slash, an @ belongs to a password only when a host follows.
      if (slash === -1 || isPasswordWithSlash(text, end, index)) at = index
      else break
      if (slash !== -1) break
    } else if ((code === 47 || code === 63 || code === 35) && slash === -1) {
      slash = index
      const colon = text.slice(end, index).indexOf(':')
      // `host:5432/`, `host/`: no userinfo can have begun.
      if (at !== -1 || colon === -1 || /^\d{0,5}$/.test(text.slice(end + colon + 1, index))) break
    } else if (code === 44 && at !== -1) break
  }
  if (at === -1) return undefined
  return inUserinfo(text, end, at, ':')
}

const isSlash = (text: string, index: number): boolean => {
  const code = text.charCodeAt(index)
  return code === 47 || code === 92
}

const isPasswordWithSlash = (text: string, start: number, at: number): boolean =>
  /^[^\s/:@]{0,100}:[^\s]+$/.test(text.slice(start, at)) &&
  /^[A-Za-z0-9][\w.-]*(?:[:/?,\s"']|$)/.test(text.slice(at + 1, at + 120))

function inUserinfo(text: string, start: number, at: number, separator: string): Detection {
  const info = text.slice(start, at)
  if (info.startsWith('[REDACTED')) return undefined
  const colon = info.indexOf(separator)
  if (colon === -1) {
    const random = looksRandom(info) || /^[0-9a-f]{20,}$/i.test(info) || (/^\w{20,}$/.test(info) && /\d/.test(info))
    return random ? { rule: RULE, start, end: at } : undefined
  }
  const from = start + colon + separator.length
  const password = text.slice(from, at)
  if (password === '') return userOnly(info.slice(0, colon), start)
  if (NOT_SECRET.test(password))
    return /^(?!x+$)\w+$/i.test(password) ? { rule: RULE, start: from, end: at } : undefined
  const user = info.slice(0, colon)
  // A port, and an @ of the path.
  if (/^\d{2,5}$/.test(password) && user.includes('.')) return undefined
  // `https://token:x-oauth-basic@…`: the user is the secret.
  if (looksRandom(user) || password === 'x-oauth-basic') return { rule: RULE, start, end: at }
  return { rule: RULE, start: from, end: at }
}

const userOnly = (user: string, start: number): Detection =>
  looksRandom(user) || /^[0-9a-f]{20,}$/i.test(user) ? { rule: RULE, start, end: start + user.length } : undefined

/** `%3A%2F%2F`: the URL is part of another. */
export function detectEncodedUserinfo(source: Source, _start: number, end: number): Detection {
  const rest = source.text.slice(end, Math.min(source.lineEnd(end), end + MAX_USERINFO)).split(/%3a%2f%2f/i, 1)[0] ?? ''
  const info = /^((?:(?!%40|%2[Ff])[^\s"'<>&/@])*?)%3[Aa]((?:(?!%40)[^\s"'<>&/@])+)(?=%40|@)/.exec(rest)
  if (info === null) return encodedUserOnly(rest, end)
  const start = end + (info[1] ?? '').length + 3
  return { rule: RULE, start, end: start + (info[2] ?? '').length }
}

function encodedUserOnly(rest: string, start: number): Detection {
  const user = /^[\w.~-]{20,400}(?=(?:%3[Aa])?(?:%40|@))/.exec(rest)?.[0]
  return user === undefined ? undefined : userOnly(user, start)
}

/** `X-Amz-Signature%3D`, `%26sig%3D`: the address is a parameter of another. */
export function detectEncodedSignature({ text }: Source, start: number, end: number): Detection {
  const isPart = isNameCode(text.charCodeAt(start - 1)) && !/[-_]/.test(text.charAt(start - 1))
  if (isPart && !startsToken(text, start)) return undefined
  const value = /^(?:[\w.~+/-]|%(?:25){0,2}(?:2[BbFf]|3[Dd]))+/.exec(text.slice(end, end + 4_096))?.[0]
  if (value === undefined || value.length < 20 || !/\d/.test(value)) return undefined
  return { rule: 'secret', start: end, end: end + value.length }
}

const GO_USER = /(?:^|[\s"'`=])([\w.-]{1,64}):([^\s"'`]{1,128})$/
const ORACLE_USER = /(?:^|[\s"'`=])([\w$.-]{1,64})\/([^\s"'`/:]{4,128})$/

/** `user/password@//host`, `user:password@tcp(host:3306)/db` at its `@tcp(`, and `thin:user/password@` at its `thin:`. */
export function detectDataSource(source: Source, start: number, end: number): Detection {
  const { text } = source
  source.looks += 1
  if (text.charCodeAt(start) !== 64) {
    const oracle = /^[\w$.-]{1,60}\/([^\s/@"']{1,128})(?=@)/.exec(text.slice(end, end + 200))
    if (oracle?.[1] === undefined) return undefined
    const at = end + oracle[0].length
    return { rule: RULE, start: at - oracle[1].length, end: at }
  }
  const before = text.slice(Math.max(source.floor, start - 200), start)
  const isOracle = text.charCodeAt(start + 1) === 47
  const info = (isOracle ? ORACLE_USER : GO_USER).exec(before)
  if (info?.[2] === undefined || info[2].startsWith('[REDACTED')) return undefined
  return { rule: RULE, start: start - info[2].length, end: start }
}
