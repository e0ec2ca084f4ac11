/** Redaction takes time that grows with the length of a text, whoever wrote it. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
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

  const MIXED = [
    ...[
      'password',
      'token',
      'secret:',
      'auth',
      'key=',
      'jwt',
      'Bearer ',
      'curl -u ',
      'redis-cli -a ',
      'docker login -p ',
    ],
    ...['://', 'eyJ', 'arn:aws:', '$2a$', 'AUTH ', '-----BEGIN PRIVATE KEY-----', 'password is ', 'insert into '],
    ...[
      ' ',
      ':',
      '=',
      '"',
      "'",
      '`',
      '\\',
      '\n',
      '*',
      '.',
      '-',
      '_',
      '/',
      '@',
      '%20',
      '&',
      '[',
      '](',
      '{',
      '}',
      '<',
      '|',
    ],
    ...[',', ';', 'a', 'A', 'aA', '1', 'é', '\t', '\x1b[0m', '$', '~', '=> ', 'a.b', 'a_b', ' for ', ' is '],
  ]

  it('two or three things said over and over in any order take no more than a moment', () => {
    const sign = fc.constantFrom(...MIXED)
    const text = fc
      .tuple(sign, fc.uniqueArray(sign, { minLength: 1, maxLength: 3 }), fc.infiniteStream(fc.nat(2)), sign)
      .map(([first, few, order, last]) => {
        const said = [...order.take(160)].map((index) => few[index % few.length])
        return first + said.join('') + last
      })
    fc.assert(
      fc.property(text, (given) => {
        const started = performance.now()
        redactor.text(given)
        const elapsed = performance.now() - started
        // A pattern that tries every way to divide a text takes for ever; the others take a tenth of a millisecond.
        assert.ok(elapsed < 1_000, `took ${Math.round(elapsed)} ms`)
      }),
      { numRuns: 3_000 },
    )
  })

  for (const given of [
    `password:${'token*'.repeat(60)}x.`,
    `token${'`'.repeat(90)}a \n`,
    `token ${'~`'.repeat(60)}!\n`,
  ]) {
    it(`${JSON.stringify(given.slice(0, 24))}… takes no more than a moment`, () => {
      const started = performance.now()
      redactor.text(given)
      assert.ok(performance.now() - started < 1_000)
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
      'docker login -p ',
      'redis-cli -a ',
      'sshpass -p ',
    ],
  ]) {
    it(`five megabytes of ${JSON.stringify(piece)} cost what plain words cost, within a factor`, () => {
      const plain = cost('plain words and numbers 12 ', 5_000_000)
      const hostile = cost(piece, 5_000_000)
      // Plain text takes 5 to 10 ms per MB, and 50 is the bound; what is not held back takes 200 to 20,000.
      assert.ok(hostile < Math.max(150, 20 * plain), `${hostile.toFixed(0)} ms per MB, plain words ${plain.toFixed(0)}`)
    })
  }

  const PASSES = 24

  /** How many times as long as a bare loop over its characters a text takes: what else the machine does slows both. */
  function timesALoop(text: string): number {
    let redacted = Number.POSITIVE_INFINITY
    let looped = Number.POSITIVE_INFINITY
    const until = performance.now() + 500
    for (let round = 0; round < 8 || (performance.now() < until && round < 60); round++) {
      const started = performance.now()
      redactor.text(text)
      const between = performance.now()
      let hash = 0
      // As long as the other takes: a shorter stretch is more often one in which nothing else ran.
      for (let pass = 0; pass < PASSES; pass++) {
        for (let index = 0; index < text.length; index++) hash = (hash * 31 + text.charCodeAt(index)) | 0
      }
      looped = Math.min(looped, (performance.now() - between) / PASSES + (hash === 0.5 ? 1 : 0))
      redacted = Math.min(redacted, between - started)
    }
    return redacted / looped
  }

  for (const piece of [
    ...[
      'password: aaaaaaaa bbbbbbbb ',
      'token: aaaaaaaa bbbbbbbb ',
      'secret: aaaaaaaa bbbbbbbb ',
      'api_key: aaaaaaaa bbbbbbbb ',
      'credentials: aaaaaaaa bbbbbbbb ',
      'key: aB3aB3aB3aB3aB3aB3 ',
      'key=aB3aB3aB3aB3aB3aB3 ',
      'auth=aB3aB3aB3aB3aB3aB3 ',
      'password: hunter2 hunter2 hunter2 hunter2 ',
    ],
    ...['Authorization:[', 'basic=', `BAh7${'='.repeat(30)}`, 'a_key_b.', '@//', 'A', 'key-', '密码'],
    ...['token:token:', '-----BEGIN ', '"""', '{"a":', '://a:b', 'authorization: ', 'password: password: '],
  ]) {
    it(`fifty kilobytes of ${JSON.stringify(piece)} cost so many times a bare loop over them, and no more`, () => {
      const text = Buffer.from(piece.repeat(Math.ceil(50_000 / piece.length))).toString('utf8')
      // Thirty to forty; more processes than cores can double it for a while, three times in a row they do not.
      let times = timesALoop(text)
      for (let again = 0; again < 2 && times >= 80; again++) times = Math.min(times, timesALoop(text))
      assert.ok(times < 80, `${times.toFixed(0)} times as long`)
    })
  }

  for (const [what, text, read] of [
    [
      'a list in JSON',
      JSON.stringify(Array.from({ length: 2_000 }, (_, index) => ({ user: `u${index}`, password: `pw${index}x7` }))),
      2_000,
    ],
    ['keys in JSON', JSON.stringify(Array.from({ length: 1_500 }, (_, index) => ({ token: `t0k${index}Qz` }))), 1_500],
    ['an environment', Array.from({ length: 1_000 }, (_, index) => `DB${index}_PASS=h${index}x`).join('\n'), 1_000],
    ['a query', `https://h/?${Array.from({ length: 1_000 }, (_, i) => `password=h${i}x`).join('&')}`, 1_000],
    ['many masks', JSON.stringify(Array.from({ length: 2_000 }, () => ({ id: 'u1', password: '********' }))), 0],
  ] as const) {
    it(`${what} is read to its end, not withheld as a crowd`, () => {
      const own = createRedactor()
      own.text(text)
      const counts = own.findings()
      assert.deepEqual(
        counts.filter(({ rule }) => rule === 'crowded'),
        [],
      )
      assert.equal(
        counts.reduce((sum, { count }) => sum + count, 0),
        read,
      )
    })
  }
})
