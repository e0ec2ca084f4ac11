/** Tells values from what stands where a value could stand: prose, references, types, states, counts. */
import type { KeyKind } from './key.js'

const set = (words: string): ReadonlySet<string> => new Set(words.trim().split(/\s+/))

/** Words that sentences have and passwords do not. */
const SENTENCE_WORDS = set(
  `a an the is are was were be been being must should shall will would can cannot could may might has have had do does did
  not no of for to in on at by with from and or if when than then that this these those it its you your we our they their
  please only also already least more most between characters character long length invalid incorrect required missing
  expired failed wrong contain contains field value empty match matches mismatch provided see found unable enter forgot
  change reset found granted denied valid refreshed created deleted updated rotated verification authentication
  der die das und ist nicht ein eine le la les de du des est un une el los las es y contraseña mot passe passwort`,
)
const LABEL_WORDS = set(
  'password passwd passwort token secret key keys api code login sign email user username account',
)
/** What stands for no value, or says something about it. */
const NOT_VALUES = set(
  `null nil none undefined true false yes no on off empty required optional enabled disabled present absent missing
  invalid valid expired unset redacted removed masked filtered omitted withheld encrypted string varchar boolean
  secretstring securestring n/a na nan void todo tbd fixme unchanged not mandatory expire chauthtok val arg`,
)
/** What says something where it follows a colon or a blank, and may be a bad password behind `=`. */
const OTHER_WORDS = set(
  `unknown set default auto str text char number int integer bool bytes object array any buffer date uuid password passwd
  secret token apikey hidden sensitive basic bearer digest negotiate ntlm oauth oauth2 saml ldap oidc sso kerberos plain
  login anonymous never always prefer require preferred strict lax rejected accepted failed success succeeded denied
  granted refreshed updated created deleted rotated revoked changed error warning info debug eof value type rbac abac
  webhook node ok bcrypt argon2 argon2id scrypt pbkdf2 sha256 sha512 sha1 md5 identifier keyword literal include same-origin omit fetch pending active inactive read write admin get put post delete list watch show hide reset change forgot
  authentication authorization credentials header scheme realm jwt internal external public private shared local remote
  passwort kennwort contraseña senha wachtwoord parola parole hasło пароль 密码 密碼 パスワード 비밀번호 lozinka heslo
  salasana lösenord adgangskode jelszó şifre geheim geheimnis jeton ficha segreto segredo geheime`,
)
const TYPES =
  /^(?:(?:readonly |public |private )?[\w.]+(?:<[\w\s,.|[\]]*>)?(?:\[\])?(?:\s*\|\s*[\w.]+)*|[A-Z]\w*)[;,?]?$/

