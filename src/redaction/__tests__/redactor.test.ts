/** What the redactor recognises, what it leaves alone. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { createRedactor } from '../redactor.js'

const REDACTED = '[REDACTED]'
const redactor = createRedactor({
  registered: ['correct-horse-battery', 'short', 'with "quotes"\nand lines'],
  placeholder: 'plain',
})
const x = (length: number): string => 'aB3'.repeat(length).slice(0, length)

/** In each, the part between « and » is the secret. */
const SECRETS = [
  `id «AKIA${'A1'.repeat(8)}» used`,
  `«ghp_${x(36)}» «gho_${x(36)}» «ghu_${x(36)}» «ghs_${x(36)}» «ghr_${x(36)}»`,
  `«github_pat_${x(60)}»`,
  `«glpat-${x(20)}» and «glrt-${x(20)}» and «glagent-${x(30)}»`,
  `«xoxb-${x(30)}» «xoxp-${x(30)}» «xapp-1-${x(30)}»`,
  `«sk-${x(40)}» «sk-ant-${x(40)}» «sk-proj-${x(40)}»`,
  `«sk_live_${x(24)}» «rk_test_${x(24)}» «whsec_${x(24)}»`,
  `«AIza${x(35)}»`,
  `«ya29.${x(40)}»`,
  `«npm_${x(36)}»`,
  `«pypi-${x(60)}»`,
  `«dckr_pat_${x(27)}»`,
  `«hf_${x(34)}»`,
  `«SG.${x(22)}.${x(43)}»`,
  `«hvs.${x(24)}»`,
  `«dop_v1_${'ab'.repeat(32)}»`,
  `«eyJ${x(20)}.eyJ${x(40)}.${x(43)}»`,
  `«https://hooks.slack.com/services/T000/B000/${x(24)}»`,
  'postgres://app:«s3cret»@db:5432/app',
  'redis://:«s3cret»@cache:6379',
  'https://user:«p%40ss»@example.com/path',
  'Authorization: «Bearer abcdef»',
  'authorization: «Basic dXNlcjpwYXNz»',
  'Proxy-Authorization: «abcdef»',
  '"X-Registry-Auth": "«eyabc123»"',
  'x-api-key: «abcdef»',
  `bearer «${x(20)}»`,
  `said: SSWS «00HF_${x(37)}»`,
  'Cookie: «sid=abc; theme=dark»',
  'Set-Cookie: «sid=abc; HttpOnly»',
  'mysql --password «hunter2» -h db',
  'mysql --password=«hunter2» -h db',
  'tool -token «abc» --api-key «def»',
  `-----before\n«-----BEGIN RSA PRIVATE KEY-----\n${x(64)}\n${x(64)}\n-----END RSA PRIVATE KEY-----»\nafter`,
  `«-----BEGIN OPENSSH PRIVATE KEY-----\\n${x(64)}\\n-----END OPENSSH PRIVATE KEY-----»`,
  `api-1  | «-----BEGIN RSA PRIVATE KEY-----\napi-1  | Proc-Type: 4,ENCRYPTED\napi-1  | \napi-1  | ${x(64)}\napi-1  | -----END RSA PRIVATE KEY-----»\napi-1  | up`,
  `\u001b[33mweb | \u001b[0m«-----BEGIN PRIVATE KEY-----\n\u001b[33mweb | \u001b[0m${x(64)}»\n\u001b[33mweb | \u001b[0mup on 80`,
  `+«-----BEGIN PGP PRIVATE KEY BLOCK-----\n+Version: GnuPG v2\n+\n+${x(64)}\n+-----END PGP PRIVATE KEY BLOCK-----»\n context`,
  `a=«-----BEGIN%20EC%20PRIVATE%20KEY-----%0A${x(64)}%0A${x(30)}%2Fw%3D%3D%0A-----END%20EC%20PRIVATE%20KEY-----»%0A&n=1`,
  `$ tail -n 3 key\n«${x(64)}\n${x(22)}==\n-----END PRIVATE KEY-----»\n$ `,
  `web | «${x(22)}==\nweb | -----END OPENSSH PRIVATE KEY-----»\nweb | up`,
  `{"d":"«${x(43)}»","crv":"P-256","kty":"EC"}`,
  `{"msg":"{\\"kty\\":\\"oct\\",\\"k\\":\\"«${x(22)}»\\"}"}`,
  `next=https%3A%2F%2Fhooks.slack.com%2Fservices%2F«T000%2FB000%2F${x(24)}»&lang=en`,
  `u=%3A%2F%2Fh%2Fa%3FX-Amz-Date%3D2026%26X-Amz-Signature%3D«${'0a'.repeat(32)}»%26b%3D1`,
  `next=https%3A%2F%2F«${x(36)}»%40example.com%2Fapp.git&lang=en`,
  'PASSWORD=«hunter2»',
  'DB_PASSWORD=«hunter2» USER=app',
  'password: «hunter2»',
  'password = «hunter2»;',
  `password='«hunter two»' next`,
  'password="«hun\\"ter»" next',
  '{"password":"«hunter2»","user":"app"}',
  '{\\"api_key\\":\\"«abc»\\"}',
  '{"clientSecret": "«abc»", "accessToken": "«def»"}',
  'apiKey=«abc»&page=2',
  'https://example.com/?token=«abc»&page=2',
  'secret: «abc», name: x',
  'AWS_SECRET_ACCESS_KEY=«wJalr/K7+bPx»',
  'passphrase=«abc» PGPASSWORD=«def» sshpass=«x» my.secret.key=«ghi»',
  'private_key=«abc» signing-key=«def» credentials=«ghi» jwt=«jkl» otp=«123456» pat=«mno» pwd=«pqr»',
  'githubTokenValue=«abc» sessionKey=«def» encryptionKey=«ghi»',
  'before «correct-horse-battery» after «correct-horse-battery»',
  'json "«with \\"quotes\\"\\nand lines»" and url «with%20%22quotes%22%0Aand%20lines»',
]

