/** Secrets that the form of their line tells, without a name: protocols, files of passwords, codes, phrases, wallets. */
import { type Detection, type Detector, isNameCode, lineStart, type Source, startsToken } from './boundary.js'
import { shellWord } from './command-line.js'
import { looksGiven, looksMixed, looksOpaque } from './plausible.js'

const found = (rule: string, start: number, length: number): Detection =>
  length > 0 ? { rule, start, end: start + length } : undefined

/** The last group of a pattern that is matched from the end of the word on. */
const behind =
  (rule: string, pattern: RegExp, accept: (secret: string) => boolean = () => true): Detector =>
  (source, _start, end) => {
    source.looks += 1
    const match = pattern.exec(source.text.slice(end, Math.min(source.lineEnd(end), end + 400)))
    const secret = match?.at(-1)
    if (match === null || secret === undefined || secret.startsWith('[REDACTED') || !accept(secret)) return undefined
    return found(rule, end + match[0].lastIndexOf(secret), secret.length)
  }

/** The word itself belongs to the secret. */
const whole =
  (rule: string, pattern: RegExp): Detector =>
  ({ text }, start) =>
    startsToken(text, start)
      ? found(rule, start, pattern.exec(text.slice(start, start + 200))?.[0].length ?? 0)
      : undefined

const isMixed = (text: string): boolean => looksMixed(text) || looksOpaque(text) || looksGiven(text)

