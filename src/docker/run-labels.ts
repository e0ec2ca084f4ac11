/** The labels of a run's container, authenticated: an image's labels merge in, and anyone with the engine can set some. */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { signingKeyBytes } from '../core/signing-key.js'
import { textOf } from './wire.js'

/** What a label set says once its code has been verified. */
export interface RunMark {
  /** Who made the container (see owner.ts). */
  owner: string
  /** The call in the host's log, or a name of its own. */
  run: string
  /** Milliseconds since the epoch by which the container must be gone. */
  deadline: number
  /** Hexadecimal SHA-256 of the canonical run spec. */
  spec: string
}

/** Present on every run's container, and asked for in listings. */
export const MAC_LABEL = 'skillgate.mac'
const OWNER = 'skillgate.owner'
export const RUN_LABEL = 'skillgate.run'
const DEADLINE = 'skillgate.deadline'
const SPEC = 'skillgate.spec'

export interface RunLabels {
  /** The one name that a container of this call can have, so that there cannot be two of them. */
  nameOf(run: string): string
  write(name: string, mark: RunMark): Record<string, string>
  /** Undefined when the labels are not ours, or were ours on another container. */
  read(name: string, labels: Record<string, unknown>): RunMark | undefined
}

/**
 * Hosts that share a key can remove each other's leftovers; without one, a key is made that ends with the process.
 * Throws INVALID_INPUT for a key of fewer than 32 bytes.
 */
export function createRunLabels(signingKey?: string | Uint8Array): RunLabels {
  const key = signingKeyBytes(signingKey)
  // The container's name is in it, so that the code says nothing on any other container.
  const codeOf = (name: string, { owner, run, deadline, spec }: RunMark): string =>
    createHmac('sha256', key)
      .update(JSON.stringify(['skillgate-run-1', name, owner, run, deadline, spec]))
      .digest('hex')

  return {
    nameOf: (run) =>
      `skillgate-${createHmac('sha256', key)
        .update(JSON.stringify(['skillgate-name-1', run]))
        .digest('hex')
        .slice(0, 32)}`,
    write: (name, mark) => ({
      [OWNER]: mark.owner,
      [RUN_LABEL]: mark.run,
      [DEADLINE]: String(mark.deadline),
      [SPEC]: mark.spec,
      [MAC_LABEL]: codeOf(name, mark),
    }),
    read(name, labels) {
      const mark = {
        owner: textOf(labels[OWNER]),
        run: textOf(labels[RUN_LABEL]),
        deadline: Number(textOf(labels[DEADLINE])),
        spec: textOf(labels[SPEC]),
      }
      const [given, wanted] = [Buffer.from(textOf(labels[MAC_LABEL])), Buffer.from(codeOf(name, mark))]
      return given.length === wanted.length && timingSafeEqual(given, wanted) ? mark : undefined
    },
  }
}
