/** Obtains the two samples that a CPU figure needs, without the two seconds that the engine's own pairing takes. */

import type { StopSignal } from '../core/stop.js'
import { pause } from './deadline.js'
import type { Engine } from './engine.js'
import { type ContainerStats, comparable, computeStats, parseSample, type Sample } from './stats.js'
import { malformedAnswer } from './upstream.js'
import { fieldsOf, textOf } from './wire.js'

const PAUSE_MS = 200
/** Shorter says little: the kernel counts system time in steps of 10 ms. */
const MIN_INTERVAL_MS = 100
/** Older than this, an average no longer tells what the container does now. */
const MAX_INTERVAL_MS = 10_000
const MAX_REMEMBERED = 256

/**
 * Reads stats by single samples. The last sample of each container is remembered: a container asked for again within
 * 10 s answers from one new sample, with the CPU averaged since the last. Otherwise two are taken, 200 ms or more apart
 * (engines before 23 sample once a second, so there it is a second).
 */
export function createStatsReader(engine: Engine): (id: string, signal: StopSignal) => Promise<ContainerStats> {
  const remembered = new Map<string, Sample>()

  async function sample(id: string, signal: StopSignal): Promise<Sample> {
    const query = { stream: 'false', 'one-shot': 'true' }
    const { body } = await engine.json('containerStats', { id, query, signal })
    const identity = await engine.identity(signal)
    // Podman answers nothing at all for a container that does not run; every other sample has its time.
    const none = body === undefined && identity.name === 'podman'
    if (!none && textOf(fieldsOf(body).read) === '') throw malformedAnswer('/containers/{id}/stats', 'it has no time')
    return parseSample(body, identity)
  }

  function remember(latest: Sample): void {
    if (latest.id === '') return
    remembered.delete(latest.id)
    remembered.set(latest.id, latest)
    const oldest = remembered.keys().next()
    if (remembered.size > MAX_REMEMBERED && !oldest.done) remembered.delete(oldest.value)
  }

  return async function readStats(id, signal) {
    const first = await sample(id, signal)
    if (first.readAt === undefined) return computeStats(undefined, first)
    const bounds = { minMs: MIN_INTERVAL_MS, maxMs: MAX_INTERVAL_MS }
    const before = remembered.get(first.id)
    if (before && comparable(before, first, bounds)) {
      remember(first)
      return computeStats(before, first)
    }
    await pause(PAUSE_MS, signal)
    const second = await sample(id, signal)
    if (second.readAt === undefined || !comparable(first, second, bounds)) return computeStats(undefined, second)
    remember(second)
    return computeStats(first, second)
  }
}