/** A code of four to eight digits that a sentence calls one. */
const CODE =
  /^(?:\s?\([^()\n]{1,20}\))?(?:\s(?:for|to) [^\n:]{1,40}?)?\s*(?:is|are|lautet|=|:)[:\s"'*<b>]{0,8}(?:[A-Z]-)?(\d{3}[- ]\d{3}|\d{4,8})(?!\w|[.%-]\w|\/\d)/i
const CODE_WORDS = [
  'verification code',
  'security code',
  'one-time code',
  'one-time password',
  'one time password',
  'pin code',
  'login code',
  'access code',
  'confirmation code',
  'authentication code',
  'sms code',
  'your pin',
  'your code',
  'your otp',
  'the otp',
  '2fa code',
  'mfa code',
]

/** Twelve to twenty-four words in small letters. */
const PHRASE =
  /^["'`]?(?:\s?\([^()\n]{1,40}\))?["'`]?\s{0,4}(?:[:=]|is|->|=>){1,2}\s{0,4}["'`]?((?:[a-z]{3,8}[ ,]{1,2}){11,23}[a-z]{3,8})/
const PHRASE_WORDS = [
  'mnemonic',
  'seed phrase',
  'recovery phrase',
  'recoveryphrase',
  'seedphrase',
  'seed words',
  'secret phrase',
  'backup phrase',
  'seed',
  'mnemonic_phrase',
  'seed_phrase',
  'recovery_phrase',
  'wallet',
]

/** `"user" "password"` of pgbouncer, alone on its line. */
function detectQuotedPair(source: Source, start: number, end: number): Detection {
  const { text } = source
  const last = text.charCodeAt(start - 1)
  if (!isNameCode(last) && last !== 64) return undefined
  const line = lineStart(source, start)
  if (line === -1 || !/^"[\w.@-]{1,60}$/.test(text.slice(line, start))) return undefined
  const pair = /^((?:[^"\n]|""){4,200})"\s*(?:#.*|"[^"\n]*")?$/.exec(
    text.slice(end, Math.min(source.lineEnd(end), end + 400)),
  )
  const secret = pair?.[1]
  return secret === undefined || secret.startsWith('[REDACTED') || !isMixed(secret)
    ? undefined
    : found('password', end, secret.length)
}

/** `user:500:<LM>:<NT>:::` of a dump of Windows' accounts. */
function detectNtHash({ text, floor }: Source, start: number): Detection {
  if (text.charCodeAt(start - 33) !== 58 || text.charCodeAt(start - 1) === 58) return undefined
  const hash = /:(?:[0-9a-f]{32}|NO PASSWORD\*+):([0-9a-f]{32})$/i.exec(
    text.slice(Math.max(floor, start - 80), start),
  )?.[1]
  return hash === undefined ? undefined : { rule: 'password-hash', start: start - 32, end: start }
}

/** What a mask of a CI system is told to hide. */
function detectMask(source: Source, _start: number, end: number): Detection {
  const stop = source.lineEnd(end)
  return source.text.startsWith('[REDACTED', end)
    ? undefined
    : { rule: 'secret', start: end, end: source.text.slice(end, stop).trimEnd().length + end }
}

/** `register => user:x@host`, `sip:user:x@host`, `postgres//user:x@host`. */
const atHost = behind('url-password', /^(?:>\s)?\s{0,2}[^\s:@/"'[\]]{1,60}:([^\s"']{3,200}?)(?=@[\w.[-])/)

/** `send "x\r"` where the line speaks of a password. */
function detectSent(source: Source, start: number, end: number): Detection {
  const { text } = source
  const around = text.slice(Math.max(0, start - 160), Math.min(source.lineEnd(end), end + 300))
  if (!/assword|assphrase|\bpin\b/i.test(around)) return undefined
  const word = /["']/.test(text[end] ?? '') ? shellWord(source, end) : undefined
  if (word === undefined) return undefined
  const written = text.slice(word.start, word.end).replace(/(?:\\[rn])+$/, '')
  return /^(?:\[REDACTED|\$|yes$|no$)/i.test(written) ? undefined : found('password', word.start, written.length)
}

/** `iwconfig … PSK "x"`, `%any : PSK "x"`, `createUser x SHA "y" AES "z"`. */
const PSK =
  /^\s{1,4}(?:0s)?(?:"([^"\n]{4,200})"|\\"([^"\\\n]{4,200})\\"|'([^'\n]{4,200})'|([^\s"'<>${},;:=]{6,200})(?=\s*(?:#.*)?$))/

function detectPsk(source: Source, start: number, end: number): Detection {
  const { text } = source
  if (!/^: [A-Z]+$/.test(text.slice(start, end))) return undefined
  const key = PSK.exec(text.slice(end, Math.min(source.lineEnd(end), end + 300)))
  const secret = key?.slice(1).find((one) => one !== undefined)
  if (key === null || secret === undefined || secret.startsWith('[REDACTED')) return undefined
  return found('secret', end + key[0].lastIndexOf(secret), secret.length)
}

/** `hunter2x is the new root password`. */
function detectSaid(source: Source, start: number, end: number): Detection {
  const { text, floor } = source
  if (
    !/^(?:(?:new|root|admin|temporary|current|default|initial|old|database|db|api|access|master|wifi|shared|secret|right|correct) ){0,3}(?:password|passphrase|passcode|token|secret|api key|pin|key)\b/i.test(
      text.slice(end, end + 80),
    )
  )
    return undefined
  source.looks += 1
  const secret = /(?:^|[\s"'`(:])([^\s"'`()<>]{6,200})["'`]?$/.exec(
    text.slice(Math.max(floor, start - 210), start),
  )?.[1]
  if (secret === undefined || !isMixed(secret) || secret.startsWith('[REDACTED')) return undefined
  return found('password', text.lastIndexOf(secret, start - secret.length), secret.length)
}

/** `a1 LOGIN user x` of IMAP. */
function detectLogin(source: Source, start: number, end: number): Detection {
  const { text } = source
  if (text.slice(start, end) !== ' LOGIN ') return undefined
  const login = /^(?:"[^"\n]{1,80}"|[^\s"]{1,80}) (?:"([^"\n]{4,200})"|([^\s"]{4,200}))\s*$/.exec(
    text.slice(end, Math.min(source.lineEnd(end), end + 300)),
  )
  const secret = login?.[1] ?? login?.[2]
  if (login === null || secret === undefined || secret.startsWith('[REDACTED') || !isMixed(secret)) return undefined
  return found('password', end + login[0].lastIndexOf(secret), secret.length)
}

/** `user app on >x ~* +@all` of Redis. */
function detectAccess({ text, floor }: Source, start: number): Detection {
  const lowest = Math.max(floor, start - 240)
  const access = /\buser \S{1,60} [^>\n]{0,60}>(\S{3,200}) [^\n]{0,80}$/i.exec(text.slice(lowest, start))
  if (access?.[1] === undefined || access[1].startsWith('[REDACTED')) return undefined
  return found('password', lowest + access.index + access[0].indexOf('>') + 1, access[1].length)
}

/** `user_admin="x"` of Kafka's list of users. */
function detectListedUser(source: Source, start: number, end: number): Detection {
  if (!source.text.slice(Math.max(0, start - 500), start).includes('LoginModule')) return undefined
  const user = /^[\w.-]{1,60}=(["'])([^"'\n]{3,200})\1/.exec(source.text.slice(end, end + 270))
  return user?.[2] === undefined || user[2].startsWith('[REDACTED')
    ? undefined
    : found('password', end + user[0].length - 1 - user[2].length, user[2].length)
}

/** `VXNlcm5hbWU6` and `UGFzc3dvcmQ6` are the questions of `AUTH LOGIN`; the answer stands on the next line. */
function detectAnswer(source: Source, _start: number, end: number): Detection {
  const answer =
    /^\s{0,4}\r?\n(?:[^\n]{0,60}?(?:C:|>|->|~>|>>>)\s{0,4})?([A-Za-z0-9+/]{4,400}={0,2})\s*(?=\r?\n|$)/.exec(
      source.text.slice(end, end + 480),
    )
  return answer?.[1] === undefined
    ? undefined
    : found('password', end + answer[0].lastIndexOf(answer[1]), answer[1].length)
}

export const PROTOCOL_RULES: readonly (readonly [word: string, detect: Detector])[] = [
  ...CODE_WORDS.map((word) => [word, behind('password', CODE)] as const),
  ...PHRASE_WORDS.map((word) => [word, behind('secret', PHRASE)] as const),
  ['" "', detectQuotedPair],
  [':::', detectNtHash],
  ['::add-mask::', detectMask],
  ['vso[task.setvariable', behind('secret', /^[^\]\n]{0,120}issecret=true[^\]\n]{0,60}\](\S[^\n]*)/i)],
  ...[
    'register =',
    'sip:',
    'sips:',
    'postgres//',
    'postgresql//',
    'mysql//',
    'mongodb//',
    'redis//',
    'amqp//',
    'rtsp//',
  ].map((word) => [word, atHost] as const),
  ['send ', detectSent],
  ...[': psk', ': eap', ': xauth', ': ntlm'].map((word) => [word, detectPsk] as const),
  ...[
    '-server key ',
    'isakmp key ',
    'key-string ',
    'authentication-key ',
    'message-digest-key ',
    'addauth digest ',
  ].map(
    (word) =>
      [
        word,
        behind('password', /^(?:\d{1,3} (?:md5 )?){0,2}(?:[\w.-]{1,40}:)?([^\s"':]{4,200})(?=\s|$)/, isMixed),
      ] as const,
  ),
  ...[' is the ', ' is my ', ' is your ', ' is our ', ' is a '].map((word) => [word, detectSaid] as const),
  [' login ', detectLogin],
  ['user_', detectListedUser],
  ['UGFzc3dvcmQ6', detectAnswer],
  ['swmkey-1-', whole('docker-swarm-token', /^SWMKEY-1-[A-Za-z0-9+/]{20,80}={0,2}/)],
  ...['xprv', 'yprv', 'zprv', 'tprv'].map(
    (word) => [word, whole('wallet-key', /^[xyzt]prv[1-9A-HJ-NP-Za-km-z]{90,120}/)] as const,
  ),
  ['authorization.k8s.io.', behind('authorization', /^([\w-]{20,4000})/)],
  ['stats auth ', behind('password', /^[^\s:]{1,60}:(\S{3,200})/)],
  [' login=', behind('password', /^["']?[^\s:"'*]{1,60}:([^\s"']{3,200})/, isMixed)],
  ['sentinel auth-pass ', behind('password', /^\S{1,60} (\S{3,200})/)],
  ['+@', detectAccess],
  ['"auth" "', behind('password', /^(?:[\w.@-]{1,60}" ")?([^"\n]{3,200})(?="\s*$)/)],
  ['community ', behind('password', /^(?:[0-9] )?["']?([^\s"'=:.,]{4,60})["']? (?:R[OW]|ro|rw|default|\d)\b/)],
  ...['rocommunity ', 'rwcommunity ', 'rocommunity6 ', 'rwcommunity6 '].map(
    (word) => [word, behind('password', /^(\S{3,80})/)] as const,
  ),
  ['com2sec ', behind('password', /^\S{1,60} \S{1,60} (\S{3,80})/)],
  ...[' md5 "', ' sha "', ' sha-256 "'].map(
    (word) => [word, behind('password', /^([^"\n]{6,200})(?=" (?:AES|DES))/)] as const,
  ),
  ['encrypt', behind('secret', /^"?\s{0,4}[:=]\s{0,4}"([A-Za-z0-9+/]{22,60}={1,2})"/)],
  ['enable secret ', behind('password', /^(?:\d )?(\S{4,200})/, (text) => !text.startsWith('$'))],
  ...[
    '/password/reset/',
    '/reset-password/',
    '/reset/',
    '/magic/',
    '/magic-link/',
    '/invite/',
    '/verify/',
    '/confirm/',
    '/activate/',
    '/unsubscribe/',
  ].map((word) => [word, behind('secret', /^([\w.~-]{20,400})(?=[/?#&\s"'<>)]|$)/, looksOpaque)] as const),
]
