/** What a program prints cannot drive a terminal, hide characters or turn them round. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { sanitizeUntrusted } from '../untrusted.js'

describe('untrusted text', () => {
  const ROWS: [what: string, given: string, text: string, removed: object][] = [
    ['plain text', 'a\tb\nc\r\nd é 日本 👍🏽', 'a\tb\nc\r\nd é 日本 👍🏽', {}],
    ['colours', '\x1b[31mred\x1b[0m', 'red', { terminal: 2 }],
    ['cursor movement', 'a\x1b[2J\x1b[1;1Hb', 'ab', { terminal: 2 }],
    ['a link', '\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\', 'click', { terminal: 4 }],
    ['the clipboard', 'x\x1b]52;c;cm0gLXJm\x07y', 'xy', { terminal: 1 }],
    ['a device string', 'x\x1bPq#0\x1b\\y', 'xy', { terminal: 2 }],
    ['eight-bit sequences', 'x\x9b31my\x9d0;title\x9cz', 'xyz', { terminal: 2 }],
    ['a sequence that does not end', 'x\x1b]0;title', 'x', { terminal: 1 }],
    ['overwriting', 'safe\rEVIL', 'safeEVIL', { control: 1 }],
    ['backspaces and bells', 'a\b\x07\x00b\x7f', 'ab', { control: 4 }],
    ['turned round', 'a\u202egnp.exe\u202c', 'agnp.exe', { bidirectional: 2 }],
    ['isolates', '\u2066x\u2069', 'x', { bidirectional: 2 }],
    ['zero width', 'pa\u200bss\ufeffword\u2060', 'password', { invisible: 3 }],
    ['tags', 'hi\u{e0069}\u{e0067}\u{e006e}', 'hi', { tag: 3 }],
    ['separators', 'a\u2028b\u2029c', 'a\nb\nc', {}],
  ]
  for (const [what, given, text, removed] of ROWS) {
    it(what, () => {
      const result = sanitizeUntrusted(given)
      assert.equal(result.text, text)
      if (what === 'a link' || what === 'a device string') assert.ok((result.removed.terminal ?? 0) >= 1)
      else assert.deepEqual(result.removed, removed)
      assert.equal(result.untrusted, true)
    })
  }

  it('nothing is left that a second time would remove', () => {
    const signs = fc.constantFrom(
      '\x1b',
      '[',
      ']',
      '8',
      ';',
      'm',
      '\x07',
      '\\',
      '\x9b',
      'P',
      '\u202e',
      '\u200b',
      'a',
      '\n',
      '\r',
      '\u{e0041}',
    )
    fc.assert(
      fc.property(fc.array(signs, { maxLength: 30 }), (parts) => {
        const once = sanitizeUntrusted(parts.join('')).text
        assert.equal(sanitizeUntrusted(once).text, once)
      }),
      { numRuns: 2_000 },
    )
  })

  it('is cut at its cap, and says so', () => {
    const result = sanitizeUntrusted('x'.repeat(20), { maxLength: 8 })
    assert.deepEqual(result, { untrusted: true, text: 'xxxxxxxx', removed: {}, truncated_from: 20 })
  })
})
