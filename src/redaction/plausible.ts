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
  secretstring securestring n/a na nan void todo tbd fixme unchanged not mandatory`,
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
  /^(?:\$\{[^}]{1,200}|\$\(|\$\{\{|\$[A-Za-z_]\w*$|\$env:|%[A-Za-z_]\w*%$|%[sdvq]$|\{\{|<[\w\s.:|/-]{1,80}>$|\[[\w\s-]{0,40}\]$|\{\w{0,60}\}$|@@|#\{|process\.env|os\.(?:environ|getenv)|env[.:[(]|ENV\[|var\.|local\.|module\.|data\.\w+\.|secrets?\.[A-Za-z_]|config\.|settings\.|self\.|this\.|params?[.[]|args\.|options?\.|req\.|request\.|props\.|input\.|!(?:vault|Ref|Sub|secret|GetAtt|ENV|env)\b|vault:|ref\+|op:\/\/|secret:\/\/|aws-sm:|awssm:|gcpsm|sm:\/\/|arn:aws|projects\/[\w-]+\/secrets|secretKeyRef|valueFrom|file:|\/(?:[\w.@-]+\/)+[\w.@-]*$|\/[\w.-]{1,40}$|~\/|\.{1,2}\/[\w.-]+|[A-Za-z]:\\[\w\\. -]+$|https?:\/\/[^\s@]+$|new |await |(?:new|await|yield|typeof|lambda)$|\$[\d@*#?]$|%\(\w{1,60}\)s|random_(?:password|string|id)\.\w|function\b|async |(?:ConvertTo|ConvertFrom|Get|Read|New|Import)-[A-Z]\w+$)/
/** Code calls something; in quotes it is one only when it closes. */
const CALL = /^[\w.]{1,80}\([^)]{0,200}\)?;?$/
const MASK =
  /^(?:[*•●xX.\u2022-]{3,}|\[REDACTED|\*+[\w-]{0,4}$|[\w]{0,4}(?:\*{3,}|\.{3,}|…)|<[^>]*(?:redacted|masked|hidden|removed|secret|password|token|key|none|null|your)[^>]*>$|\((?:redacted|hidden|masked|none|null|unset|empty|not set|unknown)\)|your[-_ ]|\.\.\.)/i
/** `string | undefined`, `VARCHAR(255)`, `SecretStr`. */
const DECLARED =
  /^(?:(?:string|str|number|int|bool|boolean|bytes|text|any|null|undefined|unknown|optional|maybe|buffer)(?:\[\])?\s*[|;?,=)]|n?varchar|char\(|(?:secret|secure)_?(?:str|string|bytes)\b|optional\[|\(sensitive|\(known after)/i
const TAG =
  /^(?:latest|stable|edge|main|master|nightly|dev|prod|test|alpine|v?\d{1,4}(?:\.\d{1,5}){0,3}(?:[-.](?:alpha|beta|rc|alpine|slim|bookworm|bullseye|debian|ubuntu|ls)[\w.-]*)?)$/

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
  const bare = text.trim().replace(/^["'`]+|["'`,;]+$/g, '')
  if (!/[\p{L}\p{N}]/u.test(bare)) return kind === 'password' && quoted && /^[^\s*•.…-]{6,}$/u.test(bare)
  if (MASK.test(bare) || REFERENCE.test(bare)) return /^\/[\w+/]{24,}={0,2}$/.test(bare) && looksRandom(bare)
  if (!quoted && bare.startsWith('(')) return false
  if (CALL.test(bare) && (!quoted || bare.includes(')'))) return false
  const lower = bare.toLowerCase()
  if (/^[A-Za-z ]+(?:\.{3}|…)$/.test(bare) || DECLARED.test(bare)) return false
  if (kind !== 'password' && /^[~^<>=v]{0,2}\d{1,4}(?:\.\d{1,6}){1,3}(?:-[\w.]+)?$/.test(bare)) return false
  if (kind !== 'password' && /^[a-z][\w-]*(?:\.[a-z][\w-]*)*\.(?:io|com|org|net|dev)\/[a-z][\w./-]*$/.test(bare))
    return false
  const word = lower.replace(/[.,;:!?)\]}>]+$/, '')
  if (NOT_VALUES.has(word) || ((loose || kind !== 'password') && OTHER_WORDS.has(word))) return false
  if (kind === 'weak') return looksRandom(bare)
  if (kind === 'opaque') return looksOpaque(bare)
  if ((loose || quoted) && isSentence(bare)) return false
  if (mentioned) return looksMixed(bare)
  if (kind === 'password') {
    if (tight && TAG.test(bare) && !/^\d+$/.test(bare)) return false
    return !(loose && !quoted && bare.length < 3)
  }
  if (/^-?\d{1,5}(?:\.\d+)?[a-z%]{0,2}$/i.test(bare)) return false
  if (tight && !quoted && (TAG.test(bare) || /^[a-z][A-Za-z]*(?:[:.*/-][A-Za-z*]+)*$/i.test(bare))) {
    return looksMixed(bare) || /^[a-z]{16,}$/.test(bare)
  }
  return !(
    TYPES.test(bare) &&
    /^(?:[a-z.]+\.)?[A-Z][a-z]+(?:String|Type|Token|Secret|Password|Key|Credential|Provider|Config|Stream|Bucket|Store|Options|Response|Request|Info|Data)s?[;,?]?$/.test(
      bare,
    )
  )
}

