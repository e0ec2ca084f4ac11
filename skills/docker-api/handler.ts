/** docker-api: seven actions on the containers and images of a Docker Engine, through the client that the host injects. */
import { z } from 'zod'
import {
  action,
  defineSkill,
  failureResult,
  getClient,
  providerNotConfigured,
  requestWithTimeout,
  resolveTimeout,
  type SkillResult,
} from '../../src/core/skill.js'
import { createRedactor } from '../../src/redaction/index.js'
import {
  containerRow,
  containerText,
  imageName,
  imageRow,
  readContainer,
  readList,
  readLogs,
  readStats,
  statsText,
} from './answer.js'
import { All, ContainerId, ContainerLimit, ImageLimit, MAX_LIMIT, StopTimeout, Tail, Timestamps } from './input.js'
import { authorised, Constraints, imageInScope, inScope } from './scope.js'

export const DEFAULT_TIMEOUT_MS = 15_000
export const MAX_TIMEOUT_MS = 30_000

const onlyThis = ({ containerId }: { containerId: string }) => ({ containers: [containerId] })

const list_containers = action({
  description: 'List Docker containers.',
  risk: 'read',
  input: z.strictObject({ all: All, limit: ContainerLimit }),
  constraints: Constraints,
  async run({ all, limit }, { request, constraints }) {
    const narrowed = constraints?.containers !== undefined || constraints?.images !== undefined
    const answer = await request('GET', `/containers?all=${all}&limit=${narrowed ? MAX_LIMIT : limit}`)
    const rows = readList(answer, 'containers')
    const containers = rows.filter((row) => inScope(row, constraints)).slice(0, limit)
    const title = `Containers (${containers.length} results, all=${all})`
    return {
      text: numbered(title, containers.map(containerRow)) + cutText(rows, narrowed),
      data: withCut({ all, limit, containerCount: containers.length, containers }, rows, narrowed),
    }
  },
})

const get_container = action({
  description: 'Inspect a specific container.',
  risk: 'read',
  input: z.strictObject({ containerId: ContainerId }),
  constraints: Constraints,
  suggest: onlyThis,
  async run({ containerId }, context) {
    const container = readContainer(
      await context.request('GET', `/containers/${await authorised(containerId, context)}`),
    )
    return { text: containerText(container), data: { containerId, container } }
  },
})

const start_container = action({
  description: 'Start a stopped container.',
  risk: 'write',
  input: z.strictObject({ containerId: ContainerId }),
  constraints: Constraints,
  suggest: onlyThis,
  async run({ containerId }, context) {
    const response = await context.request('POST', `/containers/${await authorised(containerId, context)}/start`)
    return { text: `Container ${containerId} started successfully.`, data: { containerId, response } }
  },
})

const stop_container = action({
  description: 'Stop a running container.',
  risk: 'write',
  input: z.strictObject({ containerId: ContainerId, timeout: StopTimeout }),
  constraints: Constraints,
  suggest: onlyThis,
  async run({ containerId, timeout }, context) {
    const id = await authorised(containerId, context)
    const response = await context.request('POST', `/containers/${id}/stop?timeout=${timeout}`)
    return {
      text: `Container ${containerId} stopped successfully (timeout=${timeout}s).`,
      data: { containerId, timeout, response },
    }
  },
})

const list_images = action({
  description: 'List Docker images.',
  risk: 'read',
  input: z.strictObject({ limit: ImageLimit }),
  constraints: Constraints,
  async run({ limit }, { request, constraints }) {
    const narrowed = constraints?.images !== undefined
    const rows = readList(await request('GET', `/images?limit=${narrowed ? MAX_LIMIT : limit}`), 'images')
    const images = rows
      .filter((image) => imageInScope([imageName(image), String(image.id)], constraints))
      .slice(0, limit)
    return {
      text: numbered(`Images (${images.length} results)`, images.map(imageRow)) + cutText(rows, narrowed),
      data: withCut({ limit, imageCount: images.length, images }, rows, narrowed),
    }
  },
})

