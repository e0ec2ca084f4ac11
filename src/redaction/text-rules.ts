/** What is recognised by a word in the text rather than by a provider's mark: names, URLs, schemes, blocks, password hashes. */
import { detectAssignment } from './assignment.js'
import { type Detection, isNameCode, type Row, runEnd, type Source, startsToken } from './boundary.js'
import { detectCall, detectIdentified, detectInsert, FUNCTION_NAMES } from './call.js'
import { detectArgument, detectPiped, mayBeProgram, PIPE_WORDS, PROGRAM_NAMES } from './command-line.js'
import {
  detectEncodedKey,
  detectHeadlessKey,
  detectKeyBlock,
  detectKeyRemainder,
  detectPuttyKey,
  mayEndRemainder,
} from './key-block.js'
import { looksMixed } from './plausible.js'
import { PROTOCOL_RULES } from './protocol.js'
import {
  detectAuthentication,
  detectCode,
  detectForeignName,
  detectJsonWebKey,
  detectPasswordFile,
  FOREIGN_NAMES,
  KEY_MEMBERS,
} from './statement.js'

import { detectCodes, detectSecretData, detectSecretJson, detectUnlock } from './table.js'
import { detectDataSource, detectEncodedSignature, detectEncodedUserinfo, detectUserinfo } from './userinfo.js'

const NAME_WORDS =
  'pass,pwd,psw,secret,token,key,auth,cred,cookie,jwt,otp,sess,bearer,signature,sig=,_sig,"sig,salt,nonce,_pat,-pat,pat=,pat:,pat",_pw,-pw,pw=,pw:,pw",pin=,pin:,pin",_psk,psk=,psk:,psk",kennwort,senha,contrase,wachtwoord,parola,webhook,requirepass,dockerconfigjson,dockercfg,cvv,cvc=,verification_code,security_code,backup_code,recovery_code,sms_code,hmac,mnemonic,seed phrase,recovery phrase,samlresponse,verifier,device_code,device_id_token,csrf,xsrf,sid=,pw ,registry-config,sonar.login,steamaccount,honeycomb-team,user.info,bundle_,heslo,haslo,salasana,losenord,adgangskode,jelszo,sifre,parool,mdp=,mdp:,clave,unseal,pepper,assertion,_sid,.sid,_seed,seed='.split(
    ',',
  )

/** `Bearer x`, `Basic x`, Okta's `SSWS x` where no header's name stands before it. */
function detectScheme(source: Source, start: number, end: number): Detection {
  const { text } = source
  if (!startsToken(text, start) || !/[ \t:=+]/.test(text[end] ?? '')) return undefined
  source.looks += 1
  const from = credentialsStart(source, end)
  if (from === -1) return undefined
  const written = text.slice(from, credentialsEnd(source, end, from))
  if (isCredentials(written)) return { rule: 'authorization', start: from, end: from + written.length }
  // What was read in vain is read again behind the next word within it.
  source.looks += written.length >> 6
  return undefined
}

/** At least twelve characters behind up to four signs and perhaps a quote. */
function credentialsStart(source: Source, end: number): number {
  const { text } = source
  let signs = 0
  while (signs < 4 && /[ \t:=+]/.test(text.charAt(end + signs))) signs++
  for (; signs > 0; signs--) {
    const sign = text.charCodeAt(end + signs)
    const from = end + signs + (sign === 34 || sign === 39 ? 1 : 0)
    if (credentialsEnd(source, end, from) - from >= 12) return from
  }
  return -1
}

function credentialsEnd(source: Source, end: number, from: number): number {
  const limit = Math.min(source.lineEnd(end), end + 8_192)
  return from >= limit ? from : runEnd(source, from, limit, (start, to) => codesEnd(source.text, start, to), codesEnd)
}

function codesEnd(text: string, start: number, end: number): number {
  for (let index = start; index < end; index++) {
    const code = text.charCodeAt(index)
    if (!isNameCode(code) && code !== 61 && code !== 47 && code !== 43 && code !== 126) return index
  }
  return -1
}

function isCredentials(written: string): boolean {
  if (!looksMixed(written) && !/^[A-Za-z0-9+/]{16,}={1,2}$/.test(written)) return false
  return !/^[A-Za-z]+(?:[-_.=][A-Za-z0-9]{1,12})*$/.test(written) || /[a-z][A-Z]/.test(written)
}

