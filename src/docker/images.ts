/** The engine's images as the protocol's rows: one for each tag, as `docker images` prints them. */
import { fieldsOf, instantOf, listOf, numberOf, textOf, textsOf } from './wire.js'

export interface ImageRow {
  id: string
  /** `<none>` where the image has no name. */
  repository: string
  /** `<none>` where the image has no tag. */
  tag: string
  /** `sha256:…` of the manifest, known only for images that were pulled or pushed. */
  digest?: string
  /** Bytes. */
  size: number
  created: string
}

const NONE = '<none>'

/** Newest first, at most `limit` rows. */
export function imageRows(body: unknown, limit: number): ImageRow[] {
  const images = listOf(body)
    .map(fieldsOf)
    .sort((a, b) => numberOf(b.Created) - numberOf(a.Created))
  const rows: ImageRow[] = []
  for (const image of images) {
    if (rows.length >= limit) break
    addRows(rows, image)
  }
  return rows.slice(0, limit)
}

function addRows(rows: ImageRow[], image: Record<string, unknown>): void {
  const [id, size, created] = [textOf(image.Id), numberOf(image.Size), instantOf(image.Created) ?? '']
  const add = (repository: string, tag: string, digest: string | undefined) =>
    rows.push(
      digest === undefined ? { id, repository, tag, size, created } : { id, repository, tag, digest, size, created },
    )
  const digests = digestsOf(image)
  const named = new Set<string>()
  for (const reference of textsOf(image.RepoTags)) {
    const { repository, tag } = parseTag(reference)
    if (repository === NONE) continue
    named.add(repository)
    add(repository, tag, digests.get(repository))
  }
  for (const [repository, digest] of digests) {
    if (named.has(repository)) continue
    named.add(repository)
    add(repository, NONE, digest)
  }
  if (named.size === 0) add(NONE, NONE, undefined)
}

/** By repository. */
function digestsOf(image: Record<string, unknown>): Map<string, string> {
  const digests = new Map<string, string>()
  for (const reference of textsOf(image.RepoDigests)) {
    const [repository, digest] = reference.split('@')
    if (repository && digest && repository !== NONE) digests.set(repository, digest)
  }
  return digests
}

/** The last colon parts name and tag, unless it belongs to a registry's port. */
function parseTag(reference: string): { repository: string; tag: string } {
  const colon = reference.lastIndexOf(':')
  if (colon <= reference.lastIndexOf('/')) return { repository: reference, tag: NONE }
  return { repository: reference.slice(0, colon), tag: reference.slice(colon + 1) }
}
