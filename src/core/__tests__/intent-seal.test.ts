/** What a store keeps of a run that waits: unreadable without the key, and of that run alone. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createIntentSeal } from '../intent-seal.js'

const KEY = 'k'.repeat(32)
const INTENTS = [{ tool: 'docker.run', params: { stdin: 'hunter2-hunter2 \u0000 é', image: 'x' } }]

describe('sealed intents [S32]', () => {
  const payload = createIntentSeal(KEY).seal('run_1', INTENTS)

  it('are opened by another process with the same key', () => {
    assert.deepEqual(createIntentSeal(KEY).open('run_1', payload), INTENTS)
    assert.deepEqual(createIntentSeal(Buffer.from(KEY)).open('run_1', payload), INTENTS)
  })

  it('show nothing of the params, and are never the same twice', () => {
    assert.equal(Buffer.from(payload).includes('hunter2'), false)
    assert.notDeepEqual(createIntentSeal(KEY).seal('run_1', INTENTS), payload)
  })

  const changed = (at: number) => payload.map((byte, index) => (index === at ? byte ^ 1 : byte))
  const CLOSED: Record<string, () => unknown> = {
    'another key': () => createIntentSeal('x'.repeat(32)).open('run_1', payload),
    'a key that ended with its process': () => createIntentSeal().open('run_1', payload),
    'another run': () => createIntentSeal(KEY).open('run_2', payload),
    'a changed nonce': () => createIntentSeal(KEY).open('run_1', changed(0)),
    'a changed text': () => createIntentSeal(KEY).open('run_1', changed(20)),
    'a changed tag': () => createIntentSeal(KEY).open('run_1', changed(payload.length - 1)),
    'a shortened payload': () => createIntentSeal(KEY).open('run_1', payload.slice(0, 20)),
    'an empty payload': () => createIntentSeal(KEY).open('run_1', new Uint8Array()),
  }
  for (const [what, open] of Object.entries(CLOSED)) {
    it(`stay closed to ${what}`, () => assert.equal(open(), undefined))
  }

  it('need a key of 32 bytes', () => {
    assert.throws(() => createIntentSeal('short'), { code: 'INVALID_INPUT', details: { field: 'signingKey' } })
  })
})