/** Crypt hashes (`$2b$…`, `$6$…`) and their like: what is hashed can be guessed. */
function detectPasswordHash({ text }: Source, start: number): Detection {
  const hash =
    /^(?:"md5[0-9a-f]{32}(?=")|SCRAM-SHA-256\$[^\s"',;]{16,400}|\$(?:2[abxy]|[156]|5|6|y|7|gy|apr1|argon2(?:id|i|d)|pbkdf2[\w-]*|scrypt)\$[^\s:"'`,;<>]{16,400}|(?:pbkdf2_sha256|pbkdf2_sha1|bcrypt_sha256|argon2|scrypt:[\d:]+)\$[^\s:"'`,;<>]{16,400}|\{S?SHA(?:256|512)?\}[A-Za-z0-9+/=]{20,200})/.exec(
      text.slice(start, start + 512),
    )?.[0]
  return hash === undefined ? undefined : { rule: 'password-hash', start, end: start + hash.length }
}

/** A placeholder is passed by whole, so that redacting twice is redacting once. */
export const PLACEHOLDER = /\[REDACTED(?::[a-z0-9-]{1,40})?\]/y

export const TEXT_RULES: readonly Row[] = [
  ...NAME_WORDS.map((word) => [word, detectAssignment] as const),
  ['://', detectUserinfo],
  [':\\/\\/', detectUserinfo],
  ['%3a%2f%2f', detectEncodedUserinfo],
  ...['signature%3d', 'signature%253d', 'sig%3d', 'sig%253d'].map((word) => [word, detectEncodedSignature] as const),
  ['@tcp(', detectDataSource],
  ['@unix(', detectDataSource],
  ['@//', detectDataSource],
  [':thin:', detectDataSource],
  ['---begin ', detectKeyBlock],
  ['--- begin ', detectKeyBlock],
  ['---begin%20', detectKeyBlock],
  ['---begin+', detectKeyBlock],
  ['\n', detectKeyRemainder, undefined, mayEndRemainder],
  ['private-lines:', detectPuttyKey],
  ['LS0tLS1CRUdJTi', detectEncodedKey],
  ...[
    'b3BlbnNzaC1rZXktdjEA',
    'MIIEvQIBADANBgkqhkiG',
    'MIIEvgIBADANBgkqhkiG',
    'MIIEvAIBADANBgkqhkiG',
    'MIIEpAIBAAKCAQEA',
    'MIIEowIBAAKCAQEA',
    'MIIEogIBAAKCAQEA',
    'MIGHAgEAMBMGByqGSM49',
    'MHcCAQEEI',
    'MC4CAQAwBQYDK2Vw',
    'MIIJKAIBAAKCAgEA',
    'MIIJKQIBAAKCAgEA',
    'MIIJQgIBADANBgkqhkiG',
    'MIIJQwIBADANBgkqhkiG',
  ].map((word) => [word, detectHeadlessKey] as const),
  ['bearer', detectScheme],
  ['basic', detectScheme],
  ['ssws', detectScheme],
  ...'recovery codes,backup codes,scratch codes,one-time codes,recovery keys,recovery key,unseal keys,emergency codes'
    .split(',')
    .map((word) => [word, detectCodes] as const),
  ['kind: secret', detectSecretData],
  ...['kind":"secret', 'kind": "secret', 'kind\\":\\"secret'].map((word) => [word, detectSecretJson] as const),
  ['identified', detectIdentified],
  ['insert into', detectInsert],
  ...FUNCTION_NAMES.map((name) => [name, detectCall] as const),
  ...PIPE_WORDS.map((word) => [word, detectPiped] as const),
  ...PROTOCOL_RULES,
  ...['auth ', 'auth" "', 'identify ', 'setuser ', 'login '].map((word) => [word, detectAuthentication] as const),
  ['to proceed to installation:', detectUnlock],
  [' code=', detectCode],
  ['?code=', detectCode],
  ['&code=', detectCode],
  ...[':5432:', ':5433:', ':6432:', ':*:'].map((word) => [word, detectPasswordFile] as const),
  ...FOREIGN_NAMES.map((word) => [word, detectForeignName] as const),
  ...KEY_MEMBERS.map((word) => [word, detectJsonWebKey] as const),
  ['"md5', detectPasswordHash],
  ['scram-sha-256$', detectPasswordHash],
  ...PROGRAM_NAMES.map((name): Row => [name, detectArgument, undefined, mayBeProgram]),
  ...'$2a$ $2b$ $2y$ $1$ $5$ $6$ $y$ $7$ $gy$ $apr1$ $argon2 $pbkdf2 pbkdf2_sha bcrypt_sha256$ {ssha {sha $scrypt scrypt:'
    .split(' ')
    .map((word) => [word, detectPasswordHash] as const),
]
