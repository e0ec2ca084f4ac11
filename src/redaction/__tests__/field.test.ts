/** The field corpus against the engine: lines as containers, configurations and commands show them. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createRedactor } from '../redactor.js'
import { scoreNegatives, scorePositives } from './corpus/score.js'
import { fieldHarmless, fieldSecrets, fieldTokens } from './field/field.js'

const redactor = createRedactor()

describe('the field corpus [S11]', () => {
  for (const seed of [1, 2, 3]) {
    for (const [kind, cases, least] of [
      ['secrets', fieldSecrets(seed), 0.97],
      ['provider tokens', fieldTokens(seed), 0.995],
    ] as const) {
      it(`${kind} are found, seed ${seed}`, () => {
        const { total, found, partial, missed } = scorePositives(cases, redactor.text)
        assert.ok(found / total >= least, `${found} of ${total}: ${[...missed.values()].flat().slice(0, 5).join('\n')}`)
        assert.equal(partial, 0)
      })
    }

    it(`harmless lines stay as they are, seed ${seed}`, () => {
      const { total, unchanged, changed } = scoreNegatives(fieldHarmless(seed), redactor.text)
      assert.ok(unchanged / total >= 0.997, [...changed.values()].flat().slice(0, 9).join('\n'))
    })
  }

  it('its harmless lines are not withheld as a crowd when they come as one text', () => {
    const own = createRedactor()
    own.text(
      fieldHarmless(1)
        .map(({ text }) => text)
        .join('\n'),
    )
    assert.deepEqual(
      own.findings().filter(({ rule }) => rule === 'crowded'),
      [],
    )
  })
})
