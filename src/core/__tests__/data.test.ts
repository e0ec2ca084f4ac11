/** Plain data: what is refused, that it is read once, and its one canonical form. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { canonical, type Data, parseData, parseObject, sha256 } from '../data.js'
import type { Failure } from '../failure.js'

const refusalOf = (work: () => unknown): Failure => {
  try {
    work()
  } catch (error) {
    return error as Failure
  }
  throw new assert.AssertionError({ message: 'nothing was refused' })
}

describe('canonical JSON', () => {
  // Source: RFC 8785, section 3.2.3 (sorting) and 3.2.2 (literals, strings, numbers), and its appendix B (numbers).
  it("writes RFC 8785's example of literals, strings and numbers", () => {
    const input = JSON.parse(
      '{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/","literals":[null,true,false]}',
    )
    const expected =
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    assert.equal(canonical(input), expected)
  })

  it("sorts RFC 8785's example by UTF-16 code units", () => {
    const input = {
      '\u20ac': 'Euro Sign',
      '\r': 'Carriage Return',
      '\ufb33': 'Hebrew Letter Dalet With Dagesh',
      '1': 'One',
      '\u{1f600}': 'Emoji: Grinning Face',
      '\u0080': 'Control',
      '\u00f6': 'Latin Small Letter O With Diaeresis',
    }
    const order = [...canonical(input).matchAll(/:"(.*?)"/g)].map(([, value]) => value)
    assert.deepEqual(order, [
      'Carriage Return',
      'One',
      'Control',
      'Latin Small Letter O With Diaeresis',
      'Euro Sign',
      'Emoji: Grinning Face',
      'Hebrew Letter Dalet With Dagesh',
    ])
  })

  const NUMBERS: [bits: string, text: string][] = [
    ['0000000000000000', '0'],
    ['8000000000000000', '0'],
    ['0000000000000001', '5e-324'],
    ['8000000000000001', '-5e-324'],
    ['7fefffffffffffff', '1.7976931348623157e+308'],
    ['ffefffffffffffff', '-1.7976931348623157e+308'],
    ['4340000000000000', '9007199254740992'],
    ['c340000000000000', '-9007199254740992'],
    ['4430000000000000', '295147905179352830000'],
    ['44b52d02c7e14af5', '9.999999999999997e+22'],
    ['44b52d02c7e14af6', '1e+23'],
    ['44b52d02c7e14af7', '1.0000000000000001e+23'],
    ['444b1ae4d6e2ef4e', '999999999999999700000'],
    ['444b1ae4d6e2ef4f', '999999999999999900000'],
    ['444b1ae4d6e2ef50', '1e+21'],
    ['3eb0c6f7a0b5ed8c', '9.999999999999997e-7'],
    ['3eb0c6f7a0b5ed8d', '0.000001'],
    ['41b3de4355555553', '333333333.3333332'],
    ['41b3de4355555554', '333333333.33333325'],
    ['41b3de4355555555', '333333333.3333333'],
    ['41b3de4355555556', '333333333.3333334'],
    ['41b3de4355555557', '333333333.33333343'],
    ['becbf647612f3696', '-0.0000033333333333333333'],
    ['43143ff3c1cb0959', '1424953923781206.2'],
  ]
  for (const [bits, text] of NUMBERS) {
    it(`writes the number 0x${bits} of RFC 8785, appendix B, as ${text}`, () => {
      assert.equal(canonical(Buffer.from(bits, 'hex').readDoubleBE()), text)
    })
  }

  it('does not depend on the order of members, and reads back as what it was', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const data = JSON.parse(JSON.stringify(value)) as Data
        const text = canonical(data)
        assert.deepEqual(JSON.parse(text), data)
        assert.equal(canonical(reversed(data)), text)
      }),
    )
  })

  it('hashes the UTF-8 bytes', () => {
    const expected = createHash('sha256').update(Buffer.from('é漢\u{1f600}x')).digest('hex')
    assert.equal(sha256('é漢\u{1f600}x'), expected)
  })
})

function reversed(data: Data): Data {
  if (Array.isArray(data)) return data.map(reversed)
  if (typeof data !== 'object' || data === null) return data
  return Object.fromEntries(
    Object.entries(data)
      .toReversed()
      .map(([key, member]) => [key, reversed(member)]),
  )
}

function nested(levels: number, wrap: (inner: unknown) => unknown): unknown {
  let value: unknown = 1
  for (let level = 0; level < levels; level++) value = wrap(value)
  return value
}

describe('parseData', () => {
  it('copies and freezes what it is given', () => {
    const given = { list: [1, { text: 'a', none: undefined }], bare: Object.create(null) }
    const data = parseData(given) as { list: [number, object]; bare: object }
    assert.deepEqual(data, { list: [1, { text: 'a' }], bare: {} })
    for (const part of [data, data.list, data.list[1], data.bare]) assert.ok(Object.isFrozen(part))
    given.list.push(2)
    assert.equal(data.list.length, 2)
  })

  it('makes strings and keys well-formed Unicode', () => {
    assert.deepEqual(parseData({ '\ud800': 'a\udfff' }), { '\ufffd': 'a\ufffd' })
  })

  it('keeps what is plain JSON as it is', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
        const text = JSON.stringify(value)
        if (/"(__proto__|constructor|prototype)":/.test(text)) return
        assert.equal(canonical(parseData(JSON.parse(text))), canonical(JSON.parse(text.toWellFormed())))
      }),
    )
  })

  class Point {
    x = 1
  }
  const REFUSED: [what: string, value: unknown, field: string][] = [
    ['undefined', undefined, 'value'],
    ['a function', { a: { b: () => 1 } }, 'value.a.b'],
    ['a symbol', [Symbol('x')], 'value[0]'],
    ['a bigint', { big: 1n }, 'value.big'],
    ['NaN', { list: [0, Number.NaN] }, 'value.list[1]'],
    ['Infinity', Number.POSITIVE_INFINITY, 'value'],
    ['a hole in a list', Array(2), 'value[0]'],
    ['a Date', { at: new Date() }, 'value.at'],
    ['a Map', { map: new Map() }, 'value.map'],
    ['an instance of a class', { point: new Point() }, 'value.point'],
    ['an object that inherits members', Object.create({ admin: true }), 'value'],
    ['__proto__', JSON.parse('{"a":{"__proto__":{"x":1}}}'), 'value.a'],
    ['constructor', { constructor: 1 }, 'value'],
    ['prototype', { list: [{ prototype: 1 }] }, 'value.list[0]'],
    ['33 levels of objects', nested(33, (a) => ({ a })), `value${'.a'.repeat(32)}`],
    ['33 levels of lists', nested(33, (a) => [a]), `value${'[0]'.repeat(32)}`],
    ['more than 100 000 values', Array(100_001).fill(0), 'value'],
    ['a list that claims a huge length', Object.assign([], { length: 2 ** 32 - 1 }), 'value'],
  ]
  for (const [what, value, field] of REFUSED) {
    it(`refuses ${what} and names ${field.slice(0, 40)}`, () => {
      const { code, details } = refusalOf(() => parseData(value))
      assert.equal(code, 'INVALID_INPUT')
      assert.equal(details?.field, field)
    })
  }

  it('accepts 32 levels and 100 000 values', () => {
    parseData(nested(32, (a) => ({ a })))
    parseData(Array(99_999).fill(0))
  })

  it('refuses what refers to itself instead of going round for ever', () => {
    const circle: Record<string, unknown> = {}
    circle.self = circle
    assert.equal(refusalOf(() => parseData(circle)).code, 'INVALID_INPUT')
  })

  it('reads every property once, so that nothing can be swapped after it was read', () => {
    const reads = new Map<PropertyKey, number>()
    const counted = (target: object) =>
      new Proxy(target, {
        get(object, key, receiver) {
          reads.set(key, (reads.get(key) ?? 0) + 1)
          return Reflect.get(object, key, receiver)
        },
      })
    let turn = 0
    const given = {
      inner: counted({ a: 1 }),
      list: counted([7, 8]),
      get flips() {
        return ++turn
      },
    }
    assert.deepEqual(parseData(given), { inner: { a: 1 }, list: [7, 8], flips: 1 })
    assert.equal(turn, 1)
    assert.deepEqual(Object.fromEntries(reads), { a: 1, 0: 1, 1: 1, length: 1 })
  })

  it('turns whatever a getter or a proxy throws into a refusal', () => {
    const trap = () => {
      throw hostile
    }
    const hostile: object = new Proxy({}, { getPrototypeOf: trap, ownKeys: trap, get: trap })
    const { proxy, revoke } = Proxy.revocable([], {})
    revoke()
    for (const value of [
      hostile,
      proxy,
      { inner: hostile },
      Object.defineProperty({}, 'x', { get: trap, enumerable: true }),
    ]) {
      assert.equal(refusalOf(() => parseData(value)).code, 'INVALID_INPUT')
      assert.equal(refusalOf(() => parseObject(value, 'params')).code, 'INVALID_INPUT')
    }
  })
})

describe('parseObject', () => {
  for (const value of [undefined, null, 1, 'x', true, [], [1]]) {
    it(`refuses ${JSON.stringify(value)} by the given name`, () => {
      const { code, details, message } = refusalOf(() => parseObject(value, 'policy'))
      assert.deepEqual([code, details], ['INVALID_INPUT', { field: 'policy' }])
      assert.match(message, /^policy must be an object, got /)
    })
  }
})
