/** Resolves the name of a network to the id of one that leads nowhere: internal, and of this engine alone. */
import { Failure, isFailure } from '../core/failure.js'
import type { RunSpec } from '../core/run-spec.js'
import type { StopSignal } from '../core/stop.js'
import type { Engine } from './engine.js'
import { malformedAnswer } from './upstream.js'
import { fieldsOf, textOf } from './wire.js'

/**
 * The full id of a named network, by which the container is created, so that another of its name changes nothing; undefined
 * for none and open. Throws INVALID_INPUT when the engine has no network of exactly that name, DENIED when it leads outside.
 */
export async function resolveNetwork(
  engine: Engine,
  network: RunSpec['network'],
  signal: StopSignal,
): Promise<string | undefined> {
  if (typeof network === 'string') return undefined
  const { internal: name } = network
  const found = fieldsOf(await inspect(engine, name, signal))
  // Engines also find a network by the beginning of its id.
  if (found.Name !== name) throw unknown(name)
  const id = textOf(found.Id)
  if (!/^[0-9a-f]{64}$/.test(id)) throw malformedAnswer('/networks/{id}', 'it has no network id')
  // An overlay is internal to many hosts.
  if (found.Internal !== true || (found.Scope !== undefined && found.Scope !== 'local')) {
    throw new Failure(
      'DENIED',
      `Network ${name} is not internal to this engine: it leads outside. Make one with docker network create --internal.`,
      { details: { field: 'network' } },
    )
  }
  return id
}

async function inspect(engine: Engine, name: string, signal: StopSignal): Promise<unknown> {
  try {
    return (await engine.json('networkInspect', { id: name, signal })).body
  } catch (error) {
    if (isFailure(error) && error.details?.status === 404) throw unknown(name, error)
    throw error
  }
}

function unknown(name: string, cause?: unknown): Failure {
  return new Failure(
    'INVALID_INPUT',
    `The engine has no network named ${name}. docker network ls --filter driver=bridge prints their names.`,
    { details: { field: 'network' }, cause },
  )
}
