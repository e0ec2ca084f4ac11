/** Signatures over image digests: which keys a host may configure, what verifies, and what counts as signed afterwards. */
import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { createMemoryStore } from '../../stores/memory.js'
import type { SkillRegistration } from '../registry.js'
import { assertSignedBy, decodeSignature, isSignedBy, parsePublicKeys } from '../signature.js'
import { createFixture } from './fixture.js'

interface KeyPair {
  publicKey: KeyObject
  privateKey: KeyObject
}

const RELEASE = generateKeyPairSync('ed25519')
const OTHER = generateKeyPairSync('ed25519')
const DIGEST = `sha256:${'0a'.repeat(32)}`
const IMAGE = `hello-world@${DIGEST}`

const pem = ({ publicKey }: KeyPair): string => publicKey.export({ type: 'spki', format: 'pem' }).toString()
const raw = ({ publicKey }: KeyPair): Buffer => Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url')
const bytesBy = ({ privateKey }: KeyPair, text = DIGEST): Buffer => sign(null, Buffer.from(text), privateKey)
const signatureBy = (pair: KeyPair, text = DIGEST): string => bytesBy(pair, text).toString('base64')

const publicKeys = { release: pem(RELEASE) }
const KEYS = parsePublicKeys(publicKeys)
function isSigned(text: string, digest = DIGEST): boolean {
  const signature = decodeSignature(text)
  return signature !== undefined && isSignedBy(KEYS, { digest, signature, public_key_id: 'release' })
}

describe('the keys of a host', () => {
  const WRITTEN: [form: string, key: string][] = [
    ['PEM', pem(RELEASE)],
    ['PEM with CRLF', pem(RELEASE).replaceAll('\n', '\r\n')],
    ['base64', raw(RELEASE).toString('base64')],
    ['base64 without padding', raw(RELEASE).toString('base64').replace('=', '')],
    ['base64url', raw(RELEASE).toString('base64url')],
  ]
  for (const [form, key] of WRITTEN) {
    it(`may be written as ${form}`, () => {
      const signed = { digest: DIGEST, signature: bytesBy(RELEASE), public_key_id: 'k' }
      assert.equal(isSignedBy(parsePublicKeys({ k: key }), signed), true)
    })
  }

  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const agreement = generateKeyPairSync('x25519')
  const secret = RELEASE.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const SMALL_ORDER = [
    `${'00'.repeat(32)}`,
    `01${'00'.repeat(31)}`,
    `01${'00'.repeat(30)}80`,
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    `ec${'ff'.repeat(30)}7f`,
    `ee${'ff'.repeat(31)}`,
  ]
  const REFUSED: [what: string, keys: unknown, reason: RegExp][] = [
    ['no object', 'x', /publicKeys must be an object/],
    ['a list', [pem(RELEASE)], /publicKeys must be an object/],
    ['null', null, /publicKeys must be an object/],
    ['an empty id', { '': pem(RELEASE) }, /publicKeys\[""\] must have an id/],
    ['an id with a blank', { 'a b': pem(RELEASE) }, /publicKeys\["a b"\] must have an id/],
    ['an id that is too long', { ['x'.repeat(201)]: pem(RELEASE) }, /must have an id/],
    ['a number', { k: 7 }, /publicKeys\["k"\] must be a string, got number/],
    ['a null key', { k: null }, /publicKeys\["k"\] must be a string, got null/],
    ['nothing', { k: '' }, /publicKeys\["k"\] is no public key/],
    ['a word', { k: 'release' }, /publicKeys\["k"\] is no public key/],
    ['31 bytes', { k: Buffer.alloc(31, 7).toString('base64') }, /is no public key/],
    ['33 bytes', { k: Buffer.alloc(33, 7).toString('base64') }, /is no public key/],
    ['base64 with a blank', { k: `${raw(RELEASE).toString('base64')} ` }, /is no public key/],
    ['PEM around nonsense', { k: pem(RELEASE).replace(/\nM/, '\nN') }, /is no public key/],
    ['two keys', { k: pem(RELEASE) + pem(OTHER) }, /is no public key/],
    ['a certificate', { k: pem(RELEASE).replaceAll('PUBLIC KEY', 'CERTIFICATE') }, /is no public key/],
    ['a private key', { k: secret }, /publicKeys\["k"\] is a private key/],
    ['an RSA key', { k: pem(rsa) }, /publicKeys\["k"\] is a key of type rsa/],
    ['a key for agreement', { k: pem(agreement) }, /is a key of type x25519/],
    ...SMALL_ORDER.map((hex): [string, unknown, RegExp] => [
      `the weak key ${hex}`,
      { k: Buffer.from(hex, 'hex').toString('base64') },
      /is a weak key/,
    ]),
    ['one bad key among good ones', { good: pem(RELEASE), bad: 'x' }, /publicKeys\["bad"\]/],
  ]
  for (const [what, keys, reason] of REFUSED) {
    it(`may not be ${what}, and the gate is not created`, () => {
      const create = () => createFixture({ publicKeys: keys as Record<string, string> })
      assert.throws(create, (error: Error & { code: string; details: { field: string } }) => {
        assert.equal(error.code, 'INVALID_INPUT')
        assert.match(error.message, reason)
        assert.match(error.details.field, /^publicKeys/)
        const [, inside = ''] = secret.split('\n')
        assert.ok(!error.message.includes(inside), 'the value may be a secret')
        return true
      })
    })
  }
})

