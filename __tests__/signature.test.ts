/** `require_signature` from outside: what the engine is asked when an image is signed, when it is not, and when keys go. */
import assert from 'node:assert/strict'
import { generateKeyPairSync, sign } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { dockerRun } from '../skills/docker-run/handler.js'
import { createDockerProvider, type DockerProvider } from '../src/docker/index.js'
import { createGate, type Gate, type GateOptions, type RunDocument, type Store } from '../src/index.js'
import { createMemoryStore } from '../src/stores/memory.js'
import { createFakeEngine, type FakeEngine } from '../src/testing/index.js'
import { expect, startCli, stopCli, until } from './cli-process.js'

const RELEASE = generateKeyPairSync('ed25519')
const publicKeys = { release: RELEASE.publicKey.export({ type: 'spki', format: 'pem' }).toString() }

const digestOf = (image: string): string => image.replace(/^.*@/, '')
const signatureOf = (image: string): string =>
  sign(null, Buffer.from(digestOf(image)), RELEASE.privateKey).toString('base64')
const signedSkill = (image: string) => ({
  name: 'hello-world',
  version: '1.0',
  image,
  signature: signatureOf(image),
  public_key_id: 'release',
})
const policyFor = (image: string) => ({
  overrides: [{ tool: 'docker.run', allow: true, constraints: { images: [image], require_signature: true } }],
})
const messageFor = (image: string) => ({
  role: 'user' as const,
  content: '',
  intents: [{ tool: 'docker.run', params: { image, cmd: ['/ok'] } }],
})

