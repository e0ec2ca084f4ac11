/** The Docker provider against the provider suite: on the fake always, on real engines where there are any. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createFakeEngine, testProvider } from '../../testing/index.js'
import { openFixture } from './engine-fixture.js'

for (const [name, options] of [
  ['the fake engine', {}],
  ['the fake engine, its bytes cut into fives', { chunkBytes: 5 }],
] as const) {
  testProvider(name, {
    async open() {
      const pullable = `127.0.0.1:5000/suite@sha256:${'c'.repeat(64)}`
      const fake = await createFakeEngine({ ...options, registry: [{ reference: pullable }] })
      const given = { pullable, networks: { internal: 'suite-internal', open: 'suite-open' } }
      return openFixture({ host: fake.host, image: fake.image, given, close: fake.close })
    },
  })
}

for (const [name, hostVariable, imageVariable] of [
  ['Docker Engine', 'SKILLGATE_TEST_DOCKER', 'SKILLGATE_TEST_IMAGE'],
  ['Podman', 'SKILLGATE_TEST_PODMAN', 'SKILLGATE_TEST_PODMAN_IMAGE'],
] as const) {
  const host = process.env[hostVariable]
  const image = process.env[imageVariable]
  const missing = host && image ? undefined : `${hostVariable} and ${imageVariable} are not both set`
  if (missing) console.log(`# ${name} is not tested: ${missing}`)
  if (missing && process.env.REQUIRE_LIVE === '1') {
    test(`${name} can be reached, because REQUIRE_LIVE=1`, () => assert.fail(missing))
  }
  const registry = process.env.SKILLGATE_TEST_REGISTRY
  if (!missing && !registry) console.log(`# Pulls of ${name} are not tested: SKILLGATE_TEST_REGISTRY is not set`)
  testProvider(name, { skip: missing, open: () => openFixture({ host: host ?? '', image: image ?? '', registry }) })
}
