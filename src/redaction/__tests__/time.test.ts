/** Redaction takes time that grows with the length of a text, whoever wrote it. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createRedactor } from '../redactor.js'

const REDACTED = '[REDACTED]'
const redactor = createRedactor()
const x = (length: number): string => 'aB3'.repeat(length).slice(0, length)

describe('time', () => {
  const HOSTILE = [
    ...[
      'eyJ-',
      'eyJa.',
      'eyJaaaaaaaa.',
      'a://',
      'a://b:c',
      'a://b:',
      'a+',
      'a.',
      'a-',
      'a:',
      'a=',
      '=',
      ':',
      '"',
      "'",
      '\\',
    ],
    ...[
      'token=',
      'token="',
      'token="\\',
      'token:    ',
      `token=${REDACTED}`,
      `token="${REDACTED}`,
      'password',
      'A_key.',
      'key: ',
    ],
    ...[
      'sk-',
      'SG.',
      `SG.${x(16)}`,
      'ya29.',
      'xoxb-',
      'glpat-',
      'AKIA',
      'ghp_',
      'github_pat_',
      'npm_',
      'pypi-',
      'hf_',
      'hvs.',
    ],
    ...[
      'bearer ',
      'basic  ',
      'authorization: ',
      'cookie: ',
      '--password ',
      '--token=',
      'https://hooks.slack.com/services/',
    ],
    ...[
      '-----BEGIN ',
      '-----BEGIN PRIVATE KEY-----',
      '-----BEGIN A PRIVATE KEY-----x-',
      '-',
      ' ',
      '\n',
      '\0',
      'é',
      '\u{1f600}',
      'a',
    ],
  ]
  const SIZE = 512 * 1024
  for (const piece of HOSTILE) {
    it(`half a megabyte of ${JSON.stringify(piece)} is read in time that grows with its length only`, () => {
      const text = piece.repeat(Math.ceil(SIZE / piece.length))
      const started = performance.now()
      redactor.text(text)
      redactor.text(`password=${text}`)
      const elapsed = performance.now() - started
      // What grows with the square takes minutes; the slowest linear one takes a quarter of a second.
      assert.ok(elapsed < 3_000, `took ${Math.round(elapsed)} ms`)
    })
  }

  /** Milliseconds per megabyte, the best of two. */
  function cost(piece: string, size: number): number {
    const text = Buffer.from(piece.repeat(Math.ceil(size / piece.length))).toString('latin1')
    let best = Number.POSITIVE_INFINITY
    for (let round = 0; round < 2; round++) {
      const started = performance.now()
      redactor.text(text)
      best = Math.min(best, performance.now() - started)
    }
    return (best * 1_000_000) / text.length
  }

  for (const piece of [
    ...[
      'authorization: ',
      'password: password: ',
      'password: ',
      'token:token:',
      'key=',
      'sig=',
      'cookie: ',
      'pw: ',
      'pw=a ',
    ],
    ...[
      '"""',
      '-----BEGIN ',
      '{"a":',
      'Bearer Bearer ',
      '://',
      '@',
      '\\\\\\"',
      '--password --password ',
      'eyJ.eyJ.',
      'eyJ',
    ],
    ...[
      'LS0tLS1CRUdJTi',
      '+ASt',
      'AZDO',
      're_',
      'ops_eyJ',
      'basic=',
      'BAh7=',
      'sudo -S:',
      ' is my token: ',
      'password:\n',
    ],
  ]) {
    it(`five megabytes of ${JSON.stringify(piece)} cost what plain words cost, within a factor`, () => {
      const plain = cost('plain words and numbers 12 ', 5_000_000)
      const hostile = cost(piece, 5_000_000)
      // Plain text takes 5 to 10 ms per MB, and 50 is the bound; what is not held back takes 200 to 20,000.
      assert.ok(hostile < Math.max(150, 20 * plain), `${hostile.toFixed(0)} ms per MB, plain words ${plain.toFixed(0)}`)
    })
  }
})
