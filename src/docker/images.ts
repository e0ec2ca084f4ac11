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
  return listOf(body)
    .map(fieldsOf)
    .sort((a, b) => numberOf(b.Created) - numberOf(a.Created))
    .flatMap(rowsOf)
    .slice(0, limit)
}

function rowsOf(image: Record<string, unknown>): ImageRow[] {
  const digests = new Map(
    textsOf(image.RepoDigests)
      .map((reference) => reference.split('@'))
      .flatMap(([repository, digest]) => (repository && digest && repository !== NONE ? [[repository, digest]] : [])),
  )
  const tags = textsOf(image.RepoTags)
    .map(parseTag)
    .filter(({ repository }) => repository !== NONE)
  const untagged = [...digests.keys()]
    .filter((repository) => tags.every((tag) => tag.repository !== repository))
    .map((repository) => ({ repository, tag: NONE }))
  const names = [...tags, ...untagged]
  return (names.length > 0 ? names : [{ repository: NONE, tag: NONE }]).map(({ repository, tag }) => {
    const digest = digests.get(repository)
    return {
      id: textOf(image.Id),
      repository,
      tag,
      ...(digest !== undefined && { digest }),
      size: numberOf(image.Size),
      created: instantOf(image.Created) ?? '',
    }
  })
}

/** The last colon parts name and tag, unless it belongs to a registry's port. */
function parseTag(reference: string): { repository: string; tag: string } {
  const colon = reference.lastIndexOf(':')
  if (colon <= reference.lastIndexOf('/')) return { repository: reference, tag: NONE }
  return { repository: reference.slice(0, colon), tag: reference.slice(colon + 1) }
}
