/** Who is asking, and whether not too often: the keys of a gateway. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { Failure } from '../core/failure.js'
import type { GatewayConfig, GatewayKey } from './config.js'

export interface Access {
  /** The key that the Authorization header brings. Throws UNAUTHORIZED. */
  admit(authorization: string | null): GatewayKey
  /** Takes one request from what the key may send now. Throws RATE_LIMITED with `details.retry_after_ms`. */
  count(key: GatewayKey): void
}

const MINUTE_MS = 60_000

/** `nowMs` is a clock that only goes forward. */
export function createAccess({ keys }: GatewayConfig, nowMs: () => number): Access {
  const known = keys.map((key) => ({ key, digest: Buffer.from(key.sha256, 'hex') }))
  const buckets = new Map(keys.map((key) => [key, { left: key.requests_per_minute, at: nowMs() }]))

  return {
    admit(authorization) {
      const [, token] = /^Bearer +([\x21-\x7e]+)$/i.exec(authorization ?? '') ?? []
      const digest = createHash('sha256')
        .update(token ?? '')
        .digest()
      // All are compared, whichever it is, so that the time tells nothing.
      const matching = known.filter((one) => timingSafeEqual(one.digest, digest))
      if (token !== undefined && matching[0] !== undefined) return matching[0].key
      const problem = token === undefined ? 'A key is missing' : 'The key is wrong'
      throw new Failure('UNAUTHORIZED', `${problem}. Send a key of this gateway as a bearer token.`)
    },

    count(key) {
      const bucket = buckets.get(key)
      if (bucket === undefined) return
      const perMs = key.requests_per_minute / MINUTE_MS
      const now = nowMs()
      bucket.left = Math.min(key.requests_per_minute, bucket.left + (now - bucket.at) * perMs)
      bucket.at = now
      if (bucket.left < 1) {
        const retry_after_ms = Math.ceil((1 - bucket.left) / perMs)
        const message = `This key may send ${key.requests_per_minute} requests a minute. Wait ${retry_after_ms} ms.`
        throw new Failure('RATE_LIMITED', message, { details: { retry_after_ms } })
      }
      bucket.left -= 1
    },
  }
}
