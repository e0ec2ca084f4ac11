/** The gateway's client is a provider: the suite on one side, the engine only behind the gateway. */
import { openFixture } from '../../docker/__tests__/engine-fixture.js'
import { createFakeEngine, testProvider } from '../../testing/index.js'
import type { ProviderFixture } from '../../testing/provider-suite.js'
import { openGateway } from './gateway-fixture.js'

async function behindGateway(fixture: ProviderFixture): Promise<ProviderFixture> {
  const gateway = await openGateway(fixture.provider)
  const close = async () => {
    await gateway.close()
    await fixture.close()
  }
  // `recorded` does not cross a gateway, so there is nothing for a successor to collect.
  const { successor: _, ...rest } = fixture
  return { ...rest, provider: gateway.client, close }
}

testProvider('a gateway before the fake engine', {
  async open() {
    const pullable = `127.0.0.1:5000/suite@sha256:${'c'.repeat(64)}`
    const fake = await createFakeEngine({ registry: [{ reference: pullable }] })
    const given = { pullable, networks: { internal: 'suite-internal', open: 'suite-open' } }
    return behindGateway(await openFixture({ host: fake.host, image: fake.image, given, close: fake.close }))
  },
})

const {
  SKILLGATE_TEST_DOCKER: host,
  SKILLGATE_TEST_IMAGE: image,
  SKILLGATE_TEST_REGISTRY: registry,
  REQUIRE_LIVE,
} = process.env
const missing = host && image ? undefined : 'SKILLGATE_TEST_DOCKER and SKILLGATE_TEST_IMAGE are not both set'
if (missing) console.log(`# A gateway before a Docker Engine is not tested: ${missing}`)
if (missing && REQUIRE_LIVE === '1') throw new Error(missing)
testProvider('a gateway before a Docker Engine', {
  skip: missing,
  open: async () => behindGateway(await openFixture({ host: host ?? '', image: image ?? '', registry })),
})