/** References, templates, calls and masks: where a secret would be, none is. */
const REFERENCE =
  /^(?:\$\{[^}]{1,200}|\$\(|\$\{\{|\$[A-Za-z_]\w*$|\$env:|%[A-Za-z_]\w*%$|%[sdvq]$|\{\{|<[\w\s.:|/-]{1,80}>$|\[[\w\s-]{0,40}\]$|\{\w{0,60}\}?$|@@|#\{|process\.env|os\.(?:environ|[gG]etenv)|env[.:[(]|ENV\[|var\.|local\.|module\.|data\.\w+\.|secrets?\.[A-Za-z_]|config\.|settings\.|self\.|this\.|params?[.[]|args\.|options?\.|req\.|request\.|props\.|input\.|!(?:vault\w*|Ref|Sub|secret|GetAtt|ENV|env)\b|vault:|ref\+|op:\/\/|secret:\/\/|aws-sm:|awssm:|gcpsm|sm:\/\/|arn:aws|projects\/[\w-]+\/secrets|secretKeyRef|valueFrom|file:|\/(?:[\w.@-]+\/)+[\w.@-]*$|\/[\w.-]{1,40}$|~\/|\.{1,2}\/[\w.-]+|[A-Za-z]:\\[\w\\. -]+$|https?:\/\/[^\s@]+$|new |await |(?:new|await|yield|typeof|lambda)$|\$[\d@*#?]$|%\(\w{1,60}\)s|random_(?:password|string|id)\.\w|function\b|async |import\.meta|@Microsoft\.KeyVault|&(?:'\w+ )?(?:mut )?str\b|(?:Annotated|Optional|Union|Literal)\[|(?:z|yup|Yup|Joi|joi|t|v)\.\w+\(|[a-z]{1,2}\.[A-Za-z]\w*$|[a-z]{1,2},(?:\.\.\.|this\.)|[A-Za-z_]\w*(?:::[A-Za-z_]\w*)+|\$_?[A-Za-z]\w*(?:\[["']|->)|[A-Za-z_]\w*\[["']|\.[*+?]|\[\^|\\[Sswd][+*]|__[A-Za-z_]+__$|[\w.-]+:\/(?:[\w.-]+\/)+[\w.-]+$|(?:origin|upstream|refs)\/[\w./-]+$|\?[A-Z][A-Z0-9_]+$|(?:type=\w+|id=[\w.-]+)$|(?:after|before|placeholder|hover|focus)\{|[a-z][a-z0-9]*(?:_[a-z0-9]+)+(?:\.\w[\w-]*(?:\[\w*\])?){2,}$|(?:ConvertTo|ConvertFrom|Get|Read|New|Import)-[A-Z]\w+$)/
/** Code calls something; in quotes it is one only when it closes. */
const CALL = /^([\w.]{1,80})\((?:[^)]{0,200}\)?|.{0,200}\))[?!]?;?$/
const MASK =
  /^(?:[*•●.\u2022-]{3,}|[xX]{3,}|[*•●xX.\u2022-]{3,}$|\[REDACTED|\*+[\w-]{0,4}$|[\w]{0,4}(?:\*{3,}|\.{3,}|…)|<[^>]*(?:redacted|masked|hidden|removed|secret|password|token|key|none|null|your)[^>]*>$|\((?:redacted|hidden|masked|none|null|unset|empty|not set|unknown)\)|(?:your|replace|insert|enter)[-_ ]|\.\.\.)/i
/** `string | undefined`, `VARCHAR(255)`, `SecretStr`. */
const DECLARED =
  /^(?:(?:string|str|number|int|bool|boolean|bytes|text|any|null|undefined|unknown|optional|maybe|buffer)(?:\[\])?\s*[|;?,=)]|n?varchar|char\(|(?:secret|secure)_?(?:str|string|bytes)\b|optional\[|\(sensitive|\(known after)/i
const TAG =
  /^(?:amd64|arm64|armhf|i386|latest|stable|edge|main|master|nightly|dev|prod|test|alpine|v?\d{1,4}(?:\.\d{1,5}){0,3}(?:[-.](?:alpha|beta|rc|alpine|slim|bookworm|bullseye|debian|ubuntu|ls)[\w.-]*)?)$/

/** Counts, what a tool says it does, and names that stand for a value in a manual. */
const STATED =
  /^(?:\d{1,9} (?:bytes?|chars?|characters)$|Refreshing state|(?:Creation|Destruction|Modifications?|Read|Import) complete|(?:Still )?(?:[Cc]reat|[Dd]estroy|[Mm]odify|[Rr]ead)ing\.\.\.|(?:NAME|PASS|PASSWORD|PASSWD|SECRET|TOKEN|KEY|STRING|VALUE|FILE|TEXT|ARG)$)/
/** `auth-token`, `x-api-key`, `Zugangstoken`: what a secret is called somewhere. */
const CALLED =
  /^(?:(?:x[-_])?(?:auth|access|refresh|api|id|csrf|xsrf|session|user|bearer|client|app)[-_](?:token|key|secret)|\p{Lu}\p{Ll}+(?:token|passwort|schlüssel))$/u
const VERSION = /^v?\d{1,4}(?:\.\d{1,6}){1,3}(?:[-+][\w.+-]+)?$/
/** A field of a printed structure behind an empty one: `Password: SSLMode:disable`. */
const NEXT_FIELD = /^[A-Z][A-Za-z]{2,20}:(?:disable|prefer|require|true|false|nil|none)?$/

export interface Surroundings {
  quoted: boolean
  /** `key: value` and `key value`, where sentences are likely; not `key=value`. */
  loose: boolean
  /** A colon without a blank: `auth:1.4`, `secret:read`. */
  tight: boolean
  /** A word before the name says that it is talked about: `invalid token: …`. */
  mentioned: boolean
}

/** True when a value under a key of this kind is to be taken for a secret. */
export function isPlausible(value: string, kind: KeyKind, { quoted, loose, tight, mentioned }: Surroundings): boolean {
  const text = value.length > 400 ? value.slice(0, 400) : value
  const bare = withoutQuotes(text.trim())
  if (!hasAlphanumeric(bare) && !/[\p{L}\p{N}]/u.test(bare))
    return kind === 'password' && quoted && /^[^\s*•.…-]{6,}$/u.test(bare)
  if (MASK.test(bare) || REFERENCE.test(bare)) {
    const isPath = /^\/(?:var|run|etc|usr|opt|home|tmp|srv|mnt|root|data|proc|sys|dev|app)\//.test(bare)
    if (isPath || !bare.startsWith('/')) return false
    return /^\/[\w+/]{15,}={0,2}$/.test(bare)
      ? looksRandom(bare)
      : quoted && kind === 'password' && !bare.includes('/', 1) && looksMixed(bare) && !/\.[a-z]{2,4}$/.test(bare)
  }
  if (!quoted && bare.startsWith('(')) return false
  if (bare.includes('(') && isCall(bare, quoted)) return false
  if (STATED.test(bare) || (kind !== 'password' && CALLED.test(bare))) return false
  if (loose && !tight && !quoted && NEXT_FIELD.test(bare)) return false
  const lower = bare.toLowerCase()
  const last = bare.charCodeAt(bare.length - 1)
  if (((last === 46 || last === 0x2026) && /^[A-Za-z ]+(?:\.{3}|…)$/.test(bare)) || DECLARED.test(bare)) return false
  if (kind !== 'password') {
    if (/^[~^<>=v]{0,2}\d{1,4}(?:\.\d{1,6}){1,3}(?:-[\w.]+)?$/.test(bare)) return false
    if (bare.includes('/') && /^[a-z][\w-]*(?:\.[a-z][\w-]*)*\.(?:io|com|org|net|dev)\/[a-z][\w./-]*$/.test(bare))
      return false
  }
  const word = isAlphanumeric(last) ? lower : lower.replace(/[.,;:!?)\]}>]+$/, '')
  if (NOT_VALUES.has(word) || ((loose || kind !== 'password') && OTHER_WORDS.has(word))) return false
  if ((kind === 'weak' || kind === 'opaque') && /^[\w.-]+(?:\/[\w.-]+)+\.\w{1,5}(?:\.\w{1,4})?$/.test(bare))
    return false
  if (kind === 'weak') return looksRandom(bare)
  if (kind === 'opaque') return looksOpaque(bare)
  if ((loose || quoted) && isSentence(bare)) return false
  if (mentioned) {
    // `in secret 'db-1x2y'`, `password v0.1.2`, `JWT kid=…`
    if (VERSION.test(bare) || /^(?:kid|alg|typ|id|user|sub|iss|aud|exp|iat|type|name)=/.test(bare)) return false
    if (quoted && kind === 'password' && looksGiven(bare)) return true
    return looksMixed(bare) && !(kind === 'secret' && /^[a-z]{1,20}(?:-[a-z0-9]{1,10}){1,4}$/.test(bare))
  }
  if (kind === 'password') {
    if (tight && TAG.test(bare) && !/^\d+$/.test(bare)) return false
    return !(loose && !quoted && bare.length < 3)
  }
  if (/^-?\d{1,5}(?:\.\d+)?[a-z%]{0,2}$/i.test(bare)) return false
  if (tight && !quoted && (TAG.test(bare) || /^[a-z]+(?:\*[a-z*]+)?(?:[:./-][a-z*]+)*$/i.test(bare))) {
    return looksMixed(bare) || /^[a-z]{16,}$/.test(bare)
  }
  return !(
    TYPES.test(bare) &&
    /^(?:[a-z.]+\.)?[A-Z][a-z]+(?:String|Type|Token|Secret|Password|Key|Credential|Provider|Config|Stream|Bucket|Store|Options|Response|Request|Info|Data)s?[;,?]?$/.test(
      bare,
    )
  )
}

/** `get_secret("x")`, `hmac.new(key,`; not `Rhubarb(panther28`, nor `F4lc0n(quar7)` in quotes. */
function isCall(bare: string, quoted: boolean): boolean {
  const called = CALL.exec(bare)?.[1]
  if (called === undefined) return false
  if (bare.includes(')')) return !quoted || !/\d[A-Za-z]/.test(called)
  return !quoted && !/\d/.test(bare.slice(called.length)) && !looksMixed(called)
}

const isAlphanumeric = (code: number): boolean =>
  (code >= 97 && code <= 122) || (code >= 48 && code <= 57) || (code >= 65 && code <= 90)

function hasAlphanumeric(text: string): boolean {
  for (let index = 0; index < text.length; index++) if (isAlphanumeric(text.charCodeAt(index))) return true
  return false
}

/** Without quotes around it, and signs that end a list's item behind it. */
function withoutQuotes(text: string): string {
  let start = 0
  while (isQuote(text.charCodeAt(start))) start++
  let end = text.length
  for (; end > start; end--) {
    const code = text.charCodeAt(end - 1)
    if (!isQuote(code) && code !== 44 && code !== 59) break
  }
  return start === 0 && end === text.length ? text : text.slice(start, end)
}

const isQuote = (code: number): boolean => code === 34 || code === 39 || code === 96

/** Several words, all of letters, some of them such as only sentences have; or a label such as `Enter password`. */
export function isSentence(text: string): boolean {
  if (!hasBlank(text)) return false
  const words = text.split(/\s+/)
  if (words.length < 2) return false
  const plain = words.map(withoutSigns)
  if (!plain.every((word) => hasLettersOnly(word) || /^(?:[\p{L}’'/-]*|\d{1,4})$/u.test(word))) {
    return plain.length >= 3 && plain.filter((word) => SENTENCE_WORDS.has(word)).length >= 2
  }
  if (plain.some((word) => SENTENCE_WORDS.has(word) || NOT_VALUES.has(word) || LABEL_WORDS.has(word))) return true
  return /[?!…]$|\.$/.test(text) && /^\p{Lu}/u.test(text)
}

function withoutSigns(word: string): string {
  const lower = word.toLowerCase()
  if (isAlphanumeric(word.charCodeAt(0)) && isAlphanumeric(word.charCodeAt(word.length - 1))) return lower
  return lower.replace(/^[("'`*]+|[)"'`.,;:!?…*]+$/g, '')
}

function hasLettersOnly(word: string): boolean {
  for (let index = 0; index < word.length; index++) {
    const code = word.charCodeAt(index)
    if (code < 97 || code > 122) return false
  }
  return true
}

/** A quick look: every blank that a pattern knows is no letter, digit or usual sign. */
function hasBlank(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code <= 32 || code >= 127) return true
  }
  return false
}

const OTHER = 0
const LOWER = 1
const UPPER = 2
const DIGIT = 4
/** What each ASCII character is. */
const KINDS = Uint8Array.from({ length: 128 }, (_, code) =>
  code >= 97 && code <= 122 ? LOWER : code >= 65 && code <= 90 ? UPPER : code >= 48 && code <= 57 ? DIGIT : OTHER,
)
const kindAt = (text: string, index: number): number => {
  const code = text.charCodeAt(index)
  return code < 128 ? (KINDS[code] as number) : OTHER
}

/** Letters and digits, or letters of both cases where words do not have them. */
export function looksMixed(text: string): boolean {
  if (text.length < 6) return false
  let seen = 0
  let isMixed = false
  for (let index = 0; index < text.length; index++) {
    const kind = kindAt(text, index)
    seen |= kind
    // A digit that stands further in counts nothing.
    if (index < text.length - 2) isMixed ||= kind === DIGIT
    if (isMixed && (seen & (LOWER | UPPER)) !== 0) return true
    if (kind !== UPPER || index < 2) continue
    // `aBC`, `aBaC`: capitals within a word.
    const before = kindAt(text, index - 1)
    const second = kindAt(text, index - 2)
    if (before === UPPER && second === LOWER) return true
    if (before === LOWER && second === UPPER && index >= 3 && kindAt(text, index - 3) === LOWER) return true
  }
  return (seen & (LOWER | UPPER)) !== 0 && (seen & DIGIT) !== 0 && !isNumberedWord(text)
}

/** `token-12`: letters, perhaps a sign, and one or two digits. */
function isNumberedWord(text: string): boolean {
  let end = text.length
  while (end > text.length - 2 && kindAt(text, end - 1) === DIGIT) end--
  if (end === text.length) return false
  const sign = text.charCodeAt(end - 1)
  if (sign === 45 || sign === 95 || sign === 46) end--
  for (let index = 0; index < end; index++) if ((kindAt(text, index) & (LOWER | UPPER)) === 0) return false
  return end > 0
}

const BEYOND_SMALL_HEX = 8
const BEYOND_CAPITAL_HEX = 16
const BEYOND_DATE = 32
const BEYOND_RANDOM = 64
/** What each ASCII character is, and what a text with it cannot be. */
const TRAITS = Uint8Array.from(KINDS, (kind, code) => {
  const sign = String.fromCharCode(code)
  return (
    kind |
    (/[0-9a-f]/.test(sign) ? 0 : BEYOND_SMALL_HEX) |
    (/[0-9A-F]/.test(sign) ? 0 : BEYOND_CAPITAL_HEX) |
    (/[0-9+\-.:TZ]/.test(sign) ? 0 : BEYOND_DATE) |
    (/[\w+/=.~:%-]/.test(sign) ? 0 : BEYOND_RANDOM)
  )
})
const ANY_KIND = LOWER | UPPER | DIGIT
const BEYOND_HEX = BEYOND_SMALL_HEX | BEYOND_CAPITAL_HEX

/** Random characters: long, of several classes that alternate, and no hash, uuid, path, date or version. */
export function looksRandom(text: string): boolean {
  if (text.length < 16) return false
  let seen = 0
  let runs = 0
  let before = -1
  let camel = false
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    const traits = code < 128 ? (TRAITS[code] as number) : BEYOND_RANDOM
    if ((traits & BEYOND_RANDOM) !== 0) return false
    seen |= traits
    const kind = traits & ANY_KIND
    if (kind === before) continue
    runs++
    if (kind === UPPER && before === LOWER) camel = true
    if (kind === LOWER && before === UPPER && index >= 2 && kindAt(text, index - 2) === UPPER) camel = true
    before = kind
  }
  if ((seen & DIGIT) === 0 && !(camel && (seen & LOWER) !== 0 && (seen & UPPER) !== 0)) return false
  if ((seen & BEYOND_HEX) !== BEYOND_HEX || runs / text.length <= 0.34) return false
  if ((seen & BEYOND_DATE) === 0 && kindAt(text, 0) === DIGIT) return false
  if (text.startsWith('sha') && /^sha\d+[:-]/.test(text)) return false
  // Words in capitals and small letters are a name.
  if (camel && /^(?:[a-z]{2,}|[A-Z][a-z]{2,}|[A-Z]{2,}(?![a-z]))(?:[A-Z][a-z]{2,})+\d?$/.test(text)) return false
  // The key of a cache names a system and a digest.
  if (/^(?:[A-Za-z]{1,20}[-_.]){1,4}[0-9a-f]{32,64}$/.test(text)) return false
  return !(text.length === 36 && /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i.test(text))
}

/** Random, or 20 hexadecimal digits and more, or a UUID. */
export const looksOpaque = (text: string): boolean =>
  looksRandom(text) ||
  (/^(?:[0-9a-f]{20,}|[0-9A-F]{20,}|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})$/.test(text) && /\d/.test(text))

/** Nobody writes it in a sentence, and no program names a thing so: signs within it, or three words and more that are joined. */
export const looksGiven = (text: string): boolean =>
  (/^\S{6,}$/.test(text) && /\w[!#$%&*+?@^`~]\w|^[!#%&)*+,:;=>?@^|~]\w/.test(text)) ||
  (/^[a-z]{3,}(?:([-_.])[a-z]{3,})(?:\1[a-z]{3,})+$/.test(text) && text.length > 14)
