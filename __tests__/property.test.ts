/** Hostile input in the ten thousands: each a typed error that names its field, and none of it reaches the engine. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import fc from 'fast-check'
import { dockerApi } from '../skills/docker-api/handler.js'
import { dockerRun } from '../skills/docker-run/handler.js'
import { createDockerProvider, type DockerProvider } from '../src/docker/index.js'
import { createGate, type Gate, isFailure, type Session } from '../src/index.js'
import { createMemoryStore } from '../src/stores/memory.js'
import { createFakeEngine, type FakeEngine } from '../src/testing/fake-engine.js'

const DIGEST = `sha256:${'ab'.repeat(32)}`
const LEAST = 10_000
let inputs = 0

let engine: FakeEngine
let provider: DockerProvider
let gate: Gate
let session: Session

before(async () => {
  engine = await createFakeEngine()
  provider = createDockerProvider({ host: engine.host })
  gate = createGate({ skills: [dockerApi, dockerRun], store: createMemoryStore(), providerClient: provider })
  session = await gate.createSession()
  await session.setPolicy({
    overrides: [
      { tool: 'docker-api.*', allow: true },
      { tool: 'docker.run', allow: true, constraints: { images: [`x@${DIGEST}`] } },
    ],
  })
})

after(async () => {
  await gate.close()
  await provider.close()
  await engine.close()
})

/** Checks one property; every input counts, and after each the engine must have been asked nothing. */
async function each<T>(inputsOf: fc.Arbitrary<T>, numRuns: number, check: (input: T) => Promise<void>): Promise<void> {
  const property = fc.asyncProperty(inputsOf, async (input) => {
    inputs += 1
    await check(input)
    assert.equal(engine.requests.length, 0, 'a refused input reached the engine')
  })
  await fc.assert(property, { numRuns, includeErrorInReport: true })
}

interface Call {
  action: string
  field: string
  value: unknown
}

/** The skill itself: execute and validate refuse the value by its field. */
async function refusedBySkill({ action, field, value }: Call): Promise<void> {
  const skill = action === 'run' ? dockerRun : dockerApi
  const params = { ...others(action), action, [field]: value }
  const { metadata } = await skill.execute(params, { providerClient: provider })
  assert.ok(metadata.success === false)
  assert.equal(metadata.error.code, 'INVALID_INPUT')
  assert.match(String(metadata.error.details?.field), new RegExp(`^(params\\.)?${field}`))
  assert.ok(metadata.error.message.length < 1_000)
  assert.equal(skill.validate(params).valid, false)
}

/** The gate: the attempt is a denied run with the field in its decision, or a malformed message without a run. */
async function refusedByGate({ action, field, value }: Call): Promise<void> {
  const tool = action === 'run' ? 'docker.run' : `docker-api.${action}`
  const intents = [{ tool, params: { ...others(action), [field]: value } }]
  const posted = await session.post({ role: 'assistant', content: 'x', intents }).catch((error: unknown) => error)
  if (isFailure(posted)) {
    assert.equal(posted.code, 'INVALID_INPUT')
    assert.match(String(posted.details?.field), new RegExp(`^message\\.intents\\[0\\]\\.params\\.${field}`))
    return
  }
  assert.ok(typeof posted === 'object' && posted !== null && 'done' in posted)
  const run = await (posted as Awaited<ReturnType<Session['post']>>).done()
  const [step] = run.steps
  assert.equal(run.status, 'denied')
  assert.ok(step?.type === 'policy_eval' && step.status === 'denied')
  assert.equal(step.details.code, 'INVALID_INPUT')
  assert.match(String(step.details.field), new RegExp(`^${field}`))
}

function others(action: string): Record<string, unknown> {
  if (action === 'run') return { image: `x@${DIGEST}` }
  return action.startsWith('list') ? {} : { containerId: 'x' }
}

const MEGABYTE = 'a'.repeat(1024 ** 2)
const primitives = fc.oneof(fc.boolean(), fc.double(), fc.bigInt(), fc.constantFrom(Number.NaN, null, Symbol('x')))
const compounds = fc.oneof(fc.array(fc.string()), fc.dictionary(fc.string(), fc.anything()), fc.anything())
const anything = fc.oneof(primitives, compounds)

