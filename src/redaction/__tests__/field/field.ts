/** The field corpus: lines as containers, configurations and commands show them, written without a look at the rules. */
import { readFileSync } from 'node:fs'
import type { Negative } from '../corpus/negatives.js'
import type { Positive } from '../corpus/positives.js'
import { BASE62, createRandom, DIGITS, HEX, LOWER, type Random, UPPER } from '../corpus/random.js'

const BASE64 = `${BASE62}+/`
const BASE64URL = `${BASE62}-_`
const ALPHABETS: Record<string, string> = {
  '62': BASE62,
  '64': BASE64,
  url: BASE64URL,
  hex: HEX,
  dig: DIGITS,
  b32: `${UPPER}234567`,
  alpha: LOWER + UPPER,
  lower: LOWER + DIGITS,
}
const WORDS = 'Winter Maple tiger Copper orbit Falcon velvet Harbor quartz Meadow rocket Salmon'.split(' ')

const jwt = (r: Random): string =>
  `eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ${r.chars(BASE64URL, 60)}.${r.chars(BASE64URL, 43)}`
const uuid = (r: Random): string => [8, 4, 4, 4, 12].map((length) => r.chars(HEX, length)).join('-')
/** As people make them: a word or two, digits, a sign. */
const password = (r: Random, signs: string): string =>
  r.pick([
    `${r.pick(WORDS)}${r.chars(DIGITS, 4)}${r.chars(signs, 1)}`,
    `${r.pick(WORDS)}-${r.pick(WORDS)}-${r.chars(DIGITS, 2)}`,
    `${r.chars(LOWER, 6)}${r.chars(signs, 1)}${r.chars(UPPER, 3)}${r.chars(DIGITS, 3)}`,
    r.chars(BASE62, 8 + r.below(12)) + r.chars(DIGITS, 1),
    `${r.chars(LOWER, 5)}${r.chars(DIGITS, 3)}`,
  ])

/** What stands in «…»: the secret of a line. */
const SECRETS: Record<string, (random: Random) => string> = {
  pw: (r) => password(r, '!_.*-'),
  sym: (r) => password(r, '!@#%^*()+?~<>:;,.|{}[]='),
  sq: (r) => password(r, '!@#%^*()+?'),
  tok: (r) => r.pick([r.chars(BASE62, 20 + r.below(24)), r.chars(BASE64URL, 32), r.chars(HEX, 40)]),
  hex: (r) => r.chars(HEX, 64),
  hex32: (r) => r.chars(HEX, 32),
  b64: (r) => r.pick([r.chars(BASE64, 40), `${r.chars(BASE64, 43)}=`]),
  b64long: (r) => r.chars(BASE64, 64),
  az: (r) => `${r.chars(BASE64, 86)}==`,
  pct: (r) => `${r.chars(BASE62, 20)}%2B${r.chars(BASE62, 20)}%3D`,
  wg: (r) => `${r.chars(BASE64, 43)}=`,
  url: (r) => r.chars(BASE64URL, 43),
  dig: (r) => r.chars(DIGITS, 6),
  low16: (r) => r.chars(LOWER + DIGITS, 16),
  swarm: (r) => `${r.chars(LOWER + DIGITS, 50)}-${r.chars(LOWER + DIGITS, 25)}`,
  tok24: (r) => r.chars(BASE62, 24),
  tok68: (r) => r.chars(BASE64URL, 68),
  telegram: (r) => `${r.chars(DIGITS, 10)}:AA${r.chars(BASE64URL, 33)}`,
  jwt,
}

/** What stands in ‹…›: harmless. */
const FILLERS: Record<string, (random: Random) => string> = {
  host: (r) => r.pick(['db', 'db-1', 'cache.internal', 'localhost', '10.1.2.3', 'shop.example.com']),
  user: (r) => r.pick(['app', 'alice', 'svc-shop', 'deploy', 'bob']),
  ip: (r) => `10.${r.below(255)}.${r.below(255)}.${r.below(255)}`,
  n: (r) => String(r.below(90_000)),
  sha: (r) => r.chars(HEX, 40),
  sha7: (r) => r.chars(HEX, 7),
  sha256: (r) => r.chars(HEX, 64),
  hex16: (r) => r.chars(HEX, 16),
  hex32: (r) => r.chars(HEX, 32),
  HEX16: (r) => r.chars(HEX, 16).toUpperCase(),
  HEX40: (r) => r.chars(HEX, 40).toUpperCase(),
  ID: (r) => r.chars(UPPER + DIGITS, 9),
  id: (r) => r.chars(HEX, 12),
  b64: (r) => r.chars(BASE64, 43),
  uuid,
}

const read = (name: string): string[] =>
  readFileSync(new URL(name, import.meta.url), 'utf8')
    .split('\n')
    .filter(Boolean)

function filled(random: Random, template: string): { text: string; secret: string } {
  let secret = ''
  const text = template
    .replaceAll('⏎', '\n')
    .replaceAll('␛', '\x1b')
    .replaceAll(/‹(\w+)›/g, (_, name: string) => named(FILLERS, name)(random))
    .replaceAll(/«(\w+)»/g, (_, name: string) => {
      secret = named(SECRETS, name)(random)
      return secret
    })
  return { text, secret }
}

function named<T>(table: Record<string, T>, name: string): T {
  const found = table[name]
  if (found === undefined) throw new Error(`the corpus names ${name}, which is nothing`)
  return found
}

function* sections(lines: readonly string[]): Generator<{ section: string; line: string }> {
  let section = ''
  for (const line of lines) {
    if (line.startsWith('# ')) section = line.slice(2)
    else yield { section, line }
  }
}

/** Secrets with something that tells them, four of each template; `form` is the section of the file. */
export function fieldSecrets(seed: number): Positive[] {
  const random = createRandom(seed)
  return [...sections(read('secrets.txt'))].flatMap(({ section, line }) =>
    Array.from({ length: 4 }, () => ({ kind: 'other' as const, family: line, form: section, ...filled(random, line) })),
  )
}

const AROUND: Record<string, (token: string) => string> = {
  alone: (token) => token,
  prose: (token) => `rejected by upstream: ${token} is not valid any more`,
  quoted: (token) => `Error: bad credentials "${token}", giving up`,
  'named by nothing': (token) => `value=${token}`,
  json: (token) => JSON.stringify({ level: 'warn', msg: 'retry', with: token }),
  path: (token) => `GET /v1/${token}/items 404`,
}

/** Providers' tokens, whose form alone tells them. */
export function fieldTokens(seed: number): Positive[] {
  const random = createRandom(seed)
  return read('tokens.txt').flatMap((format) =>
    Object.entries(AROUND).map(([form, around]) => {
      const secret = format
        .replaceAll(/\[(\w+):(\d+)\]/g, (_, alphabet: string, length: string) =>
          random.chars(named(ALPHABETS, alphabet), Number(length)),
        )
        .replaceAll('[uuid]', () => uuid(random))
      return { kind: 'provider' as const, family: format, form, text: around(secret), secret }
    }),
  )
}

/** Lines that hold no secret, four of each template. */
export function fieldHarmless(seed: number): Negative[] {
  const random = createRandom(seed)
  return [...sections(read('harmless.txt'))].flatMap(({ section, line }) =>
    Array.from({ length: 4 }, () => ({ category: section, text: filled(random, line).text })),
  )
}
