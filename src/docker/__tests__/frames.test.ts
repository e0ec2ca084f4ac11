/** Framed output is the same however its bytes are cut. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isFailure } from '../../core/failure.js'
import { frame } from '../../testing/fake-wire.js'
import { createFrameParser, type OutputStream } from '../frames.js'
import { createLogText } from '../logs.js'

const pieces = fc.array(
  fc.record({
    stream: fc.constantFrom<OutputStream>('stdout', 'stderr'),
    text: fc.string({ unit: 'grapheme', maxLength: 20 }),
  }),
  { maxLength: 8 },
)

function parse(chunks: Buffer[]): Record<OutputStream, string> {
  const bytes: Record<OutputStream, Buffer[]> = { stdout: [], stderr: [] }
  const parser = createFrameParser((stream, piece) => bytes[stream].push(Buffer.from(piece)))
  for (const chunk of chunks) parser.push(chunk)
  return { stdout: Buffer.concat(bytes.stdout).toString(), stderr: Buffer.concat(bytes.stderr).toString() }
}

test('a body cut in two at every position gives the same output', () => {
  const body = Buffer.concat([
    frame('stdout', Buffer.from('Grüße 🚢')),
    frame('stderr', Buffer.from('Fehler')),
    frame('stdout', Buffer.alloc(0)),
    frame('stdout', Buffer.from('!')),
  ])
  for (let at = 0; at <= body.length; at++) {
    assert.deepEqual(parse([body.subarray(0, at), body.subarray(at)]), { stdout: 'Grüße 🚢!', stderr: 'Fehler' })
  }
})

test('any frames in any chunks give back what was framed', () => {
  fc.assert(
    fc.property(pieces, fc.integer({ min: 1, max: 9 }), (written, size) => {
      const body = Buffer.concat(written.map(({ stream, text }) => frame(stream, Buffer.from(text))))
      const chunks: Buffer[] = []
      for (let at = 0; at < body.length; at += size) chunks.push(body.subarray(at, at + size))
      const of = (stream: OutputStream) =>
        Buffer.concat(written.filter((one) => one.stream === stream).map(({ text }) => Buffer.from(text))).toString()
      assert.deepEqual(parse(chunks), { stdout: of('stdout'), stderr: of('stderr') })
    }),
  )
})

test('a bogus length allocates nothing and passes on what is there', () => {
  const header = Buffer.from([1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff])
  assert.deepEqual(parse([header, Buffer.from('x')]), { stdout: 'x', stderr: '' })
})

test('output that ends in the middle of a frame or of its header is an UPSTREAM_ERROR', () => {
  const body = frame('stdout', Buffer.from('ab'))
  for (let at = 1; at < body.length; at++) {
    const parser = createFrameParser(() => {})
    parser.push(body.subarray(0, at))
    assert.throws(parser.end, (error) => isFailure(error) && error.code === 'UPSTREAM_ERROR')
    parser.push(body.subarray(at))
    parser.end()
  }
})

test('stream 0 counts as standard output', () => {
  assert.deepEqual(parse([Buffer.from([0, 0, 0, 0, 0, 0, 0, 1]), Buffer.from('x')]), { stdout: 'x', stderr: '' })
})

for (const [name, header] of [
  ['an unknown stream', [3, 0, 0, 0, 0, 0, 0, 1]],
  ['text instead of a frame', [...Buffer.from('<!DOCTYP')]],
  ['padding that is not zero', [1, 1, 0, 0, 0, 0, 0, 1]],
] as const) {
  test(`${name} is an UPSTREAM_ERROR`, () => {
    assert.throws(
      () => parse([Buffer.from(header)]),
      (error) => isFailure(error) && error.code === 'UPSTREAM_ERROR' && !error.retriable,
    )
  })
}

test('a character split across frames survives, with the other stream’s bytes in between', () => {
  const [first, second] = [Buffer.from('ü').subarray(0, 1), Buffer.from('ü').subarray(1)]
  const log = createLogText({ tty: false })
  log.push(frame('stdout', first))
  log.push(frame('stderr', Buffer.from('err')))
  log.push(frame('stdout', second))
  assert.equal(log.end(), 'errü')
})

test('with a terminal the bytes are the text, even where they look like a frame', () => {
  const log = createLogText({ tty: true })
  log.push(frame('stdout', Buffer.from('x')))
  assert.equal(log.end(), '\x01\0\0\0\0\0\0\x01x')
})