const isId = (value: unknown): boolean =>
  typeof value === 'string' &&
  /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(value.replace(/^[ \t\r\n\f\v]+|[ \t\r\n\f\v]+$/g, ''))
const poison = fc.constantFrom(
  ...['../', '..\\', '%2e%2e%2f', '%00', '\0', '\r\n', '\r\nX-A: b\r\n\r\n', '/', '\\', '?all=1', '#', '&'],
  ...[';', '|', '$(id)', '`id`', ' ', '\t', '\u00a0', '\u202e', '\u200b', '\ufeff', '\uff0e\uff0e\uff0f', 'é'],
  ...['\u{1f600}', '@', ':', '"', "'", '<', '{{.}}', '*', '~'],
)
const word = fc.stringMatching(/^[A-Za-z0-9_.-]{0,12}$/)
const hostileId = fc
  .oneof(
    { weight: 8, arbitrary: fc.tuple(word, poison, word).map((parts) => parts.join('')) },
    { weight: 3, arbitrary: fc.string({ unit: 'binary' }) },
    { weight: 2, arbitrary: fc.stringMatching(/^[-_.]{1,3}[a-z-]{0,8}$/) },
    { weight: 2, arbitrary: fc.integer({ min: 129, max: 5_000 }).map((length) => 'a'.repeat(length)) },
    { weight: 4, arbitrary: anything },
    {
      weight: 1,
      arbitrary: fc.constantFrom('', ' ', '.', '..', '...', '-', '--', '-rf', MEGABYTE, [MEGABYTE], { id: 'x' }),
    },
  )
  .filter((value) => !isId(value))

const idActions = fc.constantFrom('get_container', 'start_container', 'stop_container', 'get_logs', 'container_stats')
const idCalls = fc.record({ action: idActions, field: fc.constant('containerId'), value: hostileId })

const FIELDS: { action: string; field: string; valid: (value: unknown) => boolean }[] = [
  ...['list_containers', 'list_images'].map((action) => ({ action, field: 'limit', valid: integerIn(1, Infinity) })),
  { action: 'get_logs', field: 'tail', valid: integerIn(1, 1_000) },
  { action: 'stop_container', field: 'timeout', valid: integerIn(0, 300) },
  { action: 'list_containers', field: 'all', valid: isFlag },
  { action: 'get_logs', field: 'timestamps', valid: isFlag },
  { action: 'run', field: 'timeout_ms', valid: (value) => typeof value === 'number' && integerIn(100, 600_000)(value) },
  { action: 'run', field: 'memory_mb', valid: (value) => typeof value === 'number' && integerIn(6, 4096)(value) },
  { action: 'run', field: 'cpus', valid: (value) => typeof value === 'number' && value >= 0.1 && value <= 16 },
  { action: 'run', field: 'network', valid: (value) => typeof value === 'boolean' || isNetworkName(value) },
]

/** What counts as an integer by the contract: a number, or decimal digits in a string. */
function integerIn(least: number, most: number): (value: unknown) => boolean {
  return (value) => {
    const read = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
    return typeof read === 'number' && Number.isInteger(read) && read >= least && read <= most
  }
}

/** By the grammar alone; whether a policy has it is another question. */
function isNetworkName(value: unknown): boolean {
  return (
    typeof value === 'string' &&
    /^[A-Za-z0-9][A-Za-z0-9_.-]{1,63}$/.test(value) &&
    !/^(true|false|none|host|bridge|default|nat|private|pasta|slirp4netns)$/i.test(value)
  )
}

function isFlag(value: unknown): boolean {
  return [true, false, 'true', 'false'].includes(value as boolean)
}