/** Texts that look a little like secrets and are none. */
const HARMLESS = [
  '',
  'Containers (3 results, all=false)\n\n1. my-app [running]',
  'Logs for container x (tail=100, timestamps=true)',
  'Container x stopped successfully (timeout=10s).',
  'Unknown action "exec" (string). Valid actions: list_containers, get_container.',
  'image is not valid: it is not pinned to a digest, got "hello-world:latest" (string).',
  `hello-world@sha256:${'0a'.repeat(32)}`,
  `ghcr.io/me/tool@sha256:${'0a'.repeat(32)}`,
  'TOKEN_URL=https://example.com/token max_tokens=100 token_count: 7 PASSWORD_FILE=/run/secrets/db',
  'secret_name=db password_policy: strict key=value keyboard: us monkey=1 passenger=2 author: me',
  'tokenizer=fast compass: north bypass=1 path=/usr/bin patch: 1 pattern=x',
  'PWD=/home/app',
  'see https://example.com/a:b@c and http://localhost:8080/x',
  'git@github.com:me/repo.git',
  'the password is required',
  'Bearer of bad news; basic needs',
  'sk-short ghp_short AKIA eyJ npm_x glpat-x SG.a.b',
  'risk-free, task-force, disk-usage-of-a-quite-long-container-name',
  '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----',
  `$ tail -n 2 cert\n${x(64)}\n${x(22)}==\n-----END CERTIFICATE-----`,
  `${x(64)}\n-----END PUBLIC KEY-----`,
  `{"kty":"EC","crv":"P-256","x":"${x(43)}","y":"${x(43)}"}`,
  'next=https%3A%2F%2Fhooks.slack.com%2Fdocs&design%3Da1&sig%3Dnone',
  'CPU: 2.5%\nMemory: 256MB\nPIDs: 4',
  'short is a registered value of too few characters to be one',
]

