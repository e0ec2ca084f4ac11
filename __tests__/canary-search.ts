/** Secrets to be planted, and the search for them: whole, in pieces, and in the forms that texts are encoded in. */
import { BASE62, createRandom, DIGITS } from '../src/redaction/__tests__/corpus/random.js'

export interface Canary {
  /** Stands beside the secret where it is planted. */
  tag: string
  secret: string
  /** Whether what stands around the secret is to be answered. */
  told: boolean
}

type Writes = (secret: string, tag: string) => string

export interface Planter {
  readonly planted: readonly Canary[]
  /** Writes a secret of its own into a text that the system is to tell of. `make` makes another kind of secret. */
  told(write: Writes, make?: (random: Random) => string): string
  /** The same for a text of which nothing need be answered. */
  silent(write: Writes, make?: (random: Random) => string): string
}

type Random = ReturnType<typeof createRandom>

const word = (random: Random): string => random.chars(BASE62, 18) + random.chars(DIGITS, 2)

export function createPlanter(seed: number): Planter {
  const random = createRandom(seed)
  const planted: Canary[] = []
  const plant =
    (told: boolean): Planter['told'] =>
    (write, make = word) => {
      const canary = { tag: `plant${planted.length + 10}`, secret: make(random), told }
      planted.push(canary)
      return write(canary.secret, canary.tag)
    }
  return { planted, told: plant(true), silent: plant(false) }
}

const hex = (text: string): string => Buffer.from(text).toString('hex')

/** Base64 of the whole triples that begin behind `skipped` characters: what it is wherever the text stands. */
function aligned(text: string, skipped: number): Buffer {
  const bytes = Buffer.from(text).subarray(skipped)
  return bytes.subarray(0, bytes.length - (bytes.length % 3))
}

/** Forms of a secret, and how long 8 characters of it are there; 9 in base64, which has threes. */
export const FORMS: readonly (readonly [form: string, encode: (secret: string) => string, length: number])[] = [
  ['plain', (secret) => secret, 8],
  ['JSON', (secret) => JSON.stringify(secret).slice(1, -1), 8],
  ['JSON in JSON', (secret) => JSON.stringify(JSON.stringify(secret)).slice(3, -3), 8],
  ['URL-encoded', encodeURIComponent, 8],
  ...[hex, (secret: string) => hex(secret).toUpperCase()].flatMap(
    (digits) =>
      [
        ['hex', digits, 16],
        ['percent signs', (secret: string) => digits(secret).replaceAll(/../g, '%$&'), 24],
      ] as const,
  ),
  ...[0, 1, 2].flatMap((skipped) =>
    (['base64', 'base64url'] as const).map(
      (form) => [form, (secret: string) => aligned(secret, skipped).toString(form), 12] as const,
    ),
  ),
]

/** Answers where secrets or pieces of them stand in a text: each once for each form, with what stands before it. */
export function createSearch(canaries: readonly Canary[]): (text: string) => string[] {
  const pieces = new Map<number, Map<string, string>>()
  for (const { tag, secret } of canaries) {
    for (const [form, encode, length] of FORMS) {
      const known = pieces.get(length) ?? new Map<string, string>()
      pieces.set(length, known)
      const encoded = encode(secret)
      for (let at = 0; at + length <= encoded.length; at++) {
        const piece = encoded.slice(at, at + length)
        if (!known.has(piece)) known.set(piece, `${tag}, ${form}`)
      }
    }
  }

  return (text) => {
    const found = new Map<string, string>()
    for (const [length, known] of pieces) {
      for (let at = 0; at + length <= text.length; at++) {
        const what = known.get(text.slice(at, at + length))
        if (what === undefined || found.has(what)) continue
        found.set(what, `${what}: …${text.slice(Math.max(0, at - 100), at)}«${text.slice(at, at + length)}»`)
      }
    }
    return [...found.values()]
  }
}
