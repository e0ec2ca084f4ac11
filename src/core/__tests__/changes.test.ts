/** Listeners of what has changed: each hears of its own id, until it no longer wants to. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createChanges } from '../changes.js'

test('a change is told to the listeners of its id, whatever one of them throws', () => {
  const changes = createChanges()
  const heard: string[] = []
  changes.listen('a', () => {
    throw new Error('a bug in a listener')
  })
  changes.listen('a', () => void heard.push('a'))
  changes.listen('b', () => void heard.push('b'))
  changes.tell('a')
  changes.tell('nobody')
  assert.deepEqual(heard, ['a'])
})

test('who ends its listening hears no more, and the same function listening twice is two listeners', () => {
  const changes = createChanges()
  let heard = 0
  const listener = (): void => void heard++
  const end = changes.listen('a', listener)
  changes.listen('a', listener)
  changes.tell('a')
  end()
  end()
  changes.tell('a')
  assert.equal(heard, 3)
})
