/** Engines behind ssh: the provider suite through a program named ssh, and through the real one with an sshd of its own. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, it, test } from 'node:test'
import { type Failure, isFailure } from '../../core/failure.js'
import { createFakeEngine, type FakeEngine, testProvider } from '../../testing/index.js'
import type { ProviderFixture } from '../../testing/provider-suite.js'
import { createDockerProvider } from '../index.js'
import { type EngineUnderTest, openFixture } from './engine-fixture.js'
import { realSsh, type SshUnderTest, standInSsh, whyNoSshd } from './ssh-fixture.js'

/** The suite's containers are made on the engine's socket; the provider under test comes by ssh. */
async function behindSsh(ssh: SshUnderTest, engine: EngineUnderTest): Promise<ProviderFixture> {
  const fixture = await openFixture(engine)
  const provider = createDockerProvider({ host: ssh.host, env: {}, timeoutMs: 60_000 })
  const close = async () => {
    await provider.close()
    await fixture.close()
    await ssh.close()
  }
  // A successor collects what its own key made, and the fixture has another.
  const { successor: _, ...rest } = fixture
  return { ...rest, provider, close }
}

testProvider('the fake engine behind a stand-in for ssh', {
  async open() {
    const fake = await createFakeEngine()
    const given = { networks: { internal: 'suite-internal', open: 'suite-open' } }
    const ssh = standInSsh(fake.host.replace('unix://', ''))
    return behindSsh(ssh, { host: fake.host, image: fake.image, given, close: fake.close })
  },
})

const { SKILLGATE_TEST_DOCKER: host, SKILLGATE_TEST_IMAGE: image } = process.env
const missing = host && image ? whyNoSshd() : 'SKILLGATE_TEST_DOCKER and SKILLGATE_TEST_IMAGE are not both set'
if (missing) console.log(`# A Docker Engine behind sshd is not tested: ${missing}`)
testProvider('a Docker Engine behind sshd', {
  skip: missing,
  open: async () => behindSsh(await realSsh(host ?? ''), { host: host ?? '', image: image ?? '' }),
})

describe('a connection by ssh', () => {
  let engine: FakeEngine
  let ssh: SshUnderTest
  before(async () => {
    engine = await createFakeEngine()
    ssh = standInSsh(engine.host.replace('unix://', ''))
  })
  after(async () => {
    await ssh.close()
    await engine.close()
  })

  const started = () =>
    readFileSync(ssh.argumentsFile, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { pid: number; args: string[] })

  it('asks nobody, names the host behind --, and is used again', async () => {
    const provider = createDockerProvider({ host: ssh.host, env: {} })
    const { length } = readFileSync(ssh.argumentsFile, 'utf8')
    assert.equal(length, 0)
    for (let count = 0; count < 10; count++) await provider.request('GET', '/containers')
    await provider.close()
    const expected = [
      '-o',
      'BatchMode=yes',
      '-T',
      '-l',
      'me',
      '-p',
      '2222',
      '--',
      'engine.example',
      'docker',
      'system',
      'dial-stdio',
    ]
    for (const { args } of started()) assert.deepEqual(args, expected)
    assert.ok(started().length <= 3, `${started().length} connections for 10 requests`)
  })

  it('has ended when the provider is closed', async () => {
    const provider = createDockerProvider({ host: 'ssh://engine', env: {} })
    await provider.request('GET', '/containers')
    const pid = started().at(-1)?.pid ?? 0
    assert.ok(process.kill(pid, 0))
    await provider.close()
    assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
  })

  const failures: [name: string, failure: string, retriable: boolean, message: RegExp][] = [
    [
      'a host that does not answer',
      '255:ssh: connect to host engine port 22: Connection refused\r\n',
      true,
      /ssh:\/\/engine ended \(255\): ssh: connect to host engine port 22: Connection refused\. Try the same with ssh itself/,
    ],
    [
      'a key that is not taken',
      '255:me@engine: Permission denied (publickey).',
      true,
      /Permission denied \(publickey\)/,
    ],
    [
      'a host without docker',
      '127:sh: 1: docker: not found',
      false,
      /docker: not found\. The docker command must be installed there/,
    ],
    [
      'a user without the engine',
      '1:permission denied while trying to connect',
      false,
      /permission denied.*allowed to use the engine/,
    ],
    ['silence', '255:', true, /it said nothing/],
  ]
  for (const [name, failure, retriable, message] of failures) {
    it(`tells of ${name} in ssh’s words`, async (t) => {
      process.env.STAND_IN_FAILURE = failure
      const provider = createDockerProvider({ host: 'ssh://engine', env: {} })
      t.after(() => {
        delete process.env.STAND_IN_FAILURE
        return provider.close()
      })
      await assert.rejects(provider.request('GET', '/containers'), (error: Failure) => {
        assert.ok(isFailure(error))
        assert.deepEqual([error.code, error.retriable], ['UPSTREAM_ERROR', retriable])
        assert.match(error.message, message)
        return true
      })
    })
  }
})

test('without ssh a provider says what to install', async (t) => {
  const before = process.env.PATH
  process.env.PATH = '/nonexistent'
  const provider = createDockerProvider({ host: 'ssh://engine', env: {} })
  t.after(() => {
    process.env.PATH = before
    return provider.close()
  })
  await assert.rejects(
    provider.request('GET', '/containers'),
    /ssh could not be started.*ENOENT.*Install the OpenSSH client/,
  )
})
