/** The one error class: its table, and that nothing thrown can break those who look at it. */
import assert from 'node:assert/strict'
import { it, describe as suite } from 'node:test'
import { describe, FAILURES, Failure, type FailureCode, isFailure } from '../failure.js'

const trap = () => {
  throw new Error('a trap was sprung')
}
const trapped = new Proxy({}, { get: trap, getPrototypeOf: trap, has: trap, ownKeys: trap })
const { proxy: revoked, revoke } = Proxy.revocable([], {})
revoke()

suite('Failure', () => {
  for (const [code, { status, retriable }] of Object.entries(FAILURES)) {
    it(`${code} has a status of an error, and is retriable only when a retry can help`, () => {
      const failure = new Failure(code as FailureCode, 'why', { details: { field: 'x' }, cause: 7 })
      assert.deepEqual([failure.code, failure.retriable], [code, retriable])
      assert.deepEqual([failure.details, failure.cause, failure.message], [{ field: 'x' }, 7, 'why'])
      assert.ok(status >= 400 && status < 600)
      assert.equal(retriable, ['TIMEOUT', 'UPSTREAM_ERROR', 'RATE_LIMITED', 'UNAVAILABLE'].includes(code))
    })
  }

  it('is recognised from another copy of the package, and nothing else is', () => {
    const foreign = Object.assign(new Error('x'), { name: 'Failure', code: 'CONFLICT' })
    for (const error of [new Failure('INTERNAL', 'x'), foreign]) assert.equal(isFailure(error), true)
    const others = [
      ...[undefined, null, 0, 'Failure', {}, new Error('x'), trapped, revoked],
      { name: 'Failure', code: 'CONFLICT' },
      Object.assign(new Error('x'), { name: 'Failure' }),
      Object.assign(new Error('x'), { name: 'Failure', code: 'toString' }),
      Object.assign(new Error('x'), { code: 'CONFLICT' }),
      Object.defineProperty(new Error('x'), 'name', { get: trap }),
    ]
    for (const error of others) assert.equal(isFailure(error), false)
  })
})

suite('describe', () => {
  const ROWS: [unknown, string][] = [
    [undefined, 'nothing'],
    [null, 'null'],
    [7, '7 (number)'],
    [Number.NaN, 'NaN (number)'],
    [5n, '5 (bigint)'],
    [true, 'true (boolean)'],
    ['a"b', '"a\\"b" (string)'],
    [[7], '[7] (array)'],
    [{ a: 1 }, '{"a":1} (object)'],
    ['x'.repeat(1_000), '[1002 characters] (string)'],
    [() => {}, 'a function'],
    [Symbol('x'), 'a symbol'],
    [trapped, 'an object that is not JSON'],
    [revoked, 'an object that is not JSON'],
    [{ toJSON: trap }, 'an object that is not JSON'],
    [{ toJSON: () => undefined }, '[object Object] (object)'],
  ]
  for (const [value, text] of ROWS) {
    it(`says ${text.slice(0, 30)}`, () => assert.equal(describe(value), text))
  }
})
