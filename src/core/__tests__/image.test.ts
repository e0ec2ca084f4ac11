/** Image references: what is pinned, in which normal form, and what is refused. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isFailure } from '../failure.js'
import { originOf, parsePinnedImage, parseRegistry, parseRepository } from '../image.js'

const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`

describe('parsePinnedImage [S14]', () => {
  const PINNED: [name: string, registry: string, repository: string, familiar: string][] = [
    ['hello-world', 'docker.io', 'library/hello-world', 'hello-world'],
    ['library/hello-world', 'docker.io', 'library/hello-world', 'hello-world'],
    ['docker.io/hello-world', 'docker.io', 'library/hello-world', 'hello-world'],
    ['docker.io/library/hello-world', 'docker.io', 'library/hello-world', 'hello-world'],
    ['index.docker.io/library/hello-world', 'docker.io', 'library/hello-world', 'hello-world'],
    ['DOCKER.IO/library/hello-world', 'docker.io', 'library/hello-world', 'hello-world'],
    ['me/tool', 'docker.io', 'me/tool', 'me/tool'],
    ['docker.io/me/library/tool', 'docker.io', 'me/library/tool', 'me/library/tool'],
    ['ghcr.io/Me'.toLowerCase(), 'ghcr.io', 'me', 'ghcr.io/me'],
    ['GHCR.io/me/tool', 'ghcr.io', 'me/tool', 'ghcr.io/me/tool'],
    ['ghcr.io/library/tool', 'ghcr.io', 'library/tool', 'ghcr.io/library/tool'],
    ['localhost/tool', 'localhost', 'tool', 'localhost/tool'],
    ['localhost:5000/a/b', 'localhost:5000', 'a/b', 'localhost:5000/a/b'],
    ['[::1]:5000/a', '[::1]:5000', 'a', '[::1]:5000/a'],
    ['10.0.0.1:80/a', '10.0.0.1:80', 'a', '10.0.0.1:80/a'],
    ['a_b/c__d/e.f/g---h', 'docker.io', 'a_b/c__d/e.f/g---h', 'a_b/c__d/e.f/g---h'],
  ]
  for (const [name, registry, repository, familiar] of PINNED) {
    it(`${name} is ${familiar} of ${registry}`, () => {
      const image = parsePinnedImage(`${name}@${DIGEST}`)
      const reference = `${familiar}@${DIGEST}`
      assert.deepEqual(image, { kind: 'digest', registry, repository, digest: DIGEST, reference })
      assert.deepEqual(parsePinnedImage(reference), image, 'the normal form is its own normal form')
    })
  }

  it('a local image id is itself', () => {
    assert.deepEqual(parsePinnedImage(DIGEST), { kind: 'id', digest: DIGEST, reference: DIGEST })
  })

  const hex = DIGEST.slice(7)
  const REFUSED: unknown[] = [
    ...['', '@', `@${DIGEST}`, 'hello-world', 'hello-world:latest', `hello-world:latest@${DIGEST}`, hex],
    ...[`ghcr.io/a:1@${DIGEST}`, `localhost:5000/a:1@${DIGEST}`, `a@${DIGEST}@${DIGEST}`, `a@b@${DIGEST}`],
    ...[`a@sha256:${hex.toUpperCase()}`, `a@SHA256:${hex}`, `a@sha256:${hex}0`, `a@sha256:${hex.slice(1)}`, `a@${hex}`],
    ...[`a@sha512:${hex}${hex}`, `a@md5:${'0'.repeat(32)}`, `sha256:${hex.toUpperCase()}`, `sha256:${hex}0`],
    ...[`A@${DIGEST}`, `a/B@${DIGEST}`, `a//b@${DIGEST}`, `/a@${DIGEST}`, `a/@${DIGEST}`, `ghcr.io/@${DIGEST}`],
    ...[
      `../a@${DIGEST}`,
      `a/..@${DIGEST}`,
      `./a@${DIGEST}`,
      `-a@${DIGEST}`,
      `a-@${DIGEST}`,
      `a..b@${DIGEST}`,
      `a___b@${DIGEST}`,
    ],
    ...[
      ` a@${DIGEST}`,
      `a@${DIGEST} `,
      `a@${DIGEST}\n`,
      `a\n@${DIGEST}`,
      `a b@${DIGEST}`,
      `a\0@${DIGEST}`,
      `é@${DIGEST}`,
    ],
    ...[`--privileged@${DIGEST}`, `a?x@${DIGEST}`, `a#x@${DIGEST}`, `a%2fb@${DIGEST}`, `https://a.b/c@${DIGEST}`],
    ...[
      `user:pw@a.b/c@${DIGEST}`,
      `a.b:port/c@${DIGEST}`,
      `a.b:123456/c@${DIGEST}`,
      `-a.b/c@${DIGEST}`,
      `[::1/a@${DIGEST}`,
    ],
    ...[`${'a'.repeat(256)}@${DIGEST}`, `${'a/'.repeat(200)}a@${DIGEST}`, 'x'.repeat(1_000_000)],
    ...[undefined, null, 7, true, [`a@${DIGEST}`], { reference: `a@${DIGEST}` }],
  ]
  for (const value of REFUSED) {
    it(`${JSON.stringify(value)?.replace(hex, '…').slice(0, 60)} is refused with the field named`, () => {
      assert.throws(
        () => parsePinnedImage(value),
        (error) => {
          assert.ok(isFailure(error))
          assert.deepEqual([error.code, error.details], ['INVALID_INPUT', { field: 'image' }])
          assert.match(error.message, /is not usable: .*Send repository@sha256/)
          assert.ok(error.message.length < 600)
          return true
        },
      )
    })
  }
})

describe('repositories and registries, by which a policy allows images [S14]', () => {
  const REPOSITORIES = [
    ['alpine', 'alpine'],
    ['docker.io/library/alpine', 'alpine'],
    ['index.docker.io/alpine', 'alpine'],
    ['me/tool', 'me/tool'],
    ['GHCR.io/acme/tool', 'ghcr.io/acme/tool'],
    ['localhost:5000/a', 'localhost:5000/a'],
  ] as const
  for (const [given, normal] of REPOSITORIES) {
    it(`${given} is ${normal}, as in a reference`, () => {
      assert.equal(parseRepository(given), normal)
      assert.equal(originOf(`${given}@${DIGEST}`)?.repository, normal)
    })
  }

  const NONE = [
    '',
    'a:1',
    'ghcr.io/a:1',
    `a@${DIGEST}`,
    'A',
    '../a',
    'a/',
    'a b',
    'a*',
    'ghcr.io/',
    'a'.repeat(256),
    7,
    null,
  ]
  for (const value of NONE) {
    it(`${JSON.stringify(value)?.slice(0, 40)} is no repository`, () => {
      assert.throws(
        () => parseRepository(value),
        (error) => isFailure(error) && error.code === 'INVALID_INPUT',
      )
    })
  }

  const REGISTRIES = [
    ['docker.io', 'docker.io'],
    ['index.docker.io', 'docker.io'],
    ['GHCR.IO', 'ghcr.io'],
    ['127.0.0.1:5000', '127.0.0.1:5000'],
    ['localhost', 'localhost'],
    ['[::1]:5000', '[::1]:5000'],
  ] as const
  for (const [given, normal] of REGISTRIES) {
    it(`${given} is ${normal}, as in a reference`, () => {
      assert.equal(parseRegistry(given), normal)
      assert.equal(originOf(`${given}/a@${DIGEST}`)?.registry, normal)
    })
  }

  for (const value of [
    '',
    'ghcr',
    'a/b',
    'ghcr.io/',
    'https://ghcr.io',
    '*.io',
    '.',
    'a..b',
    'ghcr.io:x',
    'ghcr.io\n',
    7,
  ]) {
    it(`${JSON.stringify(value)} is no registry`, () => {
      assert.throws(
        () => parseRegistry(value),
        (error) => isFailure(error) && error.code === 'INVALID_INPUT',
      )
    })
  }

  it('an image id comes from nowhere', () => assert.equal(originOf(DIGEST), undefined))
})