describe('texts [S11]', () => {
  for (const marked of SECRETS) {
    it(`${JSON.stringify(marked).slice(0, 60)} loses its secret and nothing else`, () => {
      const given = marked.replaceAll(/[«»]/g, '')
      assert.equal(redactor.text(given), marked.replaceAll(/«[^»]*»/g, REDACTED))
      assert.equal(redactor.text(`${'filler '.repeat(500)}${given}`).endsWith(redactor.text(given)), true)
    })
  }
  for (const text of HARMLESS) {
    it(`${JSON.stringify(text).slice(0, 60)} stays as it is`, () => assert.equal(redactor.text(text), text))
  }

  it('five thousand registered secrets are removed like one', () => {
    const many = Array.from({ length: 5_000 }, (_, index) => createHash('sha256').update(`${index}`).digest('base64'))
    const all = createRedactor({ registered: many, placeholder: 'plain' })
    assert.equal(all.text(many.join(' ')), many.map(() => '[REDACTED]').join(' '))
  })

  it('of two registered secrets that begin alike the longer goes whole', () => {
    const both = createRedactor({ registered: ['shared-part', 'shared-part-and-more'], placeholder: 'plain' })
    assert.equal(both.text('a shared-part-and-more b shared-part c'), `a ${REDACTED} b ${REDACTED} c`)
  })

  it('an image digest is no secret, whatever its digits', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[0-9a-f]{64}$/), (hex) => {
        const text = `"repo@sha256:${hex}" sha256:${hex} ${hex.slice(0, 12)}`
        assert.equal(redactor.text(text), text)
      }),
    )
  })

  const fragments = [...SECRETS.map((text) => text.replaceAll(/[«»]/g, '')), ...HARMLESS, REDACTED, '=', ': ', '"', "'"]
  // Where several values run into one another on a line, a second pass may take more: see docs/redaction.md.
  it('redacting twice is redacting once, line by line', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...fragments), { maxLength: 8 }), (lines) => {
        const once = redactor.text(lines.join('\n'))
        assert.equal(redactor.text(once), once)
      }),
      { numRuns: 2_000 },
    )
  })

  it('a secret is found wherever it stands in a text of lines', () => {
    const secret = `ghp_${x(36)}`
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...HARMLESS)), fc.nat(), (lines, at) => {
        const text = lines.toSpliced(at % (lines.length + 1), 0, secret, 'DB_PASSWORD=hunter2').join('\n')
        const clean = redactor.text(text)
        assert.ok(!clean.includes(secret) && !clean.includes('hunter2'))
      }),
    )
  })
})

