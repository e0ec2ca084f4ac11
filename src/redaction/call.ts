/** Secrets that their place tells: arguments of known functions, and what SQL writes behind its words. */
import { type Detection, type Found, type Source, STARVED } from './boundary.js'
import { quotedEnd } from './extent.js'
import type { KeyKind } from './key.js'
import { looksGiven, looksMixed, looksOpaque } from './plausible.js'

/** Function, and which of its arguments is secret; all that are texts and stand behind it count when it is negative. */
const FUNCTIONS: readonly (readonly [names: string, index: number])[] = [
  [
    'mysqli_connect( mysql_connect( mysql_pconnect( new mysqli( __construct( new pdo( ldap_bind( ftp_login( imap_open(',
    2,
  ],
  [
    'drivermanager.getconnection( getconnection( ssh2_auth_password( mail_login( odbc_connect( oci_connect( createconnection(',
    2,
  ],
  ['networkcredential( httpbasicauth( basicauth( setbasicauth( set_basic_auth( usernamepasswordcredentials(', 1],
  [
    'passwordauthentication( usernamepasswordauthenticationtoken( simple_bind_s( simple_bind( bind_s( .basic_auth( plaincredentials( setproperty_(',
    1,
  ],
  [
    'db.auth( changeuserpassword( credentials.basic( basic_auth( .auth( auth=( auth:[ auth":[ auth": [ auth: [ auth=[ .login( http_basic_auth(',
    1,
  ],
  ['pgp_sym_encrypt( pgp_sym_decrypt( aes_encrypt( aes_decrypt( encode_encrypt( des_encrypt( hmac_sha256(', 1],
  ['s3( gcs( plainauth(', 2],
  ['mysqli_real_connect(', 3],
  ['jwt.sign( jwt.encode( jwt.verify( jwt.decode(', 1],
  ['crypt( old_password( login_with_password(', 0],
]

