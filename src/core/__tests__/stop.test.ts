/** The light stop signal: its listeners, and the AbortSignal that stands for it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Failure } from '../failure.js'
import { createStop, stopSignalOf, withSignal } from '../stop.js'

const reason = new Failure('TIMEOUT', 'too late')

test('options that a host hands on as a copy keep their signal and their stop', () => {
  const stop = createStop()
  const copy = { ...withSignal({ timeoutMs: 5 }, stop), timeoutMs: 1 }
  assert.equal(copy.signal, stop.abortSignal())
  assert.equal(stopSignalOf(copy), stop.signal)
  stop.abort(reason)
  assert.equal(copy.signal.aborted, true)
  assert.equal(copy.signal.reason.name, 'TimeoutError')
})

test('each listener is told once, and none that another removed', () => {
  const stop = createStop()
  const { signal } = stop
  const told: string[] = []
  const second = () => told.push('second')
  const first = () => {
    told.push('first')
    signal.removeEventListener('abort', second)
  }
  signal.addEventListener('abort', first)
  signal.addEventListener('abort', first)
  signal.addEventListener('abort', second)
  stop.abort(reason)
  stop.abort(new Failure('ABORTED', 'again'))
  assert.deepEqual(told, ['first'])
  assert.equal(signal.reason, reason)
})
