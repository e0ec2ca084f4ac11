/** The conformance suite of skills: what hosts and models rely on, for any skill. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { FAILURES } from '../core/failure.js'
import type { ProviderClient } from '../core/provider.js'
import type { Skill, SkillContext, SkillResult } from '../core/skill.js'
import { createRedactor } from '../redaction/index.js'
import { hostileErrors, hostileParams } from './hostile-value.js'
import { assertJsonSchema } from './json-schema.js'
import { assertSkillDocument } from './skill-document.js'

export interface SkillSuiteOptions {
  /** Params that are right, by action and without `action`. An action left out is tested as far as that goes. */
  valid: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  /** What the provider answers to those calls: one value for all, or a function of the request. */
  answer: unknown
  /** The skill's folder, to hold its SKILL.md against the rules of the Agent Skills format. */
  folder?: string | URL | undefined
  /** Milliseconds after which every call must be over, whatever its client does. Default 30 000. */
  longestMs?: number
}

interface SeenRequest {
  method: string
  path: string
  body: unknown
}

const ISO_UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
/** One that a rule recognises by its shape, and one that only the host knows. */
const SHAPED = `ghp_${'a1B2'.repeat(9)}`
const REGISTERED = 'correct horse battery staple'

/** A client that counts. `reply` may answer, throw, or never settle. */
function recordingClient(reply: (request: SeenRequest) => unknown): ProviderClient & { seen: SeenRequest[] } {
  const seen: SeenRequest[] = []
  return {
    seen,
    async request(method, path, body) {
      seen.push({ method, path, body })
      return reply({ method, path, body })
    },
  }
}

/**
 * Declares the suite's tests with node:test. Passing it means: meta, validate and execute agree; neither throws whatever
 * it is given; what is refused reaches no provider; deadlines hold; secrets do not leave; results have the shape that
 * hosts read.
 *
 * @example
 * ```ts
 * import { dockerApi } from 'skillgate/skills/docker-api'
 * import { testSkill } from 'skillgate/testing'
 *
 * testSkill(dockerApi, { valid: { list_containers: {} }, answer: { containers: [] } })
 * ```
 */