const get_logs = action({
  description: 'Get container logs.',
  risk: 'read',
  input: z.strictObject({ containerId: ContainerId, tail: Tail, timestamps: Timestamps }),
  constraints: Constraints,
  suggest: onlyThis,
  judge: ({ tail }, { max_tail }) =>
    max_tail === undefined || tail <= max_tail
      ? undefined
      : { reason: `tail ${tail} is above the policy's max_tail ${max_tail}`, fix: { max_tail: tail } },
  async run({ containerId, tail, timestamps }, context) {
    const id = await authorised(containerId, context)
    const logs = readLogs(await context.request('GET', `/containers/${id}/logs?tail=${tail}&timestamps=${timestamps}`))
    return {
      text: `Logs for container ${containerId} (tail=${tail}, timestamps=${timestamps})\n\n${logs}`,
      data: { containerId, tail, timestamps },
    }
  },
})

const container_stats = action({
  description: 'Get container resource usage statistics.',
  risk: 'read',
  input: z.strictObject({ containerId: ContainerId }),
  constraints: Constraints,
  suggest: onlyThis,
  async run({ containerId }, context) {
    const id = await authorised(containerId, context)
    const stats = readStats(await context.request('GET', `/containers/${id}/stats`))
    return { text: statsText(containerId, stats), data: { containerId, stats } }
  },
})

/** The protocol lists 100 at most; what a policy lets through may lie behind them, and the answer must not deny it. */
const isCut = (rows: unknown[], narrowed: boolean): boolean => narrowed && rows.length >= MAX_LIMIT
const cutText = (rows: unknown[], narrowed: boolean): string =>
  isCut(rows, narrowed) ? `\n\nOnly the first ${rows.length} were searched for what the policy covers.` : ''
const withCut = (data: Record<string, unknown>, rows: unknown[], narrowed: boolean) =>
  isCut(rows, narrowed) ? { ...data, searched: rows.length } : data

const numbered = (title: string, rows: string[]): string =>
  `${title}\n\n${rows.length === 0 ? '(none)' : rows.map((row, index) => `${index + 1}. ${row}`).join('\n')}`

/**
 * The skill as a value, for `createGate({ skills: [dockerApi] })`.
 * Source: the document "Docker Engine API Skill"; its actions and defaults are in skills/docker-api/README.md.
 */
export const dockerApi = defineSkill({
  name: 'docker-api',
  version: '1.0.0',
  description:
    'Interact with the Docker Engine API to list/inspect/start/stop containers, list images, fetch container logs, and retrieve container resource stats.',
  layer: 'L1',
  system: 'Docker',
  timeouts: { defaultMs: DEFAULT_TIMEOUT_MS, maxMs: MAX_TIMEOUT_MS },
  actions: { list_containers, get_container, start_container, stop_container, list_images, get_logs, container_stats },
})

/**
 * The action dispatcher, the pure check of its input, and the description of both.
 *
 * @example
 * ```ts
 * import { createDockerProvider } from 'skillgate/docker'
 * import { execute } from 'skillgate/skills/docker-api'
 *
 * const providerClient = createDockerProvider()
 * const { result, metadata } = await execute({ action: 'list_containers', all: true }, { providerClient })
 * ```
 */
export const { meta, validate, execute } = dockerApi

/** The names of the seven actions. */
export const VALID_ACTIONS: readonly string[] = meta.actions

/** The document shows `[REDACTED]`; a host's own redactor names the rule. */
const redactor = createRedactor({ placeholder: 'plain' })

/** The text with tokens, keys and passwords replaced by `[REDACTED]`; anything but a string is returned as it is. */
export function redactSensitive<T>(text: T): T {
  return typeof text === 'string' ? (redactor.text(text) as T) : text
}

/** The error result for a context without a usable client. */
export const providerNotConfiguredError = (): SkillResult =>
  failureResult(providerNotConfigured('docker-api', 'Docker'), undefined, redactor)

export {
  DEFAULT_LIMIT,
  DEFAULT_STOP_TIMEOUT,
  DEFAULT_TAIL,
  MAX_CONTAINER_ID_LENGTH,
  MAX_LIMIT,
  MAX_STOP_TIMEOUT,
  MAX_TAIL,
  MIN_LIMIT,
  MIN_STOP_TIMEOUT,
  MIN_TAIL,
  sanitizeContainerId,
  validateLimit,
  validateStopTimeout,
  validateTail,
} from './input.js'
export { getClient, requestWithTimeout, resolveTimeout }
