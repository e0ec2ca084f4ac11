/** A denial's suggested_fix really allows the call: for random docker.run params under random policies. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { dockerApi } from '../../../skills/docker-api/handler.js'
import { dockerRun } from '../../../skills/docker-run/handler.js'
import { evaluate, type Override, parsePolicy } from '../policy.js'
import type { Tool } from '../tool.js'

const tools: ReadonlyMap<string, Tool> = new Map([...dockerRun.tools, ...dockerApi.tools])
const RUN = tools.get('docker.run') as Tool
const image = fc.constantFrom('a', 'b', 'ghcr.io/c/d').map((name) => `${name}@sha256:${'0'.repeat(64)}`)
const words = fc.array(fc.constantFrom('', 'x', '--flag', 'a b', 'é'), { maxLength: 3 })
const path = fc.constantFrom('/data', '/data/in', '/data/./in', '/data/in/deep', '/database', '/data//in', '/srv/')
const network = fc.constantFrom('own', 'other')
const envName = fc.constantFrom('A', 'B', 'LD_PRELOAD', 'http_proxy', 'NODE_OPTIONS', 'PATH')

const params = fc.record(
  {
    image,
    cmd: words,
    entrypoint: fc.array(fc.constantFrom('sh', '-c'), { minLength: 1, maxLength: 2 }),
    env: fc.dictionary(
      envName,
      fc.string({ maxLength: 5 }).filter((text) => !text.includes('\0')),
    ),
    network: fc.oneof(fc.boolean(), network),
    mounts: fc
      .array(fc.record({ source: path, read_only: fc.boolean() }), { maxLength: 3 })
      .map((mounts) => mounts.map((mount, index) => ({ ...mount, target: `/in${index}` }))),
    memory_mb: fc.integer({ min: 6, max: 4096 }),
    cpus: fc.constantFrom(0.1, 0.5, 1, 2.5, 16),
    timeout_ms: fc.integer({ min: 100, max: 600_000 }),
  },
  { requiredKeys: ['image'] },
)

/** Half of the policies are wide, or hardly any call would be allowed. */
const wide = {
  images: ['a', 'b', 'ghcr.io/c/d'].map((name) => `${name}@sha256:${'0'.repeat(64)}`),
  network_allowed: true,
  mounts_allowed: true,
  mount_roots: ['/data', '/database', '/srv'],
  networks: ['own', 'other'],
}
const narrow = fc.record(
  {
    images: fc.array(image, { maxLength: 3 }),
    repositories: fc.array(fc.constantFrom('a', 'docker.io/library/b', 'ghcr.io/c', 'ghcr.io/c/d'), { maxLength: 2 }),
    registries: fc.array(fc.constantFrom('docker.io', 'GHCR.IO', 'quay.io'), { maxLength: 2 }),
    networks: fc.array(network, { maxLength: 2 }),
    pull: fc.constantFrom('never', 'if-missing'),
    network_allowed: fc.boolean(),
    mounts_allowed: fc.boolean(),
    mount_roots: fc.array(path, { maxLength: 3 }),
    cmd_allowed: fc.boolean(),
    cmd: words,
    entrypoint_allowed: fc.boolean(),
    entrypoint: words,
    env: fc.array(envName, { maxLength: 3 }),
    max_memory_mb: fc.integer({ min: 6, max: 4096 }),
    max_cpus: fc.constantFrom(0.1, 1, 16),
    max_timeout_ms: fc.integer({ min: 100, max: 600_000 }),
    max_pids: fc.integer({ min: 1, max: 4096 }),
    require_signature: fc.boolean(),
  },
  { requiredKeys: [] },
)

const constraints = fc.oneof(
  narrow,
  narrow.map(({ max_pids }) => ({ ...wide, ...(max_pids !== undefined && { max_pids }) })),
)

const overrides = fc.array(
  fc.record({ tool: fc.constantFrom('docker.run', 'docker.*'), allow: fc.constant(true), constraints }),
  { maxLength: 3 },
)

const judge = (tool: Tool, document: { overrides: Override[] }, input: Record<string, unknown>) =>
  evaluate(parsePolicy(document, 1, tools), tool, tool.parse(input)).decision

describe('suggested_fix', () => {
  it('allows the denied docker.run, added to the policy or alone, for any params and policy', () => {
    const seen = { allow: 0, deny: 0, ask: 0 }
    fc.assert(
      fc.property(overrides, params, (rules, input) => {
        const denied = judge(RUN, { overrides: rules }, input)
        seen[denied.decision] += 1
        if (denied.decision === 'allow') return
        assert.ok(denied.suggested_fix !== undefined, denied.reason)
        for (const fixed of [[...rules, denied.suggested_fix], [denied.suggested_fix]]) {
          assert.equal(judge(RUN, { overrides: fixed }, input).decision, 'allow')
        }
        // What is asked of the world, beside the params, is no obstacle to them and stays as it was stated.
        const stated: Override['constraints'] = rules[denied.rule?.index ?? -1]?.constraints
        assert.equal(denied.suggested_fix.constraints?.require_signature, stated?.require_signature)
      }),
      { numRuns: 1_000 },
    )
    // Both answers must have been tried, or the property above says nothing.
    assert.ok(seen.allow > 20 && seen.deny > 200, JSON.stringify(seen))
  })

  it('opens nothing that the call did not need', () => {
    const plain = { image: `a@sha256:${'0'.repeat(64)}` }
    const denied = judge(RUN, { overrides: [] }, plain)
    assert.deepEqual(denied.suggested_fix, { tool: 'docker.run', allow: true, constraints: { images: [plain.image] } })
  })

  const full = Array.from({ length: 256 }, (_, index) => `a@sha256:${index.toString(16).padStart(64, '0')}`)
  const FULL: [what: string, constraints: Record<string, unknown>, input: Record<string, unknown>][] = [
    ['images', { images: full }, { image: `b@sha256:${'0'.repeat(64)}` }],
    [
      'mount_roots',
      { images: full, mounts_allowed: true, mount_roots: Array.from({ length: 32 }, (_, index) => `/root${index}`) },
      { image: full[0], mounts: [{ source: '/data', target: '/in' }] },
    ],
    [
      'env names',
      { images: full, env: Array.from({ length: 256 }, (_, index) => `A${index}`) },
      { image: full[0], env: { B: '' } },
    ],
  ]
  for (const [what, narrowed, input] of FULL) {
    it(`is a valid override even when the policy's ${what} are as many as there may be`, () => {
      const document = { overrides: [{ tool: 'docker.run', allow: true, constraints: narrowed }] }
      const { decision, suggested_fix } = judge(RUN, document, input)
      assert.equal(decision, 'deny')
      assert.ok(suggested_fix !== undefined)
      assert.equal(judge(RUN, { overrides: [suggested_fix] }, input).decision, 'allow')
    })
  }

  it('raises max_tail of get_logs and keeps the rest of the override', () => {
    const tool = tools.get('docker-api.get_logs') as Tool
    const input = { containerId: 'x', tail: 500 }
    const document = {
      overrides: [{ tool: 'docker-api.*', allow: true, constraints: { containers: ['x*'], max_tail: 10 } }],
    }
    const { suggested_fix } = judge(tool, document, input)
    assert.deepEqual(suggested_fix?.constraints, { containers: ['x*'], max_tail: 500 })
    assert.equal(judge(tool, { overrides: [suggested_fix as Override] }, input).decision, 'allow')
  })
})
