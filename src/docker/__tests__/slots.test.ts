/** Turns: never more at once than the cap, in order, none lost, whoever gives up on the way. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import fc from 'fast-check'
import { Failure } from '../../core/failure.js'
import { createStop } from '../../core/stop.js'
import { createSlots } from '../slots.js'

const { signal: never } = createStop()
const gaveUp = () => new Failure('ABORTED', 'The caller gave up.')

test('as many as fit begin at once, and the others in the order of their coming', async () => {
  const slots = createSlots(2)
  const begun: number[] = []
  const releases: (() => void)[] = []
  for (const index of [0, 1, 2, 3, 4]) {
    slots.acquire(never).then((release) => {
      begun.push(index)
      releases.push(release)
    })
  }
  await nextTurn()
  assert.deepEqual(begun, [0, 1])
  for (const expected of [
    [0, 1, 2],
    [0, 1, 2, 3],
    [0, 1, 2, 3, 4],
  ]) {
    releases.shift()?.()
    await nextTurn()
    assert.deepEqual(begun, expected)
  }
})

test('a release that is called twice gives one turn', async () => {
  const slots = createSlots(1)
  const release = await slots.acquire(never)
  let begun = 0
  for (let index = 0; index < 3; index++) slots.acquire(never).then(() => begun++)
  release()
  release()
  await nextTurn()
  assert.equal(begun, 1)
})

test('who gives up while waiting gets the reason, and those behind move up', async () => {
  const slots = createSlots(1)
  const release = await slots.acquire(never)
  const stop = createStop()
  const reason = gaveUp()
  const leaving = assert.rejects(slots.acquire(stop.signal), (error) => error === reason)
  const behind = slots.acquire(never)
  stop.abort(reason)
  await leaving
  release()
  const second = await behind
  second()
  await assert.rejects(slots.acquire(stop.signal), (error) => error === reason, 'who has given up does not begin')
  await slots.acquire(never)
})

test('whatever order they come, give up and end in: the cap holds and every turn is given back', async () => {
  const visitor = fc.record({ stays: fc.integer({ min: 0, max: 3 }), patience: fc.integer({ min: 0, max: 6 }) })
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.array(visitor, { maxLength: 20 }), async (max, visitors) => {
      const slots = createSlots(max)
      let inside = 0
      let most = 0
      const results = await Promise.allSettled(
        visitors.map(async ({ stays, patience }) => {
          const stop = createStop()
          const giveUp = async () => {
            for (let turn = 0; turn < patience; turn++) await nextTurn()
            stop.abort(gaveUp())
          }
          if (patience < 6) void giveUp()
          const release = await slots.acquire(stop.signal)
          inside++
          most = Math.max(most, inside)
          for (let turn = 0; turn < stays; turn++) await nextTurn()
          inside--
          release()
        }),
      )
      assert.ok(most <= max, `${most} at once`)
      assert.equal(inside, 0)
      for (const [index, result] of results.entries()) {
        if (result.status === 'rejected')
          assert.ok((visitors[index]?.patience ?? 6) < 6, 'only who gave up was left out')
      }
      // None of the turns got lost.
      await Promise.all(Array.from({ length: max }, () => slots.acquire(never)))
    }),
    { numRuns: 60 },
  )
})
