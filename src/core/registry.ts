/** Registered skills: images by digest under a name and a version, kept in a chain of their own. */
import { z } from 'zod'
import type { Redactor } from '../redaction/index.js'
import { canonical, type Data, sha256 } from './data.js'
import { REGISTRY } from './event.js'
import { Failure, isFailure } from './failure.js'
import type { Keyed, Once } from './idempotency.js'
import { parsePinnedImage } from './image.js'
import { parseInput } from './input.js'
import { available, type Log } from './log.js'
import { type PageRequest, readPage } from './page.js'
import { createRegistrationIndex, type Registration, readRegistration } from './registration-index.js'
import { assertSignedBy, decodeSignature, isSignedBy, type PublicKeys } from './signature.js'
import type { KeptAnswer, Store } from './store.js'

const word = (what: string, max: number) =>
  z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'it must be letters, digits, dots, hyphens and underscores')
    .max(max)
    .describe(what)

export const SkillRegistration = z.strictObject({
  name: word('Name of the skill, at most 128 characters', 128),
  version: word('Version, at most 64 characters', 64),
  image: z.string().max(500).describe('Image by digest, repository@sha256:<64 hex>'),
  signature: z
    .string()
    .min(1)
    .max(1024)
    .optional()
    .describe("Ed25519 over the image's digest (the text sha256:<64 hex>), 64 bytes in base64; needs public_key_id"),
  public_key_id: z.string().min(1).max(200).optional().describe('The key of the signature, as the host names it'),
  manifest: z.record(z.string(), z.unknown()).default({}).describe('Anything the host wants to keep with it'),
})
export type SkillRegistration = z.input<typeof SkillRegistration>

export interface RegisteredSkill {
  name: string
  version: string
  image: string
  /** True only for a signature that verifies with a key that is configured now. */
  signed: boolean
  manifest: Record<string, unknown>
  created_at: string
}

const MAX_VERDICTS = 10_000

export interface Registry {
  /** Registers, or answers the identical registration again; CONFLICT for other contents under the same name and version. */
  register(
    registration: unknown,
    options: Keyed,
  ): Promise<{ skill: RegisteredSkill; created: boolean; replayed?: true }>
  list(page: PageRequest): Promise<{ skills: RegisteredSkill[]; next_cursor: string | null }>
  /** Whether this very image is that of a registered skill whose signature verifies now. */
  isSigned(reference: string): Promise<boolean>
}

