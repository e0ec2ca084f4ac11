/** The registered skills in memory, by name and by image: a look costs one read of the chain's head, however long it is. */
import { z } from 'zod'
import { REGISTRY, readEvent, type StoredEvent } from './event.js'
import { type PositionedEvent, readAll, type Store } from './store.js'

const RegistrationData = z.looseObject({
  skill: z.looseObject({
    name: z.string(),
    version: z.string(),
    image: z.string(),
    manifest: z.record(z.string(), z.unknown()),
    created_at: z.string(),
  }),
  /** Hash of what was sent. */
  identity: z.string(),
  signature: z.string().optional(),
  public_key_id: z.string().optional(),
})
/** A registration as the log holds it. */
export type Registration = z.infer<typeof RegistrationData>

export interface RegistrationIndex {
  find(name: string, version: string): Promise<Registration | undefined>
  /** The registrations of an image that bring a signature, verified or not. */
  ofImage(reference: string): Promise<readonly Registration[]>
}

/** Undefined for an event that holds none, such as one that the store spoiled. */
export const readRegistration = (stored: StoredEvent): Registration | undefined =>
  stored.type === 'skill.registered' ? RegistrationData.safeParse(readEvent(stored).data).data : undefined

interface Contents {
  /** The last event read. */
  end: { hash: string; position: number } | undefined
  byName: Map<string, Registration>
  byImage: Map<string, Registration[]>
}

export function createRegistrationIndex(store: Store): RegistrationIndex {
  let contents = empty()

  /** The contents up to the chain's present head, whoever wrote it. */
  async function current(): Promise<Contents> {
    const head = await store.head(REGISTRY)
    const known = contents
    if (head?.hash === known.end?.hash || (await extend(known, store))) return known
    // The chain is another one than before, such as an older one from a backup.
    const fresh = empty()
    await extend(fresh, store)
    contents = fresh
    return fresh
  }

  return {
    find: async (name, version) => (await current()).byName.get(keyOf({ name, version })),
    ofImage: async (reference) => (await current()).byImage.get(reference) ?? [],
  }
}

const empty = (): Contents => ({ end: undefined, byName: new Map(), byImage: new Map() })

/** Neither may hold a blank. */
const keyOf = ({ name, version }: { name: string; version: string }): string => `${name} ${version}`

/** Reads on from where the contents end; false when the chain does not continue there. Two looks may do so at a time. */
async function extend(contents: Contents, store: Store): Promise<boolean> {
  let isContinued = contents.end === undefined
  for await (const event of readAll(store, { session_id: REGISTRY, after: contents.end?.position ?? 0 })) {
    const { end } = contents
    if (end === undefined || event.position > end.position) {
      if (end !== undefined && event.prev_hash !== end.hash) return false
      add(contents, event)
    }
    isContinued = true
  }
  return isContinued
}

function add(contents: Contents, event: PositionedEvent): void {
  contents.end = { hash: event.hash, position: event.position }
  const registration = readRegistration(event)
  if (registration === undefined) return
  const { byName, byImage } = contents
  const { skill, signature } = registration
  // The first one counts, as it does for who registers the same name and version again.
  if (!byName.has(keyOf(skill))) byName.set(keyOf(skill), registration)
  if (signature === undefined) return
  const ofImage = byImage.get(skill.image) ?? []
  byImage.set(skill.image, ofImage)
  ofImage.push(registration)
}
