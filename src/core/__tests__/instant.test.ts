/** Moments as texts, held against what Date writes. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { instant } from '../instant.js'

describe('a moment as a text', () => {
  it('is what Date writes, also for one within the second before', () => {
    const times = fc.integer({ min: -8_640_000_000_000_000, max: 8_640_000_000_000_000 })
    fc.assert(
      fc.property(times, fc.integer({ min: 0, max: 2_000 }), (time, step) => {
        const next = Math.min(time + step, 8_640_000_000_000_000)
        for (const at of [time, next, time]) assert.equal(instant(at), new Date(at).toISOString())
      }),
    )
  })

  it('is none for what is no time', () => {
    assert.throws(() => instant(Number.NaN), RangeError)
    assert.throws(() => instant(8_640_000_000_001_000), RangeError)
  })
})
