/** Where the secrets stand: what images, containers, programs and callers bring in with them. */
import { BASE62, DIGITS, LOWER, UPPER } from '../src/redaction/__tests__/corpus/random.js'
import { createPlanter } from './canary-search.js'

const planter = createPlanter(11)
const { told, silent } = planter
export const PLANTED = planter.planted

type Make = NonNullable<Parameters<typeof told>[1]>
const of =
  (alphabet: string, length: number): Make =>
  (random) =>
    random.chars(alphabet, length)

/** What the host itself keeps secret, longer than what messages show, with characters that encodings write differently. */
const hostSecret: Make = (random) => `${random.chars(BASE62, 60)}"/+&<\\${random.chars(BASE62, 60)}`
const keep = (secret: string): string => secret
export const ADMIN_TOKEN = silent(keep, hostSecret)
export const SIGNING_KEY = silent(keep, hostSecret)
/** A name and a value, each a text of its own. */
const pair = (write: Parameters<typeof told>[0]): [name: string, secret: string] =>
  told(write).split(' ') as [string, string]
const base64 = (text: string): string => Buffer.from(text).toString('base64')

const base64Lines = (text: string): string => text.replaceAll(/.{64}/g, '$&\n')

/** What the programs print: the planted container's and those of docker.run. */
export const OUT = [
  told((s, t) => `${t} db url postgres://app:${s}@db/app`),
  told((s, t) => `{"at":"${t}","level":"info","password":"${s}"}`),
  told((s, t) => `${t} GET /?access_token=${s}&x=1 HTTP/1.1`),
  told((s, t) => `${t} Authorization: Bearer ${s}`),
  told((s, t) => `${t} Authorization: Basic ${base64(`app:${s}`)}`),
  told((s, t) => `${t} \x1b[31mAPI_KEY\x1b[0m=${s}`),
  told((s, t) => `${t} $ mysql -u root -p${s} -h db`),
  told((s, t) => `${t} $ curl -u app:${s} https://api.example/v1`),
  told((s, t) => `${t} export AWS_SECRET_ACCESS_KEY=${s}`, of(BASE62, 40)),
  told((s, t) => `${t} Set-Cookie: session=${s}; HttpOnly`),
  told((s, t) => `${t} <password>${s}</password>`),
  told((s, t) => `- name: ${t.toUpperCase()}_DB_PASSWORD\n  value: ${s}`),
  told((s, t) => `${t} body {\\"client_secret\\":\\"${s}\\"}`),
  told((s, t) => `${t} login with ghp_${s}`, of(BASE62, 36)),
  told((s, t) => `${t} uses xoxb-1234567890-1234567890123-${s}`, of(BASE62, 24)),
  told((s, t) => `${t} charges with sk_live_${s}`, of(BASE62, 24)),
  told((s, t) => `${t} key id AKIA${s}`, of(UPPER, 16)),
  told((s, t) => `${t} maps AIza${s}`, of(BASE62, 35)),
  told((s, t) => `${t} publishes with npm_${s}`, of(BASE62, 36)),
  told((s, t) => `${t} reports to https://hooks.slack.com/services/T00000000/B00000000/${s}`, of(BASE62, 24)),
  told((s, t) => `${t} eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ4eHh4eHh4In0.${s}`, of(BASE62, 43)),
  told(
    (s, t) => `${t}\n-----BEGIN RSA PRIVATE KEY-----\n${base64Lines(s)}\n-----END RSA PRIVATE KEY-----`,
    of(BASE62, 400),
  ),
  `the host's token ${ADMIN_TOKEN}, ${base64(`x:${ADMIN_TOKEN}`)}, ${Buffer.from(ADMIN_TOKEN).toString('hex')}`,
  `the host's key ${SIGNING_KEY}, ${encodeURIComponent(SIGNING_KEY)}, ${JSON.stringify({ at: SIGNING_KEY })}`,
  `and twice ${JSON.stringify({ at: JSON.stringify({ at: SIGNING_KEY }) })}`,
  '',
].join('\n')
export const ERR = [
  told((s, t) => `${t} fatal: token=${s}`),
  told((s, t) => `${t} ValueError: bad secret: ${s}`),
  told((s, t) => `${t} Error: connect failed { password: '${s}' }\n    at connect (db.js:1:1)`),
  `cannot verify ${ADMIN_TOKEN}`,
  '',
].join('\n')
/** What the program prints that a killed server leaves behind. */
export const LATE = told((s, t) => `${t} DB_PASSWORD=${s}\n`)

