/** Requests under a caller's key: a retry gets the first one's answer, which is kept together with what it tells of. */
import { canonical, type Data, sha256 } from './data.js'
import { describe, Failure, isFailure } from './failure.js'
import { available } from './log.js'
import type { KeptAnswer, Store } from './store.js'

export interface Keyed {
  /** 1-200 visible ASCII characters. The same request under the same key within 24 hours is executed once. */
  idempotencyKey?: string | undefined
}

interface KeyedRequest extends Keyed {
  /** Keys of different scopes have nothing to do with each other. */
  scope: string
  request: Data
}

/** The answer of `work`, or of the first request with this key. `keep` makes what is to be appended with the effect. */
export type Once = <T extends Data>(
  request: KeyedRequest,
  work: (keep: (answer: T) => KeptAnswer | undefined) => Promise<T>,
) => Promise<{ answer: T; replayed: boolean }>

const KEPT_MS = 24 * 60 * 60 * 1000

export function createOnce({ store, now }: { store: Store; now: () => Date }): Once {
  const underWay = new Map<string, Promise<unknown>>()

  return async <T extends Data>(
    { scope, request, idempotencyKey }: KeyedRequest,
    work: (keep: (answer: T) => KeptAnswer | undefined) => Promise<T>,
  ) => {
    if (idempotencyKey === undefined) return { answer: await work(() => undefined), replayed: false }
    const key = sha256(canonical([scope, parseKey(idempotencyKey)]))
    const request_hash = sha256(canonical(request))
    const recall = async () => {
      const kept = await available(store.answer(key, now().toISOString()))
      if (kept === undefined) return undefined
      if (kept.request_hash === request_hash) return { answer: JSON.parse(kept.body) as T, replayed: true }
      throw new Failure(
        'IDEMPOTENCY_MISMATCH',
        'This Idempotency-Key came with another request before. Send the same request again, or another key.',
        { details: { field: 'idempotency_key' } },
      )
    }
    const keep = (answer: T): KeptAnswer => ({
      key,
      request_hash,
      body: canonical(answer),
      expires_at: new Date(now().getTime() + KEPT_MS).toISOString(),
    })
    // One at a time here, so that retries that come together do not all try; the store decides between hosts.
    const before = underWay.get(key)
    const mine = (async () => {
      await before?.catch(() => {})
      const known = await recall()
      if (known !== undefined) return known
      try {
        return { answer: await work(keep), replayed: false }
      } catch (error) {
        const first = isFailure(error) && error.code === 'IDEMPOTENCY_MISMATCH' ? await recall() : undefined
        if (first !== undefined) return first
        throw error
      }
    })()
    underWay.set(key, mine)
    try {
      return await mine
    } finally {
      if (underWay.get(key) === mine) underWay.delete(key)
    }
  }
}

function parseKey(key: unknown): string {
  if (typeof key === 'string' && /^[\x21-\x7e]{1,200}$/.test(key)) return key
  throw new Failure(
    'INVALID_INPUT',
    `Idempotency-Key ${describe(key)} is not 1 to 200 visible ASCII characters. A random UUID will do.`,
    { details: { field: 'idempotency_key' } },
  )
}
