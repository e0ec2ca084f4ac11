/** Keeps account of this provider's run containers: names and labels them, and removes what is left behind. */
import { randomUUID } from 'node:crypto'
import { canonical, type Data, sha256 } from '../core/data.js'
import { Failure } from '../core/failure.js'
import type { Logger } from '../core/provider.js'
import type { RunSpec } from '../core/run-spec.js'
import type { StopSignal } from '../core/stop.js'
import type { Engine } from './engine.js'
import { createOwner } from './owner.js'
import { createRunLabels, RUN_LABEL, type RunMark } from './run-labels.js'
import { readMark, type Sweep, type SweepOptions, sweep } from './sweep.js'
import { fieldsOf, listOf, textOf } from './wire.js'

/** After the program's own deadline its container gets this long to be killed and removed. */
export const RUN_SLACK_MS = 60_000
/** In the place of a spec's digest: a container that keeps a name taken and is never started. */
export const FENCE = 'none'

/** A container to be: under way from before the create until its removal. */
export interface RunTicket {
  name: string
  labels: Record<string, string>
  /** The call in the host's log, or the container's name. */
  run: string
  /** Hexadecimal SHA-256 of the canonical run spec. */
  spec: string
  /** The run is over; what still exists under this name is a leftover. */
  end(): void
  /** The run is over, and what it left is for recovery: no leftover of this process's before its deadline. */
  leave(): void
}

/** What is on the engine under a call's label. */
export interface FoundRun {
  id: string
  mark: RunMark
}

export interface Keeper {
  /** Throws CONFLICT while the same call is under way here. */
  begin(spec: RunSpec, runId: string | undefined): RunTicket
  /** A place-holder's ticket: under its name nothing else can be created until `forMs` are over. It is never started. */
  fence(runId: string, forMs: number): Pick<RunTicket, 'name' | 'labels'>
  /** Takes a call that another process began. Throws CONFLICT while it is under way here. */
  adopt(runId: string): Pick<RunTicket, 'name' | 'end' | 'leave'>
  /** Throws CONFLICT when a container claims to be the call's and its labels do not verify: nobody can tell then. */
  find(runId: string, signal: StopSignal): Promise<FoundRun | undefined>
  sweep(signal: StopSignal): Promise<Sweep>
  /** True for a container, as the engine lists it, that is a run's of a host with this key. */
  isRun(listed: unknown): boolean
}

export interface KeeperOptions extends Pick<SweepOptions, 'isRunOpen'> {
  engine: Engine
  signingKey?: string | Uint8Array | undefined
  logger?: Logger | undefined
  now: () => Date
}

export function createKeeper({ engine, signingKey, logger, now, isRunOpen }: KeeperOptions): Keeper {
  const labels = createRunLabels(signingKey)
  const owner = createOwner()
  const active = new Set<string>()
  const left = new Set<string>()

  function take(name: string, run: string): Pick<RunTicket, 'end' | 'leave'> {
    if (active.has(name)) {
      throw new Failure('CONFLICT', `The call ${run} is under way here. Wait for its end.`, {
        details: { run_id: run },
      })
    }
    active.add(name)
    left.delete(name)
    return {
      end: () => active.delete(name),
      leave() {
        active.delete(name)
        left.add(name)
      },
    }
  }

  return {
    begin(spec, runId) {
      const name = runId === undefined ? `skillgate-${randomUUID()}` : labels.nameOf(runId)
      const run = runId ?? name
      const digest = sha256(canonical(spec as unknown as Data))
      const deadline = now().getTime() + spec.timeout_ms + RUN_SLACK_MS
      const written = labels.write(name, { owner, run, deadline, spec: digest })
      return { name, run, labels: written, spec: digest, ...take(name, run) }
    },
    fence(runId, forMs) {
      const name = labels.nameOf(runId)
      // Nobody's, so that it stays until its deadline.
      return {
        name,
        labels: labels.write(name, { owner: '-', run: runId, deadline: now().getTime() + forMs, spec: FENCE }),
      }
    },
    adopt(runId) {
      const name = labels.nameOf(runId)
      return { name, ...take(name, runId) }
    },
    async find(runId, signal) {
      const query = { all: 'true', filters: JSON.stringify({ label: [`${RUN_LABEL}=${runId}`] }) }
      const { body } = await engine.json('containerList', { query, signal })
      const claims = listOf(body).map(fieldsOf)
      for (const claim of claims) {
        const { mark } = readMark(claim, labels)
        if (mark?.run === runId) return { id: textOf(claim.Id), mark }
      }
      if (claims.length === 0) return undefined
      throw new Failure(
        'CONFLICT',
        `A container claims to be that of ${runId}, and its labels do not verify. Give the signingKey that the host had when it was made, or look at container ${textOf(claims[0]?.Id).slice(0, 12)} yourself.`,
        { retriable: false, details: { run_id: runId } },
      )
    },
    sweep: (signal) => sweep(engine, { labels, owner, active, left, logger, now, isRunOpen }, signal),
    isRun: (listed) => readMark(fieldsOf(listed), labels).mark !== undefined,
  }
}
