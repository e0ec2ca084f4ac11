/** Registered skills: identical ones once, other contents under the same name and version never. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createMemoryStore } from '../../stores/memory.js'
import { Failure } from '../failure.js'
import type { SkillRegistration } from '../registry.js'
import { createFixture, START } from './fixture.js'

const DIGEST = `sha256:${'0'.repeat(64)}`
const HELLO: SkillRegistration = { name: 'hello-world', version: '1.0', image: `hello-world@${DIGEST}`, manifest: {} }

describe('registering', () => {
  it('answers the skill, unsigned, with its image in normal form', async () => {
    const { gate } = createFixture()
    const { skill, created } = await gate.registerSkill({ ...HELLO, image: `docker.io/library/hello-world@${DIGEST}` })
    const created_at = new Date(START).toISOString()
    assert.deepEqual(skill, { ...HELLO, signed: false, created_at })
    assert.equal(created, true)
    assert.deepEqual((await gate.registeredSkills()).skills, [skill])
  })

  const AGAIN: SkillRegistration[] = [
    HELLO,
    { name: HELLO.name, version: HELLO.version, image: HELLO.image },
    { ...HELLO, image: `index.docker.io/library/hello-world@${DIGEST}` },
  ]
  for (const [index, again] of AGAIN.entries()) {
    it(`the identical registration is the same skill again (${index})`, async () => {
      const { gate } = createFixture()
      const first = await gate.registerSkill(HELLO)
      assert.deepEqual(await gate.registerSkill(again), { skill: first.skill, created: false })
      assert.equal((await gate.registeredSkills()).skills.length, 1)
    })
  }

  it('members of the manifest may come in any order', async () => {
    const { gate } = createFixture()
    await gate.registerSkill({ ...HELLO, manifest: { a: 1, b: { c: [2] } } })
    assert.equal((await gate.registerSkill({ ...HELLO, manifest: { b: { c: [2] }, a: 1 } })).created, false)
  })

  it('answers the first time what it answers afterwards: the manifest as recorded, without secrets [S11]', async () => {
    const { gate } = createFixture()
    const registration = { ...HELLO, manifest: { owner: 'ops', db_password: 'hunter2', note: 'token=abcdef' } }
    const first = await gate.registerSkill(registration)
    assert.deepEqual(first.skill.manifest, {
      owner: 'ops',
      db_password: '[REDACTED:password]',
      note: 'token=[REDACTED:secret]',
    })
    assert.deepEqual(await gate.registerSkill(registration), { ...first, created: false })
    assert.deepEqual((await gate.registeredSkills()).skills, [first.skill])
    const other = { ...registration, manifest: { ...registration.manifest, db_password: 'other' } }
    await assert.rejects(gate.registerSkill(other), { code: 'CONFLICT' })
  })

  const OTHER: [what: string, change: Partial<SkillRegistration>][] = [
    ['image', { image: `hello-world@sha256:${'1'.repeat(64)}` }],
    ['repository', { image: `other@${DIGEST}` }],
    ['manifest', { manifest: { a: 1 } }],
    ['signature', { signature: 'x', public_key_id: 'k' }],
  ]
  for (const [what, change] of OTHER) {
    it(`another ${what} under the same name and version is a CONFLICT, under another version it is not`, async () => {
      const { gate } = createFixture()
      await gate.registerSkill(HELLO)
      await assert.rejects(gate.registerSkill({ ...HELLO, ...change }), { code: 'CONFLICT' })
      assert.equal((await gate.registerSkill({ ...HELLO, ...change, version: '2' })).created, true)
      assert.equal((await gate.registerSkill({ ...HELLO, ...change, name: 'other' })).created, true)
    })
  }

  const REFUSED: [registration: unknown, field: string][] = [
    ...[undefined, null, 7, []].map((value): [unknown, string] => [value, 'skill']),
    [{ ...HELLO, name: undefined }, 'name'],
    ...['', ' ', '../x', 'a b', '-a', '.a', 'a/b', 'é', 'x'.repeat(129), 7].map((name): [unknown, string] => [
      { ...HELLO, name },
      'name',
    ]),
    ...['', '1 0', 'x'.repeat(65), 1].map((version): [unknown, string] => [{ ...HELLO, version }, 'version']),
    ...['hello-world', 'hello-world:latest', '', 7].map((image): [unknown, string] => [{ ...HELLO, image }, 'image']),
    [{ ...HELLO, signature: 'x' }, 'public_key_id'],
    [{ ...HELLO, public_key_id: 'x' }, 'signature'],
    ...['', 7, {}, 'x'.repeat(1025)].map((signature): [unknown, string] => [
      { ...HELLO, signature, public_key_id: 'k' },
      'signature',
    ]),
    ...['', 7, [], 'x'.repeat(201)].map((public_key_id): [unknown, string] => [
      { ...HELLO, signature: 'x', public_key_id },
      'public_key_id',
    ]),
    // The log would hold another name, under which the skill is never found again.
    [{ ...HELLO, name: `ghp_${'a1'.repeat(18)}` }, 'name'],
    [{ ...HELLO, signature: 'x', public_key_id: `sk-${'a1'.repeat(18)}` }, 'public_key_id'],
    [{ ...HELLO, manifest: [] }, 'manifest'],
    [{ ...HELLO, signed: true }, 'signed'],
    [{ ...HELLO, manifest: JSON.parse('{"__proto__": 1}') }, 'skill.manifest'],
  ]
  for (const [registration, field] of REFUSED) {
    it(`${JSON.stringify(registration)?.slice(0, 60)} is refused for its ${field}`, async () => {
      const { gate, store } = createFixture()
      await assert.rejects(gate.registerSkill(registration as SkillRegistration), {
        code: 'INVALID_INPUT',
        details: { field },
      })
      assert.deepEqual(await store.query({ limit: 1 }), [])
    })
  }

  it('of two who register the same at once one creates it', async () => {
    const { gate } = createFixture()
    const answers = await Promise.all([HELLO, HELLO, HELLO].map((skill) => gate.registerSkill(skill)))
    assert.deepEqual(
      answers.map(({ created }) => created),
      [true, false, false],
    )
    const clash = [1, 2, 3].map((digit) =>
      gate.registerSkill({ ...HELLO, version: '2', image: `a@sha256:${String(digit).repeat(64)}` }),
    )
    const settled = await Promise.allSettled(clash)
    assert.deepEqual(settled.map(({ status }) => status).sort(), ['fulfilled', 'rejected', 'rejected'])
  })

  it('what another process registered in between is found', async () => {
    const inner = createMemoryStore()
    const other = createFixture({ store: inner })
    let raced = false
    const store = {
      ...inner,
      async append(events: Parameters<typeof inner.append>[0]) {
        if (!raced) {
          raced = true
          await other.gate.registerSkill(HELLO)
          throw new Failure('CONFLICT', 'somebody was faster')
        }
        return inner.append(events)
      },
    }
    assert.equal((await createFixture({ store }).gate.registerSkill(HELLO)).created, false)
    assert.equal((await other.gate.registeredSkills()).skills.length, 1)
  })

  it('registrations are a chain of their own, which is no session', async () => {
    const { gate } = createFixture()
    await gate.registerSkill(HELLO)
    assert.deepEqual(await gate.validate({ session_id: 'registry' }), {
      valid: true,
      invalid_index: -1,
      event_count: 1,
    })
    assert.deepEqual(
      (await gate.audit({ session_id: 'registry' })).events.map(({ type }) => type),
      ['skill.registered'],
    )
    await assert.rejects(gate.session('registry'), { code: 'NOT_FOUND' })
    assert.deepEqual((await gate.sessions()).sessions, [])
  })
})
