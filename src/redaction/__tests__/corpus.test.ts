/** The corpora against the engine, with the figures that docs/redaction.md names as bounds. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createRedactor } from '../redactor.js'
import { CATEGORY_COUNT, negatives } from './corpus/negatives.js'
import { positives } from './corpus/positives.js'
import { createRandom } from './corpus/random.js'
import { scoreNegatives, scorePositives } from './corpus/score.js'

const redactor = createRedactor()

describe('corpora [S11]', () => {
  for (const seed of [1, 2, 3]) {
    const cases = positives(seed)
    for (const [kind, least] of [
      ['named', 0.99],
      ['provider', 0.995],
      ['other', 0.97],
    ] as const) {
      it(`${kind} secrets are found, seed ${seed}`, () => {
        const { total, found, partial, missed } = scorePositives(
          cases.filter((item) => item.kind === kind),
          redactor.text,
        )
        assert.ok(total > 1_500)
        assert.ok(found / total >= least, `${found} of ${total}: ${[...missed.values()].flat().slice(0, 5).join('\n')}`)
        assert.equal(partial, 0)
      })
    }

    it(`harmless lines stay as they are, seed ${seed}`, () => {
      const { total, unchanged, changed } = scoreNegatives(negatives(seed), redactor.text)
      assert.ok(unchanged / total >= 0.99, [...changed.values()].flat().slice(0, 9).join('\n'))
    })
  }

  it('hold 150 families and 25 categories', () => {
    assert.ok(new Set(positives(1).map(({ family }) => family)).size >= 150)
    assert.ok(CATEGORY_COUNT >= 25)
  })

  it('the score tells a redactor that does nothing', () => {
    const { found } = scorePositives(positives(1), (text) => text)
    assert.equal(found, 0)
    assert.equal(scoreNegatives(negatives(1), (text) => `${text}!`).unchanged, 0)
  })
})

describe('an inspected container [S11]', () => {
  const random = createRandom(11)
  for (let round = 0; round < 20; round++) {
    it(`loses its secrets and nothing else, ${round}`, () => {
      const secrets = Array.from(
        { length: 8 },
        () => `${random.chars('abcdefghkmnpqrstuvwxyzABCDEFGH', 12)}${random.below(90) + 10}`,
      )
      const [password, token, label, argument, auth, pair, embedded, url] = secrets
      const container = (shown: (secret: string | undefined, rule: string) => string | undefined) => ({
        Id: 'f0'.repeat(32),
        Image: `sha256:${'a1'.repeat(32)}`,
        Config: {
          Env: [
            `DB_PASSWORD=${shown(password, 'password')}`,
            `GITHUB_TOKEN=${shown(token, 'secret')}`,
            `DATABASE_URL=postgres://app:${shown(url, 'url-password')}@db/app`,
            'PATH=/usr/local/bin:/usr/bin',
            'GPG_KEY=E3FF2839C048B25C084DEBE9B26995E310250568',
            'POSTGRES_PASSWORD_FILE=/run/secrets/db',
            'NODE_VERSION=20.11.1',
          ],
          Cmd: ['server', '--password', shown(argument, 'password'), '--port', '80'],
          Labels: {
            'com.example.api-key': shown(label, 'secret'),
            'org.opencontainers.image.revision': 'ab'.repeat(20),
          },
        },
        auths: { 'r.example': { auth: shown(auth, 'secret') } },
        env: [
          { name: 'SMTP_PASSWORD', value: shown(pair, 'password') },
          { name: 'LANG', value: 'C.UTF-8' },
        ],
        note: JSON.stringify({ password: shown(embedded, 'password'), n: 1 }),
        HostConfig: { Memory: 0, SecurityOpt: ['no-new-privileges'], PidsLimit: null },
      })
      assert.deepEqual(
        redactor.value(container((secret) => secret)),
        container((_secret, rule) => `[REDACTED:${rule}]`),
      )
    })
  }
})

describe('registered values [S11]', () => {
  const SECRETS = ['correct-horse-battery', 'p&ss "w<rd>\'s\\ /x', 'Zażółć gęślą jaźń', '0123456789abcdef', 'eight888']
  const json = (text: string): string => JSON.stringify(text).slice(1, -1)
  const xml = (text: string): string =>
    text
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('"', '&quot;')
      .replaceAll("'", '&apos;')
  const hex = (text: string): string => Buffer.from(text).toString('hex')
  const base64 = (text: string): string => Buffer.from(text).toString('base64')
  const ENCODINGS: Record<string, (secret: string) => string> = {
    raw: (secret) => secret,
    json,
    'json twice': (secret) => json(json(secret)),
    url: encodeURIComponent,
    form: (secret) => new URLSearchParams({ x: secret }).toString().slice(2),
    hex,
    HEX: (secret) => hex(secret).toUpperCase(),
    xml,
    base64,
    base64url: (secret) => Buffer.from(secret).toString('base64url'),
    'base64 behind one byte': (secret) => base64(`:${secret}`).slice(2),
    'base64 behind two bytes': (secret) => base64(`u:${secret}`).slice(3),
    'base64 within': (secret) => base64(`user:${secret}:more`).slice(7, -6),
  }
  const registered = createRedactor({ registered: SECRETS })
  for (const [encoding, encode] of Object.entries(ENCODINGS)) {
    it(`go as ${encoding}, whole and in pieces`, () => {
      for (const secret of SECRETS) {
        const written = encode(secret)
        const text = `before ${written} behind\nnext ${written}`
        const output = registered.text(text)
        assert.ok(!output.includes(written), output)
        for (let at = 0; at + 6 <= written.length; at++) {
          const part = written.slice(at, at + 6)
          assert.ok(
            !output.includes(part) || `before  behind next [REDACTED:registered]`.includes(part),
            `${part} is left of ${written}: ${output}`,
          )
        }
        for (const size of [1, 3, 7]) {
          const stream = registered.stream()
          let streamed = ''
          for (let at = 0; at < text.length; at += size) streamed += stream.push(text.slice(at, at + size))
          assert.equal(streamed + stream.end(), output)
        }
      }
    })
  }

  it('shorter than eight characters are left', () => {
    assert.equal(createRedactor({ registered: ['seven77'] }).text('a seven77 b'), 'a seven77 b')
  })
})

describe('options and findings', () => {
  it('findings count rules and hold no value', () => {
    const own = createRedactor({ registered: ['correct-horse-battery'] })
    own.text(`password=hunter2 password=hunter3 correct-horse-battery ghp_${'aB3'.repeat(12)}`)
    assert.deepEqual(own.findings(), [
      { rule: 'registered', count: 1 },
      { rule: 'password', count: 2 },
      { rule: 'github-token', count: 1 },
    ])
  })

  it('a rule of the host is applied', () => {
    const own = createRedactor({ rules: [{ id: 'acme', word: 'acme-', pattern: /acme-\d{6}/ }] })
    assert.equal(own.text('x ACME- acme-123456 y'), 'x ACME- [REDACTED:acme] y')
  })

  it('names of the host are secret, or harmless', () => {
    const own = createRedactor({ keys: { secret: ['kundennummer'], harmless: ['token'] } })
    assert.equal(own.text('kundennummer=4711 token=abcdef123'), 'kundennummer=[REDACTED:password] token=abcdef123')
    assert.deepEqual(own.value({ Kundennummer: 'x1', token: 'abcdef123' }), {
      Kundennummer: '[REDACTED:password]',
      token: 'abcdef123',
    })
  })

  it('a text above the limit is withheld', () => {
    assert.match(createRedactor({ limits: { maxLength: 10 } }).text('x'.repeat(11)), /^\[withheld/)
  })

  it('errors and maps are walked', () => {
    const cleaned = JSON.stringify(
      redactor.value({
        error: new Error('password=hunter2', { cause: new Error('token=abc123def') }),
        map: new Map([['password', 'hunter2']]),
      }),
    )
    assert.ok(!/hunter2|abc123def/.test(cleaned) && cleaned.includes('stack'), cleaned)
  })
})