export function testSkill(skill: Skill, { valid, answer, folder, longestMs = 30_000 }: SkillSuiteOptions): void {
  const { meta, validate, execute, tools } = skill
  const calls = meta.actions.flatMap((action) => {
    const params = valid[action]
    return params === undefined ? [] : [{ action, params: { ...params, action } }]
  })
  const reply = (request: SeenRequest): unknown => (typeof answer === 'function' ? answer(request) : answer)

  /** What refuses these params, before any request. Validate and execute must say the same. */
  async function refusal(
    params: unknown,
    code?: string,
  ): Promise<Extract<SkillResult['metadata'], { success: false }>> {
    const providerClient = recordingClient(reply)
    const checked = validate(params)
    const { metadata } = assertResult(await execute(params, { providerClient }))
    assert.equal(providerClient.seen.length, 0, 'a refused call must reach no provider')
    assert.equal(metadata.success, false)
    assert.equal(checked.valid, false, 'validate must refuse what execute refuses')
    assert.equal(checked.code, metadata.error.code)
    assert.equal(checked.error, metadata.error.message)
    assert.equal(checked.field, metadata.error.details?.field)
    if (code !== undefined) assert.equal(checked.code, code)
    return metadata
  }

  describe(`skill: ${meta.name}`, () => {
    test('the suite was given at least one call that is right, and only actions that exist', () => {
      assert.ok(calls.length > 0, 'the suite needs at least one call that is right')
      for (const action of Object.keys(valid)) assert.ok(meta.actions.includes(action), action)
    })

    test('meta describes exactly the tools that there are', () => {
      assert.match(meta.name, /^[a-z0-9]+(-[a-z0-9]+)*$/)
      assert.ok(meta.version !== '' && meta.description !== '' && meta.layer !== '', 'no field of meta is empty')
      assert.deepEqual(
        meta.tools,
        [...tools.values()].map((tool) => tool.meta),
      )
      assert.deepEqual(
        meta.tools.map(({ action }) => action),
        meta.actions,
      )
      for (const [name, tool] of tools) {
        assert.equal(tool.meta.name, name)
        assert.equal(tool.meta.skill, meta.name)
        assert.ok(name.endsWith(`.${tool.meta.action}`), name)
        assert.ok(tool.meta.description !== '', `${name} has a description`)
        assert.ok(['read', 'write', 'destroy'].includes(tool.meta.risk), `${name} has the risk ${tool.meta.risk}`)
      }
    })

    for (const { name, input, constraints } of meta.tools) {
      test(`${name} has JSON Schemas that are strict and describe every field`, () => {
        assertJsonSchema(input)
        if (constraints !== null) assertJsonSchema(constraints)
      })

      test(`${name} takes the empty constraints, and judges without effects`, () => {
        const tool = tools.get(name)
        assert.ok(tool !== undefined, `there is no tool ${name}`)
        if (constraints !== null) tool.parseConstraints({})
        assert.throws(() => tool.parseConstraints({ skillgate_unknown: 1 }), { code: 'INVALID_INPUT' })
        const given = valid[tool.meta.action]
        if (given === undefined) return
        const parsed = tool.parse(given)
        assert.ok(Object.isFrozen(parsed), 'what was judged must not change before it is executed')
        const narrowed = constraints === null ? undefined : tool.parseConstraints({})
        const objection = tool.judge(parsed, narrowed)
        assert.deepEqual(tool.judge(parsed, narrowed), objection)
        if (objection === undefined) return
        assert.ok(objection.reason !== '', 'an objection has a reason')
        assert.equal(tool.judge(parsed, tool.parseConstraints(objection.fix ?? {})), undefined, 'the fix must allow it')
      })
    }

    for (const { action, params } of calls) {
      test(`${action} succeeds, through the provider or else the gateway`, async () => {
        assert.deepEqual(validate(params), { valid: true })
        for (const key of ['providerClient', 'gatewayClient'] as const) {
          const client = recordingClient(reply)
          const { metadata } = assertResult(await execute(params, { [key]: client }))
          assert.equal(metadata.success, true, JSON.stringify(metadata.error))
          assert.equal(metadata.action, action)
          assert.equal(metadata.layer, meta.layer)
          assert.ok(client.seen.length > 0, 'the client was asked')
        }
      })

      test(`${action} refuses an unknown field by its name`, async () => {
        const { error } = await refusal({ ...params, skillgate_unknown: 1 }, 'INVALID_INPUT')
        assert.equal(error.details?.field, 'skillgate_unknown')
      })

      test(`${action} without a client is PROVIDER_NOT_CONFIGURED`, async () => {
        const contexts = [undefined, {}, { providerClient: {} }, { gatewayClient: { request: 'x' } }]
        for (const context of contexts as (SkillContext | undefined)[]) {
          const { metadata } = assertResult(await execute(params, context))
          assert.equal(metadata.success === false && metadata.error.code, 'PROVIDER_NOT_CONFIGURED')
        }
      })

      test(`${action} is over after ${longestMs} ms, although its client never answers or looks at its signal`, async ({
        mock,
      }) => {
        mock.timers.enable({ apis: ['setTimeout'] })
        const providerClient = recordingClient(() => new Promise(() => {}))
        let answered: SkillResult | undefined
        execute(params, { providerClient, config: { timeoutMs: longestMs } }).then((result) => {
          answered = result
        })
        await turns()
        assert.equal(providerClient.seen.length, 1)
        assert.equal(answered, undefined, 'it answered although its client did not')
        mock.timers.tick(longestMs)
        await turns()
        assert.ok(answered !== undefined, 'it is still waiting')
        const { metadata } = assertResult(answered)
        assert.equal(metadata.success === false && metadata.error.code, 'TIMEOUT')
      })

      test(`${action} answers a documented error whatever its client rejects with or answers`, async () => {
        for (const error of hostileErrors()) {
          const providerClient = recordingClient(() => {
            throw error
          })
          assert.equal(assertResult(await execute(params, { providerClient })).metadata.success, false)
        }
        for (const nonsense of [undefined, null, 42, true, '', [], [null], {}, { data: null }, () => {}, Symbol('x')]) {
          assertResult(await execute(params, { providerClient: recordingClient(() => nonsense) }))
        }
      })

      test(`${action} lets no secret of an answer or an error out`, async () => {
        const planted = `${SHAPED} DB_PASSWORD=${'hunter2'.repeat(2)} ${REGISTERED}`
        const redactor = createRedactor({ registered: [REGISTERED] })
        const clients = [
          recordingClient((request) => plant(reply(request), planted)),
          recordingClient(() => {
            throw Object.assign(new Error(`refused: ${planted}`), { status: 403 })
          }),
        ]
        for (const providerClient of clients) {
          const leaving = JSON.stringify(await execute(params, { providerClient, redactor }))
          for (const secret of [SHAPED, 'hunter2', REGISTERED]) assert.ok(!leaving.includes(secret), secret)
        }
      })
    }

    test('an unknown action is INVALID_ACTION and the message lists the valid ones', async () => {
      for (const action of ['skillgate_unknown', 'toString', 'constructor', '', 7, {}, []]) {
        const { error } = await refusal({ action }, 'INVALID_ACTION')
        for (const known of meta.actions) assert.ok(error.message.includes(known), `the message names ${known}`)
      }
    })

    test('whatever params they are given, validate and execute agree and never throw', async () => {
      for (const params of hostileParams(meta.actions)) await refusal(params)
    })

    if (folder !== undefined) test('SKILL.md keeps the format', () => assertSkillDocument(folder, meta.name))
  })
}

/** Lets what is ready run; the timers are mocked meanwhile. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await setImmediate()
}

/** The shape that every result has, success or error. */
function assertResult(answer: SkillResult): SkillResult {
  const { result, metadata } = answer
  assert.equal(typeof result, 'string')
  assert.match(metadata.timestamp, ISO_UTC)
  assert.deepEqual(JSON.parse(JSON.stringify(answer)), answer, 'a result is plain JSON data')
  if (metadata.success === false) {
    const { code, message, retriable, details, ...more } = metadata.error
    assert.ok(Object.hasOwn(FAILURES, code), `unknown code: ${code}`)
    assert.ok(typeof message === 'string' && message !== '', 'an error has a message')
    assert.ok(result.startsWith(`Error: ${message}`), result.slice(0, 200))
    assert.equal(typeof retriable, 'boolean')
    assert.ok(details === undefined || Object.keys(details).length > 0, 'details are not empty')
    assert.deepEqual(more, {})
  } else {
    assert.equal(metadata.success, true)
    assert.ok(!('error' in metadata), 'a success has no error')
  }
  return answer
}

/** The answer with the text behind each of its strings, and under a key of its own in each object. */
function plant(answer: unknown, text: string): unknown {
  if (typeof answer === 'string') return `${answer} ${text}`
  if (Array.isArray(answer)) return answer.map((member) => plant(member, text))
  if (typeof answer !== 'object' || answer === null) return answer
  const members = Object.entries(answer).map(([key, member]) => [key, plant(member, text)])
  return { ...Object.fromEntries(members), planted: text }
}