describe('a signature', () => {
  it('is by a key over the text of the digest, in either form of base64, padded or not', () => {
    const bytes = bytesBy(RELEASE)
    for (const form of ['base64', 'base64url'] as const) {
      const text = bytes.toString(form)
      for (const written of [text, text.replaceAll('=', ''), `${text.replaceAll('=', '')}==`]) {
        assert.equal(isSigned(written), true, written)
      }
    }
  })

  /** The order of the base point: S and S + L fit the same equation. Source: RFC 8032, section 5.1.7. */
  const L = 2n ** 252n + 27742317777372353535851937790883648493n
  function malleated(signature: Buffer): Buffer {
    let scalar = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString('hex')}`) + L
    const copy = Buffer.from(signature)
    for (let index = 32; index < 64; index++, scalar >>= 8n) copy[index] = Number(scalar & 0xffn)
    return copy
  }

  const good = bytesBy(RELEASE)
  const REFUSED: [what: string, signature: string][] = [
    ['nothing', ''],
    ['a word', 'signature'],
    ['63 bytes', good.subarray(1).toString('base64')],
    ['65 bytes', Buffer.concat([good, good.subarray(0, 1)]).toString('base64')],
    ['two of them', Buffer.concat([good, good]).toString('base64')],
    ['hexadecimal digits', good.toString('hex')],
    ['a blank around it', ` ${good.toString('base64')}`],
    ['a line break at the end', `${good.toString('base64')}\n`],
    ['a line break inside', good.toString('base64').replace(/^.{10}/, '$&\n')],
    ['three signs of padding', `${good.toString('base64')}=`],
    ['bits behind the last byte', good.toString('base64').replace(/.==$/, (end) => `${next(end[0])}==`)],
    ['another key', signatureBy(OTHER)],
    ['another digest', signatureBy(RELEASE, `sha256:${'0b'.repeat(32)}`)],
    ['the digest without its algorithm', signatureBy(RELEASE, DIGEST.slice('sha256:'.length))],
    ['the digest in upper case', signatureBy(RELEASE, `sha256:${'0A'.repeat(32)}`)],
    ['the digest and a line break', signatureBy(RELEASE, `${DIGEST}\n`)],
    ['the whole reference', signatureBy(RELEASE, IMAGE)],
    [
      'the hash of the digest alone',
      sign(null, Buffer.from('0a'.repeat(32), 'hex'), RELEASE.privateKey).toString('base64'),
    ],
    ['the order of the group added to S', malleated(good).toString('base64')],
    ['all zeros', Buffer.alloc(64).toString('base64')],
    ['all ones', Buffer.alloc(64, 0xff).toString('base64')],
  ]
  for (const [what, signature] of REFUSED) {
    it(`of ${what} is refused`, () => {
      assert.equal(isSigned(signature), false)
      assert.throws(() => assertSignedBy(KEYS, { digest: DIGEST, signature, public_key_id: 'release' }), {
        code: 'SIGNATURE_INVALID',
        details: { field: 'signature' },
      })
    })
  }

  it('with any bit of it, or of the digest, changed is refused', () => {
    fc.assert(
      fc.property(fc.nat(511), (bit) => {
        const changed = Buffer.from(good)
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        assert.equal(isSigned(changed.toString('base64')), false)
      }),
    )
    fc.assert(
      fc.property(fc.nat(63), fc.constantFrom(...'0123456789abcdef'), (at, digit) => {
        const hex = DIGEST.slice('sha256:'.length)
        const digest = `sha256:${hex.slice(0, at)}${digit}${hex.slice(at + 1)}`
        assert.equal(isSigned(good.toString('base64'), digest), digest === DIGEST)
      }),
    )
  })

  it('of any other text or bytes is refused, and none of them throws', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => assert.equal(isSigned(text), false)))
    const bytes = fc.uint8Array({ minLength: 64, maxLength: 64 })
    fc.assert(fc.property(bytes, (random) => assert.equal(isSigned(Buffer.from(random).toString('base64')), false)))
  })

  for (const id of ['', 'Release', 'release ', '__proto__', 'constructor', 'toString', 'get']) {
    it(`under the key id ${JSON.stringify(id)} is by an unknown key`, () => {
      const signed = { digest: DIGEST, public_key_id: id }
      assert.equal(isSignedBy(KEYS, { ...signed, signature: bytesBy(RELEASE) }), false)
      assert.throws(() => assertSignedBy(KEYS, { ...signed, signature: signatureBy(RELEASE) }), {
        code: 'SIGNATURE_INVALID',
        details: { field: 'public_key_id' },
        message: /none of the keys configured here \(release\)/,
      })
    })
  }

  it('may be under a key that is named __proto__, when it is configured', () => {
    const keys = parsePublicKeys(JSON.parse(`{"__proto__": ${JSON.stringify(pem(OTHER))}}`))
    const signed = { digest: DIGEST, public_key_id: '__proto__' }
    assert.equal(isSignedBy(keys, { ...signed, signature: bytesBy(OTHER) }), true)
    assert.equal(isSignedBy(keys, { ...signed, signature: bytesBy(RELEASE) }), false)
  })
})

/** The next letter of the base64 alphabet. */
function next(letter = 'A'): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
  return alphabet[(alphabet.indexOf(letter) + 1) % 64] ?? ''
}

const HELLO: SkillRegistration = { name: 'hello-world', version: '1.0', image: IMAGE }
const SIGNED = { ...HELLO, signature: signatureBy(RELEASE), public_key_id: 'release' }

describe('a registered skill [S23]', () => {
  it('is signed when its signature verifies, at once and in the list', async () => {
    const { gate } = createFixture({ publicKeys })
    const { skill } = await gate.registerSkill(SIGNED)
    assert.equal(skill.signed, true)
    assert.equal((await gate.registerSkill(SIGNED)).skill.signed, true)
    assert.equal((await gate.registerSkill({ ...HELLO, version: '2.0' })).skill.signed, false)
    const { skills } = await gate.registeredSkills()
    assert.deepEqual(
      skills.map(({ version, signed }) => [version, signed]),
      [
        ['1.0', true],
        ['2.0', false],
      ],
    )
  })

  it('is recorded so that no redaction touches its signature, whatever bytes it has', async () => {
    // Its end reads like an assignment to a one-time password.
    const written = 'wwRrJsbaIeaIPk8zVWiXISITDpcoTRLoM61EmE6Vrxw8kuq4V5pILoL1Rrf87kwhBlMlXMrBR/dHOtpRnFngaA=='
    const signatures = [
      SIGNED.signature,
      written,
      Buffer.from(`sk-${'aB3'.repeat(27)}aQ`, 'base64url').toString('base64url'),
    ]
    const { gate } = createFixture()
    for (const [version, signature] of signatures.entries()) {
      await gate.registerSkill({ ...SIGNED, version: String(version), signature })
    }
    const { events } = await gate.audit({ type: 'skill.registered' })
    assert.deepEqual(
      events.map(({ data }) => data.signature),
      signatures.map((signature) => Buffer.from(signature, 'base64').toString('hex')),
    )
  })

  const CLAIMS: [what: string, claim: { signature?: string; public_key_id?: string }, field: string][] = [
    ['another key', { signature: signatureBy(OTHER) }, 'signature'],
    ['an unknown key id', { public_key_id: 'nightly' }, 'public_key_id'],
    ['the key id __proto__', { public_key_id: '__proto__' }, 'public_key_id'],
    ['nonsense', { signature: 'placeholder' }, 'signature'],
  ]
  for (const [what, claim, field] of CLAIMS) {
    it(`is not registered with a signature of ${what}`, async () => {
      const { gate, store } = createFixture({ publicKeys })
      await assert.rejects(gate.registerSkill({ ...SIGNED, ...claim }), {
        code: 'SIGNATURE_INVALID',
        details: { field },
      })
      assert.deepEqual(await store.query({ limit: 1 }), [])
    })
  }

  it('is unsigned while no key is configured, whatever it claims, and counts by what is configured now', async () => {
    const store = createMemoryStore()
    const without = createFixture({ store }).gate
    assert.equal((await without.registerSkill(SIGNED)).skill.signed, false)
    const placeholder = { ...HELLO, version: '2.0', signature: 'placeholder', public_key_id: 'release' }
    assert.equal((await without.registerSkill(placeholder)).skill.signed, false)
    const keyed = createFixture({ store, publicKeys }).gate
    assert.deepEqual(
      (await keyed.registeredSkills()).skills.map(({ signed }) => signed),
      [true, false],
    )
    await assert.rejects(keyed.registerSkill(placeholder), { code: 'SIGNATURE_INVALID' })
    const rotated = createFixture({ store, publicKeys: { release: pem(OTHER) } }).gate
    const removed = createFixture({ store, publicKeys: { nightly: pem(RELEASE) } }).gate
    for (const { registeredSkills } of [rotated, removed]) {
      assert.deepEqual(
        (await registeredSkills()).skills.map(({ signed }) => signed),
        [false, false],
      )
    }
  })
})
