/** Policies: what a document may say, and what it decides. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { dockerApi } from '../../../skills/docker-api/handler.js'
import { dockerRun } from '../../../skills/docker-run/handler.js'
import type { Failure } from '../failure.js'
import { couldAllow, EMPTY_POLICY, effective, evaluate, type Override, parsePolicy } from '../policy.js'
import type { Tool } from '../tool.js'
import { demo } from './fixture.js'

const tools: ReadonlyMap<string, Tool> = new Map([...dockerApi.tools, ...dockerRun.tools, ...demo.tools])
const IMAGE = `hello-world@sha256:${'0'.repeat(64)}`

const toolNamed = (name: string): Tool => {
  const tool = tools.get(name)
  assert.ok(tool !== undefined, name)
  return tool
}

const decide = (overrides: Override[], name: string, params: Record<string, unknown> = {}) => {
  const tool = toolNamed(name)
  return evaluate(parsePolicy({ overrides }, 3, tools), tool, tool.parse(params)).decision
}

const ALLOW = (tool: string, constraints?: Record<string, unknown>): Override => ({
  tool,
  allow: true,
  ...(constraints && { constraints }),
})
const DENY = (tool: string): Override => ({ tool, allow: false })

describe('policy evaluation', () => {
  it('without overrides everything is denied [S1]', () => {
    for (const [name, tool] of tools) {
      if (name === 'demo.broken') continue
      const input = tool.parse(inputOf(name))
      for (const policy of [EMPTY_POLICY, parsePolicy({}, 1, tools), parsePolicy({ overrides: [] }, 1, tools)]) {
        const { decision } = evaluate(policy, tool, input)
        assert.equal(decision.decision, 'deny')
        assert.equal(decision.code, 'DENIED')
        assert.equal(decision.rule, undefined)
        assert.equal(decision.suggested_fix?.tool, name)
      }
    }
  })

  const echo = { text: 'hi' }
  const ROWS: [what: string, overrides: Override[], expected: { decision: 'allow' | 'deny'; index?: number }][] = [
    ['an allow of the tool', [ALLOW('demo.echo')], { decision: 'allow', index: 0 }],
    ['an allow of all its siblings', [ALLOW('demo.*')], { decision: 'allow', index: 0 }],
    ['an allow of another tool', [ALLOW('demo.ping')], { decision: 'deny' }],
    ['an allow of other siblings', [ALLOW('docker.*', { images: [IMAGE] })], { decision: 'deny' }],
    ['a deny alone', [DENY('demo.echo')], { decision: 'deny', index: 0 }],
    ['a deny after an allow', [ALLOW('demo.echo'), DENY('demo.echo')], { decision: 'deny', index: 1 }],
    ['a deny before an allow', [DENY('demo.echo'), ALLOW('demo.echo')], { decision: 'deny', index: 0 }],
    ['a wide deny over a narrow allow', [ALLOW('demo.echo'), DENY('demo.*')], { decision: 'deny', index: 1 }],
    ['a narrow deny over a wide allow', [DENY('demo.echo'), ALLOW('demo.*')], { decision: 'deny', index: 0 }],
    ['a deny between allows', [ALLOW('demo.*'), DENY('demo.echo'), ALLOW('demo.echo')], { decision: 'deny', index: 1 }],
    ['a deny of another tool', [ALLOW('demo.*'), DENY('demo.ping')], { decision: 'allow', index: 0 }],
    ['constraints that fit', [ALLOW('demo.echo', { texts: ['hi'] })], { decision: 'allow', index: 0 }],
    ['constraints that do not', [ALLOW('demo.echo', { texts: ['ho'] })], { decision: 'deny', index: 0 }],
    ['an empty list', [ALLOW('demo.echo', { texts: [] })], { decision: 'deny', index: 0 }],
    [
      'a second allow that fits',
      [ALLOW('demo.echo', { texts: ['ho'] }), ALLOW('demo.echo', { texts: ['hi'] })],
      { decision: 'allow', index: 1 },
    ],
    [
      'a deny with constraints, which denies all the same',
      [ALLOW('demo.echo'), { ...DENY('demo.echo'), constraints: { texts: ['ho'] } }],
      { decision: 'deny', index: 1 },
    ],
  ]
  for (const [what, overrides, { decision, index }] of ROWS) {
    it(`${what}: ${decision} [S2]`, () => {
      const decided = decide(overrides, 'demo.echo', echo)
      assert.equal(decided.decision, decision)
      assert.equal(decided.code, decision === 'allow' ? 'ALLOWED' : 'DENIED')
      assert.equal(decided.rule?.index, index)
      assert.equal(decided.rule?.tool, index === undefined ? undefined : overrides[index]?.tool)
      assert.equal(decided.policy_version, 3)
      assert.ok(decided.reason.length > 0)
    })
  }

  const OFFERED: [what: string, overrides: Override[], offered: boolean][] = [
    ['nothing', [], false],
    ['an allow of the tool', [ALLOW('demo.echo')], true],
    ['an allow whose constraints refuse most calls', [ALLOW('demo.echo', { texts: [] })], true],
    ['an allow of all its siblings', [ALLOW('demo.*')], true],
    ['an allow of another tool', [ALLOW('demo.ping')], false],
    ['a deny alone', [DENY('demo.echo')], false],
    ['an allow and a deny', [ALLOW('demo.echo'), DENY('demo.*')], false],
  ]
  for (const [what, overrides, offered] of OFFERED) {
    it(`with ${what}, a call of demo.echo ${offered ? 'could' : 'could never'} be allowed`, () => {
      assert.equal(couldAllow(parsePolicy({ overrides }, 1, tools), toolNamed('demo.echo')), offered)
    })
  }

  it('a deny wins wherever it stands among 256 overrides [S2]', () => {
    for (const place of [0, 1, 128, 254, 255]) {
      const overrides = Array.from({ length: 256 }, (_, index) =>
        index === place ? DENY('demo.*') : ALLOW('demo.echo'),
      )
      assert.deepEqual(decide(overrides, 'demo.echo').rule, { index: place, tool: 'demo.*' })
    }
  })

  it('a fix stands in the decision unless a deny stands in its way', () => {
    assert.equal(decide([DENY('demo.echo')], 'demo.echo').suggested_fix, undefined)
    assert.deepEqual(decide([], 'demo.echo').suggested_fix, { tool: 'demo.echo', allow: true })
    assert.deepEqual(decide([ALLOW('demo.*', { texts: [] })].slice(1), 'demo.ping').suggested_fix, {
      tool: 'demo.ping',
      allow: true,
    })
    assert.deepEqual(decide([ALLOW('demo.echo', { texts: ['ho'] })], 'demo.echo', echo).suggested_fix, {
      tool: 'demo.echo',
      allow: true,
      constraints: { texts: ['ho', 'hi'] },
    })
    assert.deepEqual(decide([], 'docker.run', { image: IMAGE, network: true }).suggested_fix, {
      tool: 'docker.run',
      allow: true,
      constraints: { images: [IMAGE], network_allowed: true },
    })
  })

  it('what a decision was made from is not changed by it', () => {
    const policy = parsePolicy({ overrides: [ALLOW('demo.echo', { texts: ['ho'] })] }, 1, tools)
    const before = JSON.stringify(policy.document)
    evaluate(policy, toolNamed('demo.echo'), toolNamed('demo.echo').parse(echo))
    assert.equal(JSON.stringify(policy.document), before)
    assert.ok(Object.isFrozen(policy.document.overrides))
    assert.deepEqual(effective(policy), { default: 'deny', overrides: policy.document.overrides, version: 1 })
  })
})

function inputOf(name: string): Record<string, unknown> {
  if (name === 'docker.run') return { image: IMAGE }
  return /\.(get_|start_|stop_|container_)/.test(name) ? { containerId: 'x' } : {}
}

describe('policy documents that are refused', () => {
  const one = (override: unknown) => ({ overrides: [override] })
  const REFUSED: [document: unknown, field: string][] = [
    ...[undefined, null, 7, 'allow', [], [ALLOW('demo.echo')]].map((value): [unknown, string] => [value, 'policy']),
    [{ default: 'allow' }, 'default'],
    [{ overrides: [], version: 1 }, 'version'],
    ...[7, 'all', {}, { length: 1 }].map((overrides): [unknown, string] => [{ overrides }, 'overrides']),
    [{ overrides: Array(257).fill(DENY('demo.echo')) }, 'overrides'],
    [one(7), 'overrides[0]'],
    [one(null), 'overrides[0]'],
    [one({ allow: true }), 'overrides[0].tool'],
    ...[
      '',
      '*',
      '**',
      '.*',
      '*.*',
      'demo',
      'demo.',
      'demo.ec*',
      'DEMO.ECHO',
      'demo.echo ',
      'docker',
      'no.*',
      '__proto__',
      'x'.repeat(201),
    ].map((tool): [unknown, string] => [one(ALLOW(tool)), 'overrides[0].tool']),
    [one({ tool: ['demo.echo'], allow: true }), 'overrides[0].tool'],
    [one({ tool: 'demo.echo' }), 'overrides[0].allow'],
    ...[1, 'true', null, {}].map((allow): [unknown, string] => [
      one({ tool: 'demo.echo', allow }),
      'overrides[0].allow',
    ]),
    [one({ ...ALLOW('demo.echo'), deny: true }), 'overrides[0].deny'],
    ...[null, 7, [], 'x'].map((constraints): [unknown, string] => [
      one({ tool: 'demo.echo', allow: true, constraints }),
      'overrides[0].constraints',
    ]),
    [one(ALLOW('demo.echo', { unknown: 1 })), 'overrides[0].constraints.unknown'],
    [one(ALLOW('demo.echo', { texts: 'hi' })), 'overrides[0].constraints.texts'],
    [one(ALLOW('demo.echo', { texts: ['a', 7] })), 'overrides[0].constraints.texts[1]'],
    [one(ALLOW('demo.ping', { texts: [] })), 'overrides[0].constraints'],
    [one(ALLOW('demo.*', { texts: [] })), 'overrides[0].constraints'],
    [one(ALLOW('docker.run', { images: ['hello-world:latest'] })), 'overrides[0].constraints.images[0]'],
    [one(ALLOW('docker.run', { network: true })), 'overrides[0].constraints.network'],
    [one(ALLOW('docker.run', { network_allowed: 'false' })), 'overrides[0].constraints.network_allowed'],
    [one(ALLOW('docker.run', { max_memory_mb: 5 })), 'overrides[0].constraints.max_memory_mb'],
    [one(ALLOW('docker-api.get_logs', { max_tail: 0 })), 'overrides[0].constraints.max_tail'],
    [{ overrides: [ALLOW('demo.echo'), ALLOW('nothing')] }, 'overrides[1].tool'],
    [JSON.parse('{"__proto__": {"overrides": []}}'), 'policy'],
    [JSON.parse('{"overrides": [{"tool": "demo.echo", "allow": true, "__proto__": {}}]}'), 'policy.overrides[0]'],
    [one(ALLOW('demo.echo', { constructor: 1 })), 'policy.overrides[0].constraints'],
    [one({ tool: 'demo.echo', allow: () => true }), 'policy.overrides[0].allow'],
    [one(Object.create({ tool: 'demo.echo', allow: true })), 'policy.overrides[0]'],
  ]
  for (const [document, field] of REFUSED) {
    it(`${JSON.stringify(document)?.slice(0, 70)} names ${field} [S3]`, () => {
      assert.throws(
        () => parsePolicy(document, 1, tools),
        (error: Failure) => {
          assert.deepEqual([error.code, error.details?.field], ['INVALID_INPUT', field])
          return true
        },
      )
    })
  }

  it('an unknown tool is answered with the installed ones', () => {
    assert.throws(() => parsePolicy(one(ALLOW('docker.exec')), 1, tools), /Installed: .*docker\.run/)
  })
})
