/** Ed25519 signatures over image digests: the keys that a host trusts, and whether a signature is by one of them. */
import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import { describe, Failure } from './failure.js'

export type PublicKeys = ReadonlyMap<string, KeyObject>

/** What a signature says: the holder of this key approves of these bytes. `S` is how it is written. */
export interface SignedDigest<S> {
  /** `sha256:<64 hex>`; its UTF-8 bytes are what is signed. */
  digest: string
  signature: S
  public_key_id: string
}

const KEY_BYTES = 32
const SIGNATURE_BYTES = 64
const PEM = /^\s*-----BEGIN PUBLIC KEY-----[A-Za-z0-9+/=\s]{1,1000}-----END PUBLIC KEY-----\s*$/
/** What stands before the 32 bytes of a key in DER. Source: RFC 8410, section 4. */
const SPKI_HEADER = Buffer.from('302a300506032b6570032100', 'hex')

/**
 * The points of small order, their sign bit cleared: under such a key a signature can be made that fits any message,
 * without a secret, and OpenSSL accepts it. Source: libsodium, ge25519_has_small_order.
 */
const SMALL_ORDER: ReadonlySet<string> = new Set([
  `00${'00'.repeat(31)}`,
  `01${'00'.repeat(31)}`,
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  `ec${'ff'.repeat(30)}7f`,
  `ed${'ff'.repeat(30)}7f`,
  `ee${'ff'.repeat(30)}7f`,
])

/**
 * Reads the keys of a host, by id: a PEM public key (SPKI), or its 32 bytes in base64. Throws INVALID_INPUT that names the
 * id, never the value, which may be a private key by mistake.
 */
export function parsePublicKeys(keys: unknown): PublicKeys {
  if (typeof keys !== 'object' || keys === null || Array.isArray(keys)) {
    throw refused('', `must be an object of keys by id, got ${describe(typeof keys)}`)
  }
  return new Map(Object.entries(keys).map(([id, value]) => [id, parsePublicKey(id, value)]))
}

function parsePublicKey(id: string, value: unknown): KeyObject {
  const at = `[${JSON.stringify(id.slice(0, 80))}]`
  if (!/^[\x21-\x7e]{1,200}$/.test(id)) throw refused(at, 'must have an id of 1-200 visible ASCII characters')
  if (typeof value !== 'string') throw refused(at, `must be a string, got ${value === null ? 'null' : typeof value}`)
  if (/-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----/.test(value)) {
    throw refused(at, 'is a private key, which does not belong here')
  }
  const raw = decodeBase64(value, KEY_BYTES)
  if (raw === undefined && !PEM.test(value)) throw refused(at, 'is no public key')
  const key = readKey(raw === undefined ? value : Buffer.concat([SPKI_HEADER, raw]))
  if (key === undefined) throw refused(at, 'is no public key')
  if (key.asymmetricKeyType !== 'ed25519') throw refused(at, `is a key of type ${key.asymmetricKeyType}`)
  if (SMALL_ORDER.has(pointOf(key))) throw refused(at, 'is a weak key, under which anybody can sign')
  return key
}

function readKey(pemOrDer: string | Buffer): KeyObject | undefined {
  try {
    return createPublicKey(
      typeof pemOrDer === 'string' ? { key: pemOrDer, format: 'pem' } : { key: pemOrDer, format: 'der', type: 'spki' },
    )
  } catch {
    return undefined
  }
}

/** The key's point in hex, its sign bit cleared. */
function pointOf(key: KeyObject): string {
  const point = Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url')
  point[KEY_BYTES - 1] = (point[KEY_BYTES - 1] ?? 0) & 0x7f
  return point.toString('hex')
}

const refused = (at: string, problem: string): Failure =>
  new Failure(
    'INVALID_INPUT',
    `publicKeys${at} ${problem}. Give an Ed25519 public key as PEM (openssl pkey -in private.pem -pubout prints it) or its 32 bytes in base64.`,
    { details: { field: `publicKeys${at}` } },
  )

/** True when the signature is by the key of that id. Never throws. */
export function isSignedBy(keys: PublicKeys, { digest, signature, public_key_id }: SignedDigest<Buffer>): boolean {
  const key = keys.get(public_key_id)
  return key !== undefined && verify(null, Buffer.from(digest, 'utf8'), key, signature)
}

/** The 64 bytes of a signature in base64, standard or url-safe; undefined for anything else. */
export const decodeSignature = (text: string): Buffer | undefined => decodeBase64(text, SIGNATURE_BYTES)

/** Throws SIGNATURE_INVALID, saying why, unless the text is a signature that {@link isSignedBy} accepts. */
export function assertSignedBy(keys: PublicKeys, { digest, signature, public_key_id }: SignedDigest<string>): void {
  const bytes = decodeSignature(signature)
  if (bytes !== undefined && isSignedBy(keys, { digest, signature: bytes, public_key_id })) return
  if (!keys.has(public_key_id)) {
    throw new Failure(
      'SIGNATURE_INVALID',
      `public_key_id ${describe(public_key_id)} is none of the keys configured here (${[...keys.keys()].slice(0, 10).join(', ')}), so the signature cannot be verified. Sign with one of them, or leave signature and public_key_id out.`,
      { details: { field: 'public_key_id' } },
    )
  }
  const problem =
    bytes === undefined ? 'is not 64 bytes in base64' : `is not one of ${digest} by key ${describe(public_key_id)}`
  throw new Failure(
    'SIGNATURE_INVALID',
    `signature ${problem}. Sign the text ${digest}, without a line break, with that Ed25519 key, and send the 64 bytes in base64.`,
    { details: { field: 'signature' } },
  )
}

/** Exactly so many bytes, in the one way that standard or url-safe base64 writes them; padding may be left out. */
function decodeBase64(text: string, length: number): Buffer | undefined {
  if (text.length > 2 * length) return undefined
  const bytes = Buffer.from(text, 'base64')
  const bare = text.replace(/={1,2}$/, '')
  const isWritten = (['base64', 'base64url'] as const).some((form) => bytes.toString(form).replaceAll('=', '') === bare)
  return bytes.length === length && isWritten ? bytes : undefined
}