describe('a policy that requires a signature [S23]', () => {
  let engine: FakeEngine
  let provider: DockerProvider
  before(async () => {
    engine = await createFakeEngine({ programs: [{ argv: ['/ok'], program: () => 0 }] })
    provider = createDockerProvider({ host: engine.host })
  })
  after(async () => {
    await provider.close()
    await engine.close()
  })

  const gateOn = (store: Store, keys: GateOptions['publicKeys'] = publicKeys): Gate =>
    createGate({ skills: [dockerRun], store, providerClient: provider, publicKeys: keys })

  async function runOn(gate: Gate, image = engine.image): Promise<RunDocument> {
    const session = await gate.createSession()
    await session.setPolicy(policyFor(image))
    return (await session.post(messageFor(image))).done()
  }

  async function assertRefused(gate: Gate, image = engine.image): Promise<void> {
    const asked = engine.requests.length
    const { status, reason } = await runOn(gate, image)
    assert.deepEqual([status, reason?.code], ['failed', 'SIGNATURE_INVALID'], reason?.message)
    assert.equal(engine.requests.length, asked, 'the engine is asked nothing')
  }

  it('runs the image of a signed skill', async () => {
    const gate = gateOn(createMemoryStore())
    await gate.registerSkill(signedSkill(engine.image))
    const { status, reason } = await runOn(gate)
    assert.equal(status, 'completed', reason?.message)
  })

  it('runs it however the reference is written', async () => {
    const gate = gateOn(createMemoryStore())
    const { image } = engine
    const isFamiliar = !/[.:].*\//.test(image.split('@')[0] ?? '')
    await gate.registerSkill({ ...signedSkill(image), image: isFamiliar ? `docker.io/library/${image}` : image })
    assert.equal((await runOn(gate)).status, 'completed')
  })

  it('asks the engine nothing for an image that is not registered, or without a signature', async () => {
    const gate = gateOn(createMemoryStore())
    await assertRefused(gate)
    const { signature, public_key_id, ...unsigned } = signedSkill(engine.image)
    await gate.registerSkill(unsigned)
    await assertRefused(gate)
  })

  it('asks the engine nothing for another repository with the same digest, or for the digest alone', async () => {
    const gate = gateOn(createMemoryStore())
    const digest = digestOf(engine.image)
    await gate.registerSkill(signedSkill(`elsewhere.example/other@${digest}`))
    await assertRefused(gate)
    await gate.registerSkill({ ...signedSkill(engine.image), version: '2.0' })
    await assertRefused(gate, digest)
    assert.equal((await runOn(gate)).status, 'completed')
  })

  it('counts the keys of now, not those at the time of the registration', async () => {
    const store = createMemoryStore()
    await gateOn(store).registerSkill(signedSkill(engine.image))
    await assertRefused(gateOn(store, {}))
    await assertRefused(gateOn(store, { nightly: publicKeys.release }))
    const other = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }).toString()
    await assertRefused(gateOn(store, { release: other }))
    assert.equal((await runOn(gateOn(store))).status, 'completed')
  })

  it('believes signatures, not what a rewritten log says of them', async () => {
    const inner = createMemoryStore()
    const { signature, public_key_id, ...unsigned } = signedSkill(engine.image)
    await gateOn(inner).registerSkill(unsigned)
    const forged: Store = {
      ...inner,
      query: async (conditions) =>
        (await inner.query(conditions)).map((event) => ({
          ...event,
          body: event.body.replace('"signed":false', '"signed":true'),
        })),
    }
    assert.match((await forged.query({ limit: 1 }))[0]?.body ?? '', /"signed":true/)
    await assertRefused(gateOn(forged))
    assert.equal((await gateOn(forged).registeredSkills()).skills[0]?.signed, false)
  })

  it('sees at once what another host registered in the same store', async () => {
    const store = createMemoryStore()
    const here = gateOn(store)
    await assertRefused(here)
    await gateOn(store).registerSkill(signedSkill(engine.image))
    assert.equal((await runOn(here)).status, 'completed')
  })

  it('executes nothing when the registrations cannot be read', async () => {
    const inner = createMemoryStore()
    await gateOn(inner).registerSkill(signedSkill(engine.image))
    const head: Store['head'] = (id) => (id === 'registry' ? Promise.reject(new Error('disk on fire')) : inner.head(id))
    const asked = engine.requests.length
    const { status, reason } = await runOn(gateOn({ ...inner, head }))
    assert.equal(status, 'failed')
    assert.match(reason?.message ?? '', /log cannot be reached/)
    assert.equal(engine.requests.length, asked)
  })

  it('holds in `skillgate serve` with PUBLIC_KEYS', async (t) => {
    const place = mkdtempSync(join(tmpdir(), 'skillgate-test-'))
    t.after(() => rmSync(place, { recursive: true, force: true }))
    const PUBLIC_KEYS = join(place, 'keys.json')
    writeFileSync(PUBLIC_KEYS, JSON.stringify(publicKeys))
    const cli = await startCli({ DOCKER_HOST: engine.host, PUBLIC_KEYS })
    t.after(() => stopCli(cli))
    const { image } = engine
    const { id } = await expect<{ id: string }>(cli, 201, 'POST', '/v1/sessions', '{}')
    await expect(cli, 200, 'PUT', `/v1/sessions/${id}/policy`, JSON.stringify(policyFor(image)))
    const ask = async (): Promise<RunDocument> => {
      const path = `/v1/sessions/${id}/messages`
      const { run_id } = await expect<{ run_id: string }>(cli, 202, 'POST', path, JSON.stringify(messageFor(image)))
      return until(
        async () => {
          const run = await expect<RunDocument>(cli, 200, 'GET', `/v1/runs/${run_id}`)
          return run.ended_at === undefined ? undefined : run
        },
        () => run_id,
      )
    }
    assert.equal((await ask()).reason?.code, 'SIGNATURE_INVALID')
    const claim = { ...signedSkill(image), signature: signatureOf(`x@sha256:${'0'.repeat(64)}`) }
    await expect(cli, 403, 'POST', '/v1/skills', JSON.stringify(claim))
    const skill = await expect<{ signed: boolean }>(cli, 201, 'POST', '/v1/skills', JSON.stringify(signedSkill(image)))
    assert.equal(skill.signed, true)
    const run = await ask()
    assert.equal(run.status, 'completed', run.reason?.message)
  })
})