export const IMAGE = {
  Env: [
    'PATH=/bin',
    told((s, t) => `${t.toUpperCase()}_PG_PASSWORD=${s}`),
    told((s, t) => `${t.toUpperCase()}_CONFIG={"user":"app","password":"${s}"}`),
  ],
  Labels: { 'com.example.image.api-key': silent((s) => s) },
}

const PRINTS = 'cat /canary/out; cat /canary/err >&2; env; cat; exit 3'
const LINGERS = 'cat /canary/late; sleep 4; exit 0'
const shell = (script: string, ...more: string[]): string[] => ['/bin/sh', '-c', script, ...more]

/** A container that is there already, as somebody else made it. */
export const CONTAINER = {
  Cmd: shell(
    PRINTS,
    'job',
    ...pair((s, t) => `--${t}-password ${s}`),
    told((s, t) => `--${t}-token=${s}`),
  ),
  Env: [
    told((s, t) => `${t.toUpperCase()}_DB_PASSWORD=${s}`),
    told((s, t) => `${t.toUpperCase()}_URL=redis://:${s}@cache:6379/0`),
    told((s, t) => `${t.toUpperCase()}_NOTE=use ghp_${s}`, of(BASE62, 36)),
    `HOST_NOTE=${ADMIN_TOKEN}`,
  ],
  Labels: Object.fromEntries([
    ['com.example.note', SIGNING_KEY],
    pair((s, t) => `com.example.${t}.password ${s}`),
    pair((s, t) => `com.example.${t} {"secret":"${s}"}`),
  ]),
}

const variable = () => pair((s, t) => `${t.toUpperCase()}_TOKEN ${s}`)

/** Params of docker.run, each image aside. */
export const RUNS = {
  /** Prints what it is given, and fails. */
  prints: {
    cmd: shell(
      PRINTS,
      'job',
      told((s, t) => `--${t}-secret=${s}`),
    ),
    env: Object.fromEntries([variable(), variable()]),
    stdin: told((s, t) => `${t} password=${s}\nand ${SIGNING_KEY}\n`),
  },
  cannotStart: {
    cmd: ['/bin/none', ...pair((s, t) => `--${t}-password ${s}`), told((s, t) => `--${t}-token=${s}`)],
  },
  lingers: { cmd: shell(LINGERS), env: Object.fromEntries([variable()]), stdin: silent((s) => `token=${s}`) },
  /** Waits for its turn while the server is killed. */
  waits: { cmd: shell(PRINTS), env: Object.fromEntries([variable()]), stdin: told((s, t) => `${t} secret=${s}\n`) },
  mcp: { cmd: shell(PRINTS), env: Object.fromEntries([variable()]), stdin: told((s, t) => `${t} api_key=${s}\n`) },
}

/** What the engine says of itself: the one at the start, the other in place of an answer. A thousand characters end in it. */
export const ENGINE_AWAY = silent((s) => JSON.stringify({ message: `away: password=${s} ${ADMIN_TOKEN}` }))
export const ENGINE_ERROR = silent((s) =>
  JSON.stringify({ message: `denied: token=${s} postgres://a:${s}@b ${'for reasons '.repeat(72)}${SIGNING_KEY}` }),
)

export const SESSION = {
  label: told((s, t) => `${t} password=${s}`),
  metadata: Object.fromEntries([pair((s, t) => `${t}_api_key ${s}`)]),
}
export const MESSAGE = {
  role: 'user',
  content: told((s, t) => `${t} run it with api_key=${s} and ${SIGNING_KEY}`),
  metadata: Object.fromEntries([pair((s, t) => `${t}_token ${s}`)]),
}
const [secretName, secretValue] = pair((s, t) => `${t.toUpperCase()}_SECRET ${s}`)
export const MANIFEST = {
  ...Object.fromEntries([pair((s, t) => `${t}_password ${s}`)]),
  url: told((s, t) => `https://${t}:${s}@git.example/x`),
  env: [{ name: secretName, value: secretValue }],
  note: `for ${ADMIN_TOKEN}`,
}
/** Calls that are refused. */
export const DENIED = { password: silent(keep), note: told((s, t) => `${t} secret=${s}`) }
export const UNKNOWN = { token: silent(keep), args: ['--password', silent(keep)] }
export const SIMULATED = { env: { X_PASSWORD: silent(keep) }, stdin: 1 }
/** A caller's own, which nothing is to tell of. */
export const IDEMPOTENCY_KEY = silent(keep, of(LOWER + DIGITS, 32))
/** A secret for any place. */
export const github = (): string => silent((s) => `ghp_${s}`, of(BASE62, 36))
export const jwt = (): string =>
  silent((s) => `eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ${s}.c2lnbmF0dXJlLW9mLWNhbmFyaWVz`, of(BASE62, 80))
