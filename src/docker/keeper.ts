/** Keeps account of this provider's run containers: names and labels them, and removes what is left behind. */
import { randomUUID } from 'node:crypto'
import { canonical, type Data, sha256 } from '../core/data.js'
import type { Logger } from '../core/provider.js'
import type { RunSpec } from '../core/run-spec.js'
import type { StopSignal } from '../core/stop.js'
import type { Engine } from './engine.js'
import { createOwner } from './owner.js'
import { createRunLabels } from './run-labels.js'
import { readMark, type Sweep, sweep } from './sweep.js'
import { fieldsOf } from './wire.js'

/** After the program's own deadline its container gets this long to be killed and removed. */
const RUN_SLACK_MS = 60_000

/** A container to be: under way from before the create until its removal. */
export interface RunTicket {
  name: string
  labels: Record<string, string>
  /** Hexadecimal SHA-256 of the canonical run spec. */
  spec: string
  /** The run is over; what still exists under this name is a leftover. */
  end(): void
}

export interface Keeper {
  begin(spec: RunSpec, runId: string | undefined): RunTicket
  sweep(signal: StopSignal): Promise<Sweep>
  /** True for a container, as the engine lists it, that is a run's of a host with this key. */
  isRun(listed: unknown): boolean
}

export interface KeeperOptions {
  engine: Engine
  signingKey?: string | Uint8Array | undefined
  logger?: Logger | undefined
  now: () => Date
}

export function createKeeper({ engine, signingKey, logger, now }: KeeperOptions): Keeper {
  const labels = createRunLabels(signingKey)
  const owner = createOwner()
  const active = new Set<string>()
  return {
    begin(spec, runId) {
      const name = `skillgate-${randomUUID()}`
      const digest = sha256(canonical(spec as unknown as Data))
      const deadline = now().getTime() + spec.timeout_ms + RUN_SLACK_MS
      active.add(name)
      return {
        name,
        labels: labels.write(name, { owner, run: runId ?? name, deadline, spec: digest }),
        spec: digest,
        end: () => active.delete(name),
      }
    },
    sweep: (signal) => sweep(engine, { labels, owner, active, logger, now }, signal),
    isRun: (listed) => readMark(fieldsOf(listed), labels).mark !== undefined,
  }
}
