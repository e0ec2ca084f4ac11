/** What is kept of a program's output, and what is counted. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import type { OutputStream } from '../frames.js'
import { createOutput } from '../output.js'

const pieces = fc.array(
  fc.tuple(fc.constantFrom<OutputStream>('stdout', 'stderr'), fc.string({ minLength: 1, maxLength: 12 })),
  { maxLength: 30 },
)

test('the kept bytes are the first half and the last half of the budget, each on its own stream', () => {
  fc.assert(
    fc.property(pieces, fc.integer({ min: 0, max: 60 }), (written, keep_bytes) => {
      const output = createOutput({ keep_bytes, limit_bytes: 1_000 })
      for (const [stream, text] of written) output.push(stream, Buffer.from(text))
      const bytes = written.flatMap(([stream, text]) => [...text].map((byte) => ({ stream, byte })))
      const [half, rest] = [Math.ceil(keep_bytes / 2), Math.floor(keep_bytes / 2)]
      const all = bytes.length <= keep_bytes
      const head = all ? bytes : bytes.slice(0, half)
      const tail = all ? [] : bytes.slice(bytes.length - rest)
      const expected = (wanted: OutputStream) => {
        const on = (list: typeof bytes) =>
          list
            .filter(({ stream }) => stream === wanted)
            .map(({ byte }) => byte)
            .join('')
        const left = on(bytes).length - on(head).length - on(tail).length
        return left === 0 ? on(head) + on(tail) : `${on(head)}\n[… ${left} bytes left out …]\n${on(tail)}`
      }
      const { stdout, stderr, output: counts } = output.result()
      assert.deepEqual([stdout, stderr], [expected('stdout'), expected('stderr')])
      const bytes_kept = Math.min(bytes.length, keep_bytes)
      const raw = (wanted: OutputStream) =>
        createHash('sha256')
          .update(
            bytes
              .filter(({ stream }) => stream === wanted)
              .map(({ byte }) => byte)
              .join(''),
          )
          .digest('hex')
      const sha256 = { stdout: raw('stdout'), stderr: raw('stderr') }
      assert.deepEqual(counts, { bytes_total: bytes.length, bytes_kept, truncated: bytes_kept < bytes.length, sha256 })
    }),
  )
})

test('a character that the cut splits is left out, not replaced', () => {
  for (const keep_bytes of [2, 3, 4, 5, 6, 7]) {
    const output = createOutput({ keep_bytes, limit_bytes: 1_000 })
    output.push('stdout', Buffer.from('🚢漢ü🚢漢ü'))
    assert.ok(!output.result().stdout.includes('\ufffd'), `keep_bytes ${keep_bytes}`)
  }
})

test('bytes that are no UTF-8 are replaced, and whole characters around them stay', () => {
  const output = createOutput({ keep_bytes: 100, limit_bytes: 1_000 })
  output.push('stdout', Buffer.from([0x61, 0xff, 0xc3, 0xbc, 0xe2]))
  assert.equal(output.result().stdout, 'a\ufffdü\ufffd')
})

test('push says when the limit is passed, and not before', () => {
  const output = createOutput({ keep_bytes: 1, limit_bytes: 4 })
  assert.deepEqual(
    [
      output.push('stdout', Buffer.from('ab')),
      output.push('stderr', Buffer.from('cd')),
      output.push('stdout', Buffer.from('e')),
    ],
    [true, true, false],
  )
})
