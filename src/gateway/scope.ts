/** What a key may reach behind a route: containers by what they really are, and runs within limits. */
import { Failure } from '../core/failure.js'
import { matchesGlob } from '../core/glob.js'
import { CONTAINER_ID } from '../core/l1-request.js'
import { isWithin, plainPath, type RunSpec } from '../core/run-spec.js'
import type { GatewayKey, RunLimits } from './config.js'

export type Ask = (method: string, path: string) => Promise<unknown>
type Fields = Record<string, unknown>

/** The largest listing that a provider answers. */
const MAX_ROWS = 100
/** What a provider keeps of a run's output is in its memory, and then in ours. */
const MAX_KEEP_BYTES = 4 * 1024 * 1024
const MAX_PULL_MS = 1_800_000

const covers = ({ containers }: GatewayKey, { id, name }: Fields): boolean =>
  containers === undefined ||
  containers.some((glob) => [id, name].some((one) => typeof one === 'string' && matchesGlob(one, glob)))

/**
 * The container that the id means, judged; from here on only its full id is used, so that nothing can be swapped in.
 * One that is not there looks like one that is not covered.
 */
export async function resolveContainer(key: GatewayKey, id: string, ask: Ask): Promise<Fields & { id: string }> {
  const answer = (await ask('GET', `/containers/${id}`).catch(orMissing)) as { container?: Fields } | undefined
  const container = answer?.container
  if (container === undefined || !covers(key, container)) {
    throw new Failure('DENIED', `This key does not cover container ${id}.`, { details: { field: 'id' } })
  }
  if (typeof container.id === 'string' && CONTAINER_ID.test(container.id)) return { ...container, id: container.id }
  throw new Failure('UPSTREAM_ERROR', 'The provider resolved the container without a usable id.', { retriable: false })
}

function orMissing(error: unknown): undefined {
  if (error instanceof Failure && error.details?.status === 404) return undefined
  throw error
}

/** The listing's rows that the key covers. `incomplete` when the provider may have had more to look through. */
export async function listCovered(
  key: GatewayKey,
  { all, limit }: { all: boolean; limit: number },
  ask: Ask,
): Promise<Fields> {
  const answer = (await ask('GET', `/containers?all=${all}&limit=${MAX_ROWS}`)) as Fields | null
  const rows = answer?.containers ?? answer?.data
  if (!Array.isArray(rows)) {
    throw new Failure('UPSTREAM_ERROR', 'The provider’s listing holds no containers.', { retriable: false })
  }
  const covered = (rows as Fields[]).filter((row) => covers(key, row))
  return { containers: covered.slice(0, limit), ...(rows.length >= MAX_ROWS && { incomplete: true }) }
}

/** Throws DENIED for a run that the key does not cover, naming the field. */
export function judgeRun(limits: RunLimits | undefined, spec: RunSpec): void {
  if (limits === undefined) throw denied('body', 'This key may not run anything')
  for (const judge of JUDGES) judge(limits, spec)
}

const JUDGES: readonly ((limits: RunLimits, spec: RunSpec) => void)[] = [
  ({ images }, { image }) => {
    if (!images.some((glob) => matchesGlob(image, glob))) throw denied('image', `This key does not cover ${image}`)
  },
  ({ network: most }, { network }) => {
    const wanted = typeof network === 'object' ? 'internal' : network
    const order = ['none', 'internal', 'open']
    if (order.indexOf(wanted) > order.indexOf(most))
      throw denied('network', `This key may use no more network than: ${most}`)
  },
  ({ mount_roots, writable_mounts }, { mounts }) => {
    for (const [index, { source, root = source, read_only }] of mounts.entries()) {
      const field = `mounts[${index}]`
      const plain = plainPath(root)
      // The provider follows links within the root that it is told, so that must be a root of ours.
      if (!mount_roots.includes(plain) || !isWithin(plainPath(source), plain)) {
        throw denied(`${field}.root`, `This key mounts only what lies in: ${mount_roots.join(', ') || 'nothing'}`)
      }
      if (!read_only && !writable_mounts) throw denied(`${field}.read_only`, 'This key mounts read-only')
    }
  },
  ({ max_memory_mb }, { memory_mb }) => most('memory_mb', memory_mb, max_memory_mb),
  ({ max_cpus }, { cpus }) => most('cpus', cpus, max_cpus),
  ({ max_pids }, { pids }) => most('pids', pids, max_pids),
  ({ max_timeout_ms }, { timeout_ms }) => most('timeout_ms', timeout_ms, max_timeout_ms),
  (_limits, { pull_timeout_ms = 0 }) => most('pull_timeout_ms', pull_timeout_ms, MAX_PULL_MS),
  (_limits, { output }) => most('output.keep_bytes', output.keep_bytes, MAX_KEEP_BYTES),
  ({ max_output_bytes }, { output }) => most('output.limit_bytes', output.limit_bytes, max_output_bytes),
]

function most(field: string, value: number, limit: number): void {
  if (value > limit) throw denied(field, `${field} is ${value}, and the most allowed here is ${limit}`)
}

const denied = (field: string, reason: string): Failure => new Failure('DENIED', `${reason}.`, { details: { field } })