const INDEXES = new Map(
  FUNCTIONS.flatMap(([names, index]) => names.split(/(?<=[([]) /).map((name) => [name, index] as const)),
)
export const FUNCTION_NAMES: readonly string[] = [...INDEXES.keys()]

/** A text in quotes, a name, a number or a simple call, and the comma behind it. */
const ARGUMENT =
  /\s{0,4}(?:[bBurRNE@$]{0,2}(?:"(?:[^"\\\n]|\\.){0,200}"|'(?:[^'\\\n]|\\.){0,200}')|\{[^{}\n]{0,80}\}|[\w.$>:-]{0,80}(?:\([^()\n]{0,40}\))?)\s{0,4},\s{0,4}/y
const OPENING = /\s{0,4}[bBurRNE@$]{0,2}(\\?["'])/y

export function detectCall(source: Source, start: number, end: number): Detection {
  const { text } = source
  const name = text.slice(start, end).toLowerCase()
  const index = INDEXES.get(name)
  if (index === undefined || (/^\w/.test(name) && /\w/.test(text[start - 1] ?? ''))) return undefined
  source.looks += 1
  let at = end
  for (let count = 0; count < index; count++) {
    ARGUMENT.lastIndex = at
    if (!ARGUMENT.test(text)) return undefined
    at = ARGUMENT.lastIndex
  }
  OPENING.lastIndex = at
  const opening = OPENING.exec(text)
  if (opening?.[1] === undefined) return undefined
  const from = at + opening[0].length
  const to = quotedEnd(source, from, opening[1])
  if (to === STARVED) return to
  const written = text.slice(from, to)
  if (!/^[\\"']+\s{0,4}[),\]]/.test(text.slice(to, to + 8)) || !isGiven(written)) return undefined
  return { rule: 'password', start: from, end: to }
}

const isGiven = (written: string): boolean =>
  written.length >= 4 &&
  !/^(?:\[REDACTED|[$%{]|<[^>]*>$|https?:|[\w.-]+@[\w-]+\.[\w.-]+$|\w+$(?<!\d\w*)(?<!\w{6}))/.test(written) &&
  !/^\s|\s$/.test(written)

/** `IDENTIFIED BY 'x'`, `IDENTIFIED WITH plugin BY 'x'`, `IDENTIFIED BY x`. */
export function detectIdentified(source: Source, _start: number, end: number): Detection {
  const { text } = source
  const before =
    /^(?:\s+WITH\s+["'`]?\w+["'`]?)?(?:\s+(?:BY|AS|USING)(?:\s+PASSWORD)?)?(?:\s+VALUES)?\s+(?:N?(['"])|(?=[^\s'"]+[\s;]|[^\s'"]+$))/i.exec(
      text.slice(end, Math.min(source.lineEnd(end), end + 160)),
    )
  if (before === null) return undefined
  const from = end + before[0].length
  const quote = before[1]
  if (quote === undefined && !/BY\s+$/i.test(before[0])) return undefined
  const to =
    quote === undefined
      ? from + (/^[^\s;,)]+/.exec(text.slice(from, from + 200))?.[0].length ?? 0)
      : quotedEnd(source, from, quote)
  if (to === STARVED) return to
  const written = text.slice(from, to)
  if (
    written.startsWith('[REDACTED') ||
    to <= from ||
    /^(?:PASSWORD|RANDOM|VALUES|externally|globally|<|\$|:|\?)/i.test(written)
  )
    return undefined
  if (quote === undefined && !looksMixed(written) && !looksOpaque(written) && !looksGiven(written)) return undefined
  return { rule: 'password', start: from, end: to }
}

/** `INSERT INTO t (user, password) VALUES ('x', 'y'), …`: the values at the places of secret columns. */
export function detectInsert(source: Source, _start: number, end: number): Detection {
  const { text } = source
  const stop = Math.min(source.lineEnd(end), end + 16_384)
  const head =
    /^\s{1,4}[\w.`"[\]]{1,80}\s{0,4}\(([^()\n]{1,1000})\)\s{0,4}(?:OUTPUT\s[^()\n]{1,80})?VALUES?\s{0,4}/i.exec(
      text.slice(end, Math.min(stop, end + 1_200)),
    )
  if (head?.[1] === undefined) return undefined
  const kinds = head[1].split(',').map((column) => source.judge(column.replace(/[`"'[\]\s]/g, '')))
  source.looks += 1
  if (!kinds.some(isSecretKind)) return undefined
  const cells: Found[] = []
  let at = end + head[0].length
  while (at < stop && text.charCodeAt(at) === 40 && cells.length < 200) {
    at++
    for (let column = 0; at < stop; column++) {
      const cell = cellAt(source, at, stop)
      const kind = kinds[column] ?? 'none'
      const written = text.slice(cell.start, cell.end)
      if (isSecretKind(kind) && cell.start >= source.floor && isCell(written, cell.quoted))
        cells.push({ rule: kind === 'password' ? 'password' : 'secret', start: cell.start, end: cell.end })
      at = cell.next
      if (text.charCodeAt(at) !== 44) break
      at++
    }
    const more = /^\)\s{0,4},\s{0,4}(?=\()/.exec(text.slice(at, at + 12))
    if (more === null) break
    at += more[0].length
  }
  return chained(cells)
}

export const isSecretKind = (kind: KeyKind): boolean => kind === 'password' || kind === 'secret'

const isCell = (written: string, quoted: boolean): boolean =>
  written !== '' &&
  !/^(?:\[REDACTED|\$\d|:\w|\?|%s|@\w)/.test(written) &&
  (quoted || !/^(?:NULL|DEFAULT|TRUE|FALSE|\w+\(.*)$/i.test(written))

function cellAt(
  { text }: Source,
  from: number,
  stop: number,
): { start: number; end: number; next: number; quoted: boolean } {
  const lead = /^\s{0,8}(?:[NEX]|_\w{1,10} )?/.exec(text.slice(from, from + 20))?.[0].length ?? 0
  let at = from + lead
  const sign = text.charCodeAt(at)
  if (sign === 39 || sign === 34) {
    const start = ++at
    for (; at < stop; at++) {
      const code = text.charCodeAt(at)
      if (code === 92) at++
      else if (code === sign) {
        if (text.charCodeAt(at + 1) !== sign) break
        at++
      }
    }
    const end = Math.min(at, stop)
    const blanks = /^\s{0,8}/.exec(text.slice(end + 1, end + 10))?.[0].length ?? 0
    return { start, end, next: end + 1 + blanks, quoted: true }
  }
  const start = at
  let depth = 0
  for (; at < stop; at++) {
    const code = text.charCodeAt(at)
    if (code === 40) depth++
    else if (code === 41 && depth-- === 0) break
    else if (code === 44 && depth === 0) break
  }
  return { start, end: start + text.slice(start, at).trimEnd().length, next: at, quoted: false }
}

/** One after the other, in ascending order. */
export function chained(found: readonly Found[]): Found | undefined {
  let first: Found | undefined
  for (let index = found.length - 1; index >= 0; index--) first = { ...(found[index] as Found), next: first }
  return first
}