const scalar = fc.oneof(
  fc.integer(),
  fc.double(),
  fc.integer().map(String),
  fc.string(),
  fc.constantFrom(
    '0x10',
    '1e3',
    ' 5',
    '5 ',
    '+5',
    '-0',
    '٣',
    '',
    'TRUE',
    'yes',
    'null',
    '5n',
    `${MEGABYTE}`,
    '9'.repeat(400),
  ),
  anything,
)
const scalarCalls = fc
  .tuple(fc.constantFrom(...FIELDS), scalar)
  // Nothing at all, and null, mean that the default holds.
  .filter(([{ valid }, value]) => value != null && !valid(value))
  .map(([{ action, field }, value]) => ({ action, field, value }))

const PINNED = /^(?:[a-zA-Z0-9][a-zA-Z0-9.:_/-]*@)?sha256:[0-9a-f]{64}$/
const nearlyPinned = fc
  .tuple(
    fc.constantFrom(`x@${DIGEST}`, `ghcr.io/a/b@${DIGEST}`, DIGEST),
    fc.nat(),
    fc.oneof(poison, fc.constantFrom('G', 'F', '', '@')),
  )
  .map(([reference, at, piece]) => {
    const place = at % reference.length
    return reference.slice(0, place) + piece + reference.slice(place + (piece === '' ? 1 : 0))
  })
const tagged = fc.tuple(word, fc.constantFrom(':latest', ':1@', '@sha512:', '@', '')).map((parts) => parts.join(''))
const imageCalls = fc
  .oneof(
    nearlyPinned,
    tagged,
    fc.string({ unit: 'binary' }),
    anything,
    fc.constantFrom(MEGABYTE, `${DIGEST}\n`, ` ${DIGEST}`),
  )
  .filter((value) => !(typeof value === 'string' && PINNED.test(value)))
  .map((value) => ({ action: 'run', field: 'image', value }))

const goodOverride = (): Record<string, unknown> => ({
  tool: 'docker.run',
  allow: true,
  constraints: { images: [`x@${DIGEST}`], network_allowed: false },
})
const wrong = anything.filter((value) => value != null)
const unknownTool = fc
  .oneof(
    fc.string(),
    fc.constantFrom('*', '**', 'docker', 'docker.', '.*', 'docker.exec', 'DOCKER.RUN', '__proto__', 'constructor'),
  )
  .filter(
    (tool) => !['docker.*', 'docker-api.*'].includes(tool) && ![...dockerApi.tools.keys(), 'docker.run'].includes(tool),
  )
const newKey = fc
  .string({ minLength: 1 })
  .filter((key) => !/^(overrides|tool|allow|constraints)$/.test(key) && !Object.hasOwn(CONSTRAINTS, key))
const CONSTRAINTS = dockerRun.meta.tools[0]?.constraints?.properties as Record<string, unknown>

const hostilePolicy: fc.Arbitrary<unknown> = fc.oneof(
  wrong.filter((value) => typeof value !== 'object' || Array.isArray(value)),
  fc.tuple(newKey, fc.jsonValue()).map(([key, value]) => ({ overrides: [], [key]: value ?? 0 })),
  wrong.filter((value) => !Array.isArray(value)).map((overrides) => ({ overrides })),
  unknownTool.map((tool) => ({ overrides: [goodOverride(), { ...goodOverride(), tool }] })),
  wrong.filter((value) => typeof value !== 'boolean').map((allow) => ({ overrides: [{ ...goodOverride(), allow }] })),
  fc.tuple(newKey, fc.jsonValue()).map(([key, value]) => ({ overrides: [{ ...goodOverride(), [key]: value ?? 0 }] })),
  fc.tuple(newKey, fc.jsonValue()).map(([key, value]) => ({
    overrides: [{ ...goodOverride(), constraints: { images: [], [key]: value ?? 0 } }],
  })),
  fc
    .tuple(
      fc.constantFrom(
        ...['network_allowed', 'mounts_allowed', 'cmd_allowed', 'images', 'mount_roots', 'max_pids'],
        ...['repositories', 'registries', 'networks', 'pull', 'pull_timeout_ms'],
      ),
      wrong,
    )
    .filter(([key, value]) => !isConstraint(key, value))
    .map(([key, value]) => ({ overrides: [{ ...goodOverride(), constraints: { [key]: value } }] })),
  fc
    .constantFrom(
      '{"overrides":[PLACE]}',
      '{"overrides":[{"tool":"docker.run","allow":true,"constraints":PLACE}]}',
      'PLACE',
    )
    .chain((text) =>
      fc
        .constantFrom('__proto__', 'constructor', 'prototype')
        .map((key) => text.replace('PLACE', `{"${key}":{"allow":true}}`)),
    )
    .map((text) => JSON.parse(text)),
  fc.constant({ overrides: Array.from({ length: 257 }, goodOverride) }),
)