describe('values [S11]', () => {
  const ROWS: [what: string, given: unknown, expected: unknown][] = [
    ['a secret key', { password: 'a', user: 'b' }, { password: REDACTED, user: 'b' }],
    ['a number under one', { otp: 123456 }, { otp: REDACTED }],
    ['an empty one', { password: '', token: null, secret: false }, { password: '', token: null, secret: false }],
    [
      'a list under one',
      { secrets: ['a', 'b', 7, { name: 'c' }] },
      { secrets: [REDACTED, REDACTED, 7, { name: 'c' }] },
    ],
    ['an object under one', { auth: { user: 'a', password: 'b' } }, { auth: { user: 'a', password: REDACTED } }],
    ['strings anywhere', { a: [{ b: `x ghp_${x(36)}` }] }, { a: [{ b: `x ${REDACTED}` }] }],
    [
      'an environment list',
      { Env: ['DB_PASSWORD=a b c', 'PATH=/bin'] },
      { Env: [`DB_PASSWORD=${REDACTED}`, 'PATH=/bin'] },
    ],
    [
      'a command of a shell',
      { Cmd: ['sh', '-c', 'PGPASSWORD=hunter2 psql -h db'] },
      { Cmd: ['sh', '-c', `PGPASSWORD=${REDACTED} psql -h db`] },
    ],
    ['an environment object', { env: { API_KEY: 'a', HOME: '/' } }, { env: { API_KEY: REDACTED, HOME: '/' } }],
    [
      'the value after a flag',
      ['mysql', '--password', 'a b', '-h', 'db'],
      ['mysql', '--password', REDACTED, '-h', 'db'],
    ],
    ['the value in a flag', ['--token=abc', '--tail=5'], [`--token=${REDACTED}`, '--tail=5']],
    ['a harmless flag', ['--token-file', '/run/x', '--tail', '5'], ['--token-file', '/run/x', '--tail', '5']],
    ['a secret in a key', { [`ghp_${x(36)}`]: 1 }, { [REDACTED]: 1 }],
    ['labels', { labels: { 'com.example.password': 'a' } }, { labels: { 'com.example.password': REDACTED } }],
    [
      'what is no JSON',
      { a: undefined, b: () => 1, c: 5n, d: Number.NaN, e: [undefined] },
      { c: '5', d: null, e: [null] },
    ],
    ['dates', { at: new Date(0), bad: new Date(Number.NaN) }, { at: '1970-01-01T00:00:00.000Z', bad: null }],
    ['keys that plain data never has', JSON.parse('{"__proto__": {"a": 1}}'), { '(__proto__)': { a: 1 } }],
    ['members under symbols', { a: 'b', [Symbol('x')]: 'password=hunter2' }, { a: 'b' }],
    ['a plain value', 7, 7],
  ]
  for (const [what, given, expected] of ROWS) {
    it(`${what}`, () => {
      assert.deepEqual(redactor.value(given), expected)
      assert.deepEqual(redactor.value(redactor.value(given)), expected, 'twice is once')
    })
  }

  it('a member is read once', () => {
    let reads = 0
    const given = {
      get note() {
        reads += 1
        return reads === 1 ? 'fine' : 'password=hunter2'
      },
    }
    assert.deepEqual(redactor.value(given), { note: 'fine' })
    assert.equal(reads, 1)
  })

  it('what it is given is not changed', () => {
    const given = { password: 'a', list: ['token=b'] }
    redactor.value(given)
    assert.deepEqual(given, { password: 'a', list: ['token=b'] })
  })

  it('what is nested too deep is withheld, and nothing beside it', () => {
    for (const wrap of [(nested: unknown) => ({ nested }), (nested: unknown) => [nested]]) {
      for (const inner of [['password=x'], { a: ['x'] }, { kind: 'SecretList', items: ['x'] }, { password: ['x'] }]) {
        for (let levels = 18; levels < 28; levels++) {
          let deep: unknown = inner
          for (let level = 0; level < levels; level++) deep = wrap(deep)
          const cleaned = redactor.value({ name: 'web', deep }) as Record<string, unknown>
          assert.equal(cleaned.name, 'web')
          assert.match(JSON.stringify(cleaned), /withheld|REDACTED|"x"/)
          assert.doesNotMatch(JSON.stringify(cleaned), /password=x/)
        }
      }
    }
  })

  it('never throws and always ends, and what cannot be checked is withheld', () => {
    const trap = () => {
      throw new Error('a trap was sprung')
    }
    const circle: Record<string, unknown> = { name: 'x' }
    circle.self = circle
    const bomb: unknown[] = []
    let layer: unknown = ['x', 'x', 'x', 'x']
    for (let depth = 0; depth < 20; depth++) layer = [layer, layer, layer, layer]
    bomb.push(layer)
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    for (const hostile of [
      bomb,
      proxy,
      new Proxy({}, { ownKeys: trap }),
      {
        get password() {
          return trap()
        },
      },
    ]) {
      assert.match(String(redactor.value(hostile)), /^\[withheld/)
    }
    assert.match(JSON.stringify(redactor.value(circle)), /withheld/)
    for (const wrong of [7, null, undefined, {}])
      assert.equal(typeof redactor.text(wrong as unknown as string), 'string')
  })
})
