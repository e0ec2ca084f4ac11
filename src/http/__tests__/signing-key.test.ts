/** The key that serve keeps for itself. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { isFailure } from '../../core/failure.js'
import { keepSigningKey } from '../signing-key.js'

test('a key is made once, for its owner alone, and found again', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'skillgate-key-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const key = keepSigningKey(join(directory, 'new'))
  assert.match(key, /^[0-9a-f]{64}$/)
  assert.equal(keepSigningKey(join(directory, 'new')), key)
  assert.equal(statSync(join(directory, 'new', 'signing.key')).mode & 0o777, 0o600)
  assert.notEqual(keepSigningKey(join(directory, 'other')), key)
})

test('a file that is no key is refused, and stays as it is', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'skillgate-key-'))
  t.after(() => rmSync(directory, { recursive: true }))
  writeFileSync(join(directory, 'signing.key'), 'short\n')
  assert.throws(
    () => keepSigningKey(directory),
    (error) => isFailure(error) && error.code === 'INVALID_INPUT',
  )
  assert.throws(() => keepSigningKey(join(directory, 'signing.key')), { code: 'EEXIST' })
})