function isConstraint(key: string, value: unknown): boolean {
  if (key.endsWith('_allowed')) return typeof value === 'boolean'
  if (key === 'max_pids') return integerIn(1, 4096)(value) && typeof value === 'number'
  if (key === 'pull_timeout_ms') return integerIn(1_000, 1_800_000)(value) && typeof value === 'number'
  if (key === 'pull') return value === 'never' || value === 'if-missing'
  const mayBe = { mount_roots: /^\//, repositories: /^[A-Za-z0-9[]/, registries: /[.:[]|localhost/ }[key]
  const isMember = (member: unknown) =>
    key === 'networks' ? isNetworkName(member) : typeof member === 'string' && (mayBe?.test(member) ?? false)
  return Array.isArray(value) && value.every(isMember)
}

const L1_PATH =
  /^\/(?:containers(?:\?[^/]*|\/run|\/[A-Za-z0-9][A-Za-z0-9_.-]*(?:\/(?:start|stop|logs|stats))?(?:\?.*)?)?|images(?:\?.*)?)$/s
const hostilePath = fc
  .oneof(
    fc
      .tuple(fc.constantFrom('/containers/', '/images/', '/', '//', '/v1.41/', '/_ping/../'), poison, word)
      .map((parts) => parts.join('')),
    fc.constantFrom(
      '/exec',
      '/build',
      '/info',
      '/containers/x/exec',
      '/containers/x/attach',
      '/containers/x/archive?path=/',
      '/volumes',
      '',
      'x',
    ),
  )
  .filter((path) => !L1_PATH.test(path))

describe('hostile input [S5]', () => {
  it('container ids, to the skill', () => each(idCalls, 6_000, refusedBySkill))
  it('container ids, to the gate', () => each(idCalls, 500, refusedByGate))
  it('numbers and booleans, to the skill', () => each(scalarCalls, 4_000, refusedBySkill))
  it('numbers and booleans, to the gate', () => each(scalarCalls, 500, refusedByGate))
  it('images, to the skill [S14]', () => each(imageCalls, 3_000, refusedBySkill))
  it('images, to the gate [S14]', () => each(imageCalls, 500, refusedByGate))

  it('policies: refused by their field, and the one in force stays [S3]', async () => {
    const inForce = await session.policy()
    await each(hostilePolicy, 1_500, async (document) => {
      await assert.rejects(session.setPolicy(document), (error) => {
        assert.ok(isFailure(error))
        assert.equal(error.code, 'INVALID_INPUT')
        assert.ok(typeof error.details?.field === 'string' && error.details.field !== '', error.message)
        return true
      })
      assert.deepEqual(await session.policy(), inForce)
    })
  })

  it('paths, to the provider itself: only the fixed routes are ever called [S17]', async () => {
    const calls = fc.tuple(fc.constantFrom('GET', 'POST', 'DELETE', 'PUT', 'get'), hostilePath)
    await each(calls, 500, async ([method, path]) => {
      await assert.rejects(provider.request(method, path), (error) => isFailure(error))
    })
  })

  it('was tried often enough, polluted nothing, and the same provider still works', async () => {
    console.log(`property: ${inputs} hostile inputs, ${engine.requests.length} requests reached the engine`)
    assert.ok(inputs >= LEAST, `only ${inputs} inputs`)
    assert.equal(({} as { allow?: unknown }).allow, undefined)
    const { metadata } = await dockerApi.execute({ action: 'list_containers' }, { providerClient: provider })
    assert.equal(metadata.success, true)
    assert.ok(engine.requests.length > 0, 'the counter counts')
    assert.equal((await gate.validate()).valid, true)
  })
})
