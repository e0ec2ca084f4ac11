/** What a policy can narrow in docker-api, and its enforcement on the container that an id really means. */
import { z } from 'zod'
import { Failure, isFailure } from '../../src/core/failure.js'
import { matchesGlob } from '../../src/core/glob.js'
import type { ActionContext } from '../../src/core/skill.js'
import { type Container, readContainer } from './answer.js'
import { ContainerId, MAX_TAIL, MIN_TAIL } from './input.js'

const Glob = z.string().min(1).max(255)

export const Constraints = z.strictObject({
  containers: z
    .array(Glob)
    .max(256)
    .optional()
    .describe(
      'Container names or ids, * and ? allowed; judged on the container that an id resolves to. Listings show only these.',
    ),
  images: z
    .array(Glob)
    .max(256)
    .optional()
    .describe('Images (repository:tag or id), * and ? allowed: of the container, and in image listings.'),
  max_tail: z.int().min(MIN_TAIL).max(MAX_TAIL).optional().describe('The most log lines a call may ask for.'),
})
export type Constraints = z.infer<typeof Constraints>

/** True when the policy lets this container be seen and used. */
export function inScope({ id, name, image, image_id }: Container, { containers, images }: Constraints = {}): boolean {
  return matchesAny([name, id], containers) && matchesAny([image, image_id], images)
}

/** True when the policy lets this image be seen. */
export const imageInScope = (names: readonly (string | undefined)[], { images }: Constraints = {}): boolean =>
  matchesAny(names, images)

const matchesAny = (values: readonly (string | undefined)[], globs: readonly string[] | undefined): boolean =>
  globs === undefined || globs.some((glob) => values.some((value) => value !== undefined && matchesGlob(value, glob)))

/**
 * The id to use in the request. Without a narrowing policy that is the id as given; with one, the given id is resolved
 * once, the resolved container is judged, and from then on only its full id is used, so nothing can be swapped in.
 */
export async function authorised(
  containerId: string,
  { request, constraints }: Pick<ActionContext<Constraints>, 'request' | 'constraints'>,
): Promise<string> {
  if (constraints?.containers === undefined && constraints?.images === undefined) return containerId
  const container = await resolve(containerId, request)
  if (container === undefined || !inScope(container, constraints)) {
    throw new Failure('DENIED', `The policy of this session does not cover container ${containerId}.`, {
      details: { field: 'containerId' },
    })
  }
  const id = ContainerId.safeParse(container.id)
  if (id.success) return id.data
  throw new Failure('UPSTREAM_ERROR', 'The provider resolved the container without a usable id.', { retriable: false })
}

/** Undefined for a container that does not exist: under a narrowing policy that must look like one that is not covered. */
async function resolve(
  containerId: string,
  request: ActionContext<Constraints>['request'],
): Promise<Container | undefined> {
  try {
    return readContainer(await request('GET', `/containers/${containerId}`))
  } catch (error) {
    if (isFailure(error) && error.details?.status === 404) return undefined
    throw error
  }
}