export function createRegistry({
  store,
  log,
  redactor,
  publicKeys,
  now,
  once,
}: {
  store: Store
  log: Log
  redactor: Redactor
  publicKeys: PublicKeys
  now: () => Date
  once: Once
}): Registry {
  const index = createRegistrationIndex(store)
  /** The keys stay the same as long as the gate lives, so what was verified once is. */
  const verdicts = new Map<string, boolean>()

  /** Verified when asked, not when recorded: keys may have gone since, and a log that somebody rewrote proves nothing. */
  function isVerified({ skill, signature, public_key_id }: Registration): boolean {
    if (signature === undefined || public_key_id === undefined) return false
    if (!RECORDED_SIGNATURE.test(signature)) return false
    const digest = skill.image.replace(/^.*@/, '')
    const claim = `${digest} ${signature} ${public_key_id}`
    const verdict =
      verdicts.get(claim) ?? isSignedBy(publicKeys, { digest, signature: Buffer.from(signature, 'hex'), public_key_id })
    if (verdicts.size >= MAX_VERDICTS) verdicts.clear()
    verdicts.set(claim, verdict)
    return verdict
  }

  const shown = (registration: Registration): RegisteredSkill => {
    const { name, version, image, manifest, created_at } = registration.skill
    return { name, version, image, signed: isVerified(registration), manifest, created_at }
  }

  async function register(value: unknown, { idempotencyKey }: Keyed) {
    const input = parseInput(SkillRegistration, value, 'skill')
    const { name, version, signature, public_key_id } = input
    const { reference: image, digest } = parsePinnedImage(input.image)
    assertPair(input)
    assertLoggable({ name, version, image, public_key_id }, redactor)
    // Without any key nothing can be told of a signature: it is kept, and counts once its key is configured.
    const signed = signature !== undefined && public_key_id !== undefined && publicKeys.size > 0
    if (signed) assertSignedBy(publicKeys, { digest, signature, public_key_id })
    const request = { scope: 'skills', request: input as unknown as Data, idempotencyKey }
    const { answer, replayed } = await once<{ created: boolean }>(request, async (keep) => ({
      created: await record({ ...input, image }, signed, (created) => keep({ created })),
    }))
    // The answer is what is recorded, the first time too: a manifest is redacted on its way into the log.
    const known = await available(index.find(name, version))
    if (known !== undefined) return { skill: shown(known), ...answer, ...(replayed && { replayed }) }
    throw new Failure('UNAVAILABLE', 'The registration was written, but the log does not show it.')
  }

  /** True when it was written now, false when the identical one was before. */
  async function record(
    contents: Contents,
    signed: boolean,
    keep: (created: boolean) => KeptAnswer | undefined,
  ): Promise<boolean> {
    const { name, version, image, manifest, signature, public_key_id } = contents
    const identity = identityOf(contents)
    for (;;) {
      const head = (await log.state(REGISTRY)).head?.hash
      const known = await available(index.find(name, version))
      if (known?.identity === identity) {
        await keepAlone(keep(false))
        return false
      }
      if (known !== undefined) {
        throw new Failure(
          'CONFLICT',
          `${name} ${version} is registered with image ${known.skill.image} already. Register the new contents under another version.`,
        )
      }
      const skill = { name, version, image, signed, manifest, created_at: now().toISOString() }
      const data = { skill, identity, ...(signature && { signature: recorded(signature), public_key_id }) }
      const written = await log.write(REGISTRY, (state) => {
        // Somebody registered since the search: search again before writing.
        if (state.head?.hash !== head) return { drafts: [], result: false }
        const answer = keep(true)
        const options = answer === undefined ? {} : { answer }
        return { drafts: [{ type: 'skill.registered', data }], result: true, options }
      })
      if (written) return true
    }
  }

  /** With no event, since there is nothing to record. */
  async function keepAlone(answer: KeptAnswer | undefined): Promise<void> {
    if (answer === undefined) return
    try {
      await available(store.append([], { answer }))
    } catch (error) {
      // A store tells the time by its events, so an answer that has expired may still be in the way of this one.
      if (!isFailure(error) || error.code !== 'IDEMPOTENCY_MISMATCH') throw error
    }
  }

  async function list(page: PageRequest): Promise<{ skills: RegisteredSkill[]; next_cursor: string | null }> {
    const query = { session_id: REGISTRY, types: ['skill.registered' as const] }
    const { items, next_cursor } = await readPage(store, query, page, 50, readRegistration)
    return { skills: items.filter((item) => item !== undefined).map(shown), next_cursor }
  }

  async function isSigned(reference: string): Promise<boolean> {
    const image = parsePinnedImage(reference).reference
    return (await available(index.ofImage(image))).some(isVerified)
  }

  return { register, list, isSigned }
}

/** In hexadecimal digits: 64 random bytes in base64 are just what a redactor takes for a secret. */
const recorded = (signature: string): string => decodeSignature(signature)?.toString('hex') ?? signature
const RECORDED_SIGNATURE = /^[0-9a-f]{128}$/

type Contents = z.output<typeof SkillRegistration>

/** The registration's own members, by which "identical" is meant. */
const identityOf = ({ image, manifest, signature, public_key_id }: Contents): string =>
  sha256(
    canonical({
      image,
      manifest: manifest as Data,
      signature: signature ?? null,
      public_key_id: public_key_id ?? null,
    }),
  )

function assertPair({ signature, public_key_id }: Contents): void {
  if ((signature === undefined) === (public_key_id === undefined)) return
  const [sent, missing] = signature === undefined ? ['public_key_id', 'signature'] : ['signature', 'public_key_id']
  throw new Failure('INVALID_INPUT', `${missing} is missing, but ${sent} is there. Send both, or neither.`, {
    details: { field: missing },
  })
}

/** What is found and verified again must stand in the log as it was sent, and the log holds no secrets. */
function assertLoggable(members: Readonly<Record<string, string | undefined>>, redactor: Redactor): void {
  const recorded = redactor.value(members) as typeof members
  const field = Object.keys(members).find((name) => recorded[name] !== members[name])
  if (field === undefined) return
  throw new Failure(
    'INVALID_INPUT',
    `${field} looks like a secret, and registrations are logged without secrets. Choose another.`,
    { details: { field } },
  )
}
