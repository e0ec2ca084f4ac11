/** However a text is cut into pieces, what leaves a stream is what one call makes of the whole. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { createRedactor } from '../redactor.js'
import { negatives } from './corpus/negatives.js'
import { positives } from './corpus/positives.js'

const registered = ['correct-horse-battery', 'line one\nline two', 'pässwörd "quoted" & more']
const redactor = createRedactor({ registered })
const texts = [...positives(7), ...negatives(7)].map(({ text }) => text)
const joined = fc
  .array(
    fc.oneof(
      { weight: 6, arbitrary: fc.nat(texts.length - 1).map((index) => texts[index] as string) },
      fc.constantFrom(
        ...registered,
        Buffer.from('correct-horse-battery').toString('base64'),
        '\n',
        '\r\n',
        '"',
        '-----BEGIN PRIVATE KEY-----\n',
      ),
      fc.string({ maxLength: 12 }),
    ),
    { maxLength: 12 },
  )
  .chain((parts) => fc.constantFrom('', ' ', '\n').map((glue) => parts.join(glue)))

function streamed(text: string, cuts: readonly number[]): string {
  const stream = redactor.stream()
  const places = [0, ...cuts.map((cut) => cut % (text.length + 1)).sort((a, b) => a - b), text.length]
  const pieces = places.slice(1).map((end, index) => text.slice(places[index], end))
  return pieces.map((piece) => stream.push(piece)).join('') + stream.end()
}

describe('streams [S11]', () => {
  it('any cutting gives the same', () => {
    fc.assert(
      fc.property(joined, fc.array(fc.nat(), { maxLength: 8 }), (text, cuts) => {
        assert.equal(streamed(text, cuts), redactor.text(text))
      }),
      { numRuns: 1_500 },
    )
  })

  const crowded = [
    'secret_',
    'token:',
    'password:',
    'key',
    '*',
    '=',
    ' ',
    '\n',
    'x.',
    'arn:aws:',
    '://a:b@',
    'login -p x',
  ]

  it('of a crowd as well', () => {
    const text = fc
      .tuple(fc.uniqueArray(fc.constantFrom(...crowded), { minLength: 1, maxLength: 4 }), fc.infiniteStream(fc.nat(3)))
      .map(([few, order]) => [...order.take(400)].map((index) => few[index % few.length]).join(''))
    fc.assert(
      fc.property(text, fc.array(fc.nat(), { maxLength: 8 }), (given, cuts) => {
        assert.equal(streamed(given, cuts), redactor.text(given))
      }),
      { numRuns: 1_000 },
    )
  })

  it('nothing on the next line decides about a name, and nothing of it is withheld with a crowd', () => {
    const crowd = 'secret_'.repeat(110)
    for (const text of [
      'password:tokentoken\n=',
      'key:password:secrettokenkey:\n=',
      `${crowd}\nsecret_`,
      `${crowd}\n${crowd}`,
    ])
      assert.equal(streamed(text, [text.indexOf('\n') + 1]), redactor.text(text))
  })

  it('a name that was judged ahead is asked again when what lies on the way has not arrived', () => {
    const text =
      '?grant_type=client_credentials\n<add key="PASSWORD" value="d8RGzCoITpjVGmws"/>\nDB_PASSWORD=d8RGzCoITp'
    assert.equal(streamed(text, []), redactor.text(text))
  })

  it('so does a password below its sentence, each line with the service that printed it', () => {
    const lines = [
      'use the following password to proceed to installation:',
      '',
      '80c448a5471539091532c56cf7b0c1a7',
      '',
      'x',
    ]
    const text = lines.map((line) => `jenkins-1  | ${line}`).join('\n')
    const whole = redactor.text(text)
    assert.ok(!whole.includes('80c448'))
    for (let cut = 0; cut <= text.length; cut++) {
      const stream = redactor.stream()
      assert.equal(stream.push(text.slice(0, cut)) + stream.push(text.slice(cut)) + stream.end(), whole)
    }
  })

  it('so does one character at a time', () => {
    fc.assert(
      fc.property(joined, (text) => {
        const stream = redactor.stream()
        assert.equal(
          text
            .split('')
            .map((sign) => stream.push(sign))
            .join('') + stream.end(),
          redactor.text(text),
        )
      }),
      { numRuns: 100 },
    )
  })

  it('so does a line longer than what is kept back', () => {
    const filler = 'lorem ipsum dolor sit amet '.repeat(4_000)
    const text = `${filler}DB_PASSWORD=hunter2 ${filler}ghp_${'aB3'.repeat(12)} ${filler}correct-horse-battery ${filler}`
    assert.equal(
      streamed(
        text,
        Array.from({ length: 200 }, (_, index) => index * 2_741),
      ),
      redactor.text(text),
    )
  })

  it('a line leaves when it ends', () => {
    const stream = redactor.stream()
    assert.equal(stream.push('one\ntwo PASSWORD=hun'), 'one\n')
    assert.equal(stream.push('ter2\nthr'), 'two PASSWORD=[REDACTED:password]\n')
    assert.equal(stream.end(), 'thr')
  })
})
