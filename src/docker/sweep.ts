/** Removes what runs left behind: containers of hosts that were killed, and of this one when a removal failed. */
import type { Logger } from '../core/provider.js'
import type { StopSignal } from '../core/stop.js'
import type { Engine } from './engine.js'
import { isGone } from './owner.js'
import { removeContainer } from './run-container.js'
import { MAC_LABEL, type RunLabels, type RunMark } from './run-labels.js'
import { fieldsOf, listOf, textOf, textsOf } from './wire.js'

/** How long past its deadline a container stays whose host's log cannot be asked. */
const UNANSWERED_MS = 24 * 3_600_000

/** What a sweep did. */
export interface Sweep {
  /** Containers of skillgate's whose labels verified. */
  found: number
  /** Ids of those removed. */
  removed: string[]
}

export interface SweepOptions {
  labels: RunLabels
  /** This provider's own owner mark. */
  owner: string
  /** Names of the containers whose runs are under way here. */
  active: ReadonlySet<string>
  /** Names of those whose outcome could not be recorded here. */
  left: ReadonlySet<string>
  /** Whether the host's log still waits for the outcome of a call; such a container is never removed. */
  isRunOpen?: ((runId: string) => Promise<boolean>) | undefined
  logger: Logger | undefined
  now: () => Date
}

/** Looks once through the engine's containers. One whose labels do not verify is never touched. */
export async function sweep(engine: Engine, options: SweepOptions, signal: StopSignal): Promise<Sweep> {
  const { labels, logger } = options
  const query = { all: 'true', filters: JSON.stringify({ label: [MAC_LABEL] }) }
  const { body } = await engine.json('containerList', { query, signal })
  const removed: string[] = []
  let found = 0
  for (const container of listOf(body).map(fieldsOf)) {
    const { name, mark } = readMark(container, labels)
    if (mark === undefined) continue
    found += 1
    if (!isLeftOver(name, mark, options) || (await isWanted(name, mark, options))) continue
    signal.throwIfAborted()
    const id = textOf(container.Id)
    logger?.warn('a container that a run left behind is removed', { container: id, run: mark.run })
    // Once: what does not go now is tried again next time, and must not keep the others waiting.
    if ((await removeContainer(engine, id, logger, 1)) === undefined) removed.push(id)
  }
  return { found, removed }
}

/** A container that others link to has further names, in any order. */
export function readMark(
  container: Record<string, unknown>,
  labels: RunLabels,
): { name: string; mark: RunMark | undefined } {
  for (const name of textsOf(container.Names).map((given) => given.replace(/^\//, ''))) {
    const mark = labels.read(name, fieldsOf(container.Labels))
    if (mark !== undefined) return { name, mark }
  }
  return { name: '', mark: undefined }
}

/** Another host that may live still has until the deadline; a dead one, or a run of ours that is over, has not. */
function isLeftOver(
  name: string,
  { owner, deadline }: RunMark,
  { owner: own, active, left, now }: SweepOptions,
): boolean {
  if (active.has(name)) return false
  if (now().getTime() > deadline) return true
  return owner === own ? !left.has(name) : isGone(owner)
}

/** Asked only of what would be removed. A log that cannot answer gets a long while. */
async function isWanted(
  name: string,
  { run, deadline }: RunMark,
  { isRunOpen, logger, now }: SweepOptions,
): Promise<boolean> {
  // A run without a call has no log.
  if (isRunOpen === undefined || run === name) return false
  try {
    return await isRunOpen(run)
  } catch (cause) {
    logger?.warn('whether a run is still open could not be told, so its container stays', { run, cause })
    return now().getTime() <= deadline + UNANSWERED_MS
  }
}