/** Several words, all of letters, some of them such as only sentences have; or a label such as `Enter password`. */
export function isSentence(text: string): boolean {
  const words = text.split(/\s+/)
  if (words.length < 2) return false
  const plain = words.map((word) => word.toLowerCase().replace(/^[("'`*]+|[)"'`.,;:!?…*]+$/g, ''))
  if (!plain.every((word) => /^(?:[\p{L}’'/-]*|\d{1,4})$/u.test(word))) {
    return plain.length >= 3 && plain.filter((word) => SENTENCE_WORDS.has(word)).length >= 2
  }
  if (plain.some((word) => SENTENCE_WORDS.has(word) || NOT_VALUES.has(word) || LABEL_WORDS.has(word))) return true
  return /[?!…]$|\.$/.test(text) && /^\p{Lu}/u.test(text)
}

/** Letters and digits, or letters of both cases where words do not have them. */
export const looksMixed = (text: string): boolean =>
  text.length >= 6 &&
  /[A-Za-z]/.test(text) &&
  ((/\d/.test(text) && !/^[a-z]+[-_.]?\d{1,2}$/i.test(text)) || /[a-z][A-Z][A-Z]|[a-z][A-Z][a-z]?[A-Z]/.test(text))

/** Random characters: long, of several classes that alternate, and no hash, uuid, path, date or version. */
export function looksRandom(text: string): boolean {
  if (text.length < 16 || !/\d|[a-z][A-Z]|[A-Z]{2}[a-z]/.test(text) || !/^[A-Za-z0-9+/=_.~:%-]+$/.test(text))
    return false
  if (/^(?:[0-9a-f]+|[0-9A-F]+|sha\d+[:-].*)$/.test(text) || /^\d[\d:.TZ+-]*$/.test(text)) return false
  if (/^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i.test(text)) return false
  if (!/\d/.test(text) && !(/[a-z]/.test(text) && /[A-Z]/.test(text))) return false
  // Words in capitals and small letters are a name.
  if (/^(?:[a-z]{2,}|[A-Z][a-z]{2,}|[A-Z]{2,}(?![a-z]))(?:[A-Z][a-z]{2,})+\d?$/.test(text)) return false
  const runs = text.match(/[a-z]+|[A-Z]+|\d+|[^A-Za-z0-9]+/g)?.length ?? 0
  return runs / text.length > 0.34
}

/** Random, or 20 hexadecimal digits and more, or a UUID. */
export const looksOpaque = (text: string): boolean =>
  looksRandom(text) ||
  (/^(?:[0-9a-f]{20,}|[0-9A-F]{20,}|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})$/.test(text) && /\d/.test(text))

/** Nobody writes it in a sentence, and no program names a thing so: signs within it, or three words and more that are joined. */
export const looksGiven = (text: string): boolean =>
  (/^\S{6,}$/.test(text) && /\w[!#$%&*+?@^`~]\w|^[!#%&)*+,:;=>?@^|~]\w/.test(text)) ||
  (/^[a-z]{3,}(?:([-_.])[a-z]{3,})(?:\1[a-z]{3,})+$/.test(text) && text.length > 14)
