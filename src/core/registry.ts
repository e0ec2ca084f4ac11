/** Registered skills: images by digest under a name and a version, kept in a chain of their own. */
import { z } from 'zod'
import { canonical, type Data, sha256 } from './data.js'
import { REGISTRY, readEvent } from './event.js'
import { Failure } from './failure.js'
import { parsePinnedImage } from './image.js'
import { parseInput } from './input.js'
import { available, type Log } from './log.js'
import { type PageRequest, readPage } from './page.js'
import { readAll, type Store } from './store.js'

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
  signature: z.string().max(1024).optional().describe('Recorded with the registration; this version verifies none'),
  public_key_id: z.string().max(200).optional().describe('Which key the signature was made with'),
  manifest: z.record(z.string(), z.unknown()).default({}).describe('Anything the host wants to keep with it'),
})
export type SkillRegistration = z.input<typeof SkillRegistration>

export interface RegisteredSkill {
  name: string
  version: string
  image: string
  /** True only for a verified signature. */
  signed: boolean
  manifest: Record<string, unknown>
  created_at: string
}

export function createRegistry({ store, log, now }: { store: Store; log: Log; now: () => Date }) {
  /** The registration's own members, by which "identical" is meant. */
  const identity = (skill: {
    image: string
    manifest: unknown
    signature?: unknown
    public_key_id?: unknown
  }): string =>
    sha256(
      canonical({
        image: skill.image,
        manifest: skill.manifest as Data,
        signature: (skill.signature ?? null) as Data,
        public_key_id: (skill.public_key_id ?? null) as Data,
      }),
    )

  async function find(name: string, version: string): Promise<StoredRegistration | undefined> {
    for await (const event of readAll(store, { session_id: REGISTRY, types: ['skill.registered'] })) {
      const registration = readEvent(event).data as unknown as StoredRegistration
      if (registration.skill.name === name && registration.skill.version === version) return registration
    }
    return undefined
  }

  /** Registers, or answers the identical registration again; CONFLICT for other contents under the same name and version. */
  async function register(value: unknown): Promise<{ skill: RegisteredSkill; created: boolean }> {
    const input = parseInput(SkillRegistration, value, 'skill')
    const { name, version, manifest } = input
    const image = parsePinnedImage(input.image).reference
    const mine = identity({ ...input, image })
    for (;;) {
      const head = (await log.state(REGISTRY)).head?.seq
      const known = await available(find(name, version))
      if (known !== undefined) {
        if (known.identity === mine) return { skill: known.skill, created: false }
        throw new Failure(
          'CONFLICT',
          `${name} ${version} is registered with image ${known.skill.image} already. Register the new contents under another version.`,
        )
      }
      const skill: RegisteredSkill = { name, version, image, signed: false, manifest, created_at: now().toISOString() }
      const { signature, public_key_id } = input
      const written = await log.write(REGISTRY, (state) => {
        // Somebody registered since the search: search again before writing.
        if (state.head?.seq !== head) return { drafts: [], result: false }
        const data = { skill, identity: mine, ...(signature && { signature }), ...(public_key_id && { public_key_id }) }
        return { drafts: [{ type: 'skill.registered', data }], result: true }
      })
      if (written) return { skill, created: true }
    }
  }

  async function list(page: PageRequest): Promise<{ skills: RegisteredSkill[]; next_cursor: string | null }> {
    const { items, next_cursor } = await readPage(
      store,
      { session_id: REGISTRY, types: ['skill.registered'] },
      page,
      50,
      (event) => {
        return (readEvent(event).data as unknown as StoredRegistration).skill
      },
    )
    return { skills: items, next_cursor }
  }

  return { register, list }
}

interface StoredRegistration {
  skill: RegisteredSkill
  identity: string
}
