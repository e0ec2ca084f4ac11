/** The session policy: a document of overrides over "deny", parsed against the installed tools, and its judgement. */
import { z } from 'zod'
import type { Redactor } from '../redaction/index.js'
import { canonical, type Data, type DataObject } from './data.js'
import { describe, Failure, type FailureCode, isFailure } from './failure.js'
import { parseInput } from './input.js'
import type { Objection, Tool } from './tool.js'

const Override = z.strictObject({
  tool: z.string().min(1).max(200).describe('A tool name, or prefix.* for all tools of that prefix'),
  allow: z.boolean().describe('true to allow, false to deny; a deny wins over every allow'),
  constraints: z.record(z.string(), z.unknown()).optional().describe("What the tool's module can narrow"),
})

export const PolicyDocument = z.strictObject({
  overrides: z.array(Override).max(256).default([]).describe('At most 256 overrides'),
})

/** One line of a policy. `constraints` has the vocabulary of the tool's module: see `GET /v1/tools`. */
export type Override = { tool: string; allow: boolean; constraints?: Record<string, unknown> }
/** What a host sends: everything that no override allows is denied. */
export type PolicyDocument = { overrides: Override[] }
/** The policy in force. `version` counts replacements from 0. */
export type EffectivePolicy = { default: 'deny'; overrides: Override[]; version: number }

/** What the policy says of one call, as data. `ask` is reserved for approvals; no policy document produces it yet. */
export interface Decision {
  decision: 'allow' | 'deny' | 'ask'
  code: 'ALLOWED' | FailureCode
  reason: string
  /** The param at fault, when one is. */
  field?: string
  /** The override that decided, by its place in the document; absent when the default did. */
  rule?: { index: number; tool: string }
  /** The smallest override that would allow the call; absent when a deny stands in its way. */
  suggested_fix?: Override
  policy_version: number
}

interface Rule {
  index: number
  tool: string
  allow: boolean
  /** The parsed constraints for each tool that the rule matches. */
  constraints: Map<string, unknown>
}

export interface Policy {
  readonly document: PolicyDocument
  readonly version: number
  readonly rules: readonly Rule[]
}

export const EMPTY_POLICY: Policy = { document: { overrides: [] }, version: 0, rules: [] }

/** Parses a policy document against the installed tools. Throws INVALID_INPUT naming the override and its field. */
export function parsePolicy(value: unknown, version: number, tools: ReadonlyMap<string, Tool>): Policy {
  const document = parseInput(PolicyDocument, value, 'policy') as PolicyDocument
  const rules = document.overrides.map((override, index) => parseRule(override, index, tools))
  return { document, version, rules }
}

function parseRule({ tool, allow, constraints = {} }: Override, index: number, tools: ReadonlyMap<string, Tool>): Rule {
  const field = `overrides[${index}]`
  const matched = [...tools.values()].filter(({ meta }) => covers(tool, meta.name))
  if (matched.length === 0) {
    throw new Failure(
      'INVALID_INPUT',
      `${field}.tool ${describe(tool)} is no installed tool. Installed: ${[...tools.keys()].join(', ')}.`,
      {
        details: { field: `${field}.tool` },
      },
    )
  }
  const parsed = new Map<string, unknown>()
  for (const { meta, parseConstraints } of matched) {
    try {
      parsed.set(
        meta.name,
        meta.constraints === null && Object.keys(constraints).length === 0 ? undefined : parseConstraints(constraints),
      )
    } catch (error) {
      if (!isFailure(error)) throw error
      const inner =
        error.details?.field === undefined ? '' : `.${String(error.details.field).replace(/^constraints\.?/, '')}`
      throw new Failure('INVALID_INPUT', `${field}.constraints for ${meta.name}: ${error.message}`, {
        details: { field: `${field}.constraints${inner === '.' ? '' : inner}` },
      })
    }
  }
  return { index, tool, allow, constraints: parsed }
}

/** `docker.*` covers every tool named `docker.…`; anything else only the tool of that name. */
const covers = (pattern: string, name: string): boolean =>
  pattern.endsWith('.*') && pattern.length > 2 ? name.startsWith(pattern.slice(0, -1)) : pattern === name

/** Whether the policy could allow some call of the tool: an allow matches it, and no deny does. Pure. */
export function couldAllow({ rules }: Policy, { meta }: Tool): boolean {
  const matching = rules.filter(({ constraints }) => constraints.has(meta.name))
  return matching.length > 0 && matching.every(({ allow }) => allow)
}

/** Judges one parsed call: a matching deny wins, else the first allow whose constraints have no objection. Pure. */
export function evaluate(policy: Policy, tool: Tool, input: DataObject): { decision: Decision; constraints: unknown } {
  const { name } = tool.meta
  const matching = policy.rules.filter(({ constraints }) => constraints.has(name))
  const denied = matching.find(({ allow }) => !allow)
  const deny = (
    reason: string,
    rule?: Rule,
    fix?: Record<string, unknown>,
  ): { decision: Decision; constraints: undefined } => ({
    constraints: undefined,
    decision: {
      decision: 'deny',
      code: 'DENIED',
      reason,
      ...(rule && { rule: { index: rule.index, tool: rule.tool } }),
      ...(fix && {
        suggested_fix: { tool: name, allow: true, ...(Object.keys(fix).length > 0 && { constraints: fix }) },
      }),
      policy_version: policy.version,
    },
  })
  if (denied !== undefined)
    return deny(`Override ${denied.index} (${denied.tool}) denies ${name}. Remove it to allow the call.`, denied)

  let nearest: { rule: Rule; objection: Objection } | undefined
  for (const rule of matching) {
    const constraints = rule.constraints.get(name)
    const objection = tool.judge(input, constraints)
    if (objection !== undefined) {
      nearest ??= { rule, objection }
      continue
    }
    const decision: Decision = {
      decision: 'allow',
      code: 'ALLOWED',
      reason: `Override ${rule.index} (${rule.tool}) allows ${name}.`,
      rule: { index: rule.index, tool: rule.tool },
      policy_version: policy.version,
    }
    return { decision, constraints }
  }

  if (nearest !== undefined) {
    const { rule, objection } = nearest
    const stated = policy.document.overrides[rule.index]?.constraints
    return deny(`${objection.reason}.`, rule, { ...stated, ...objection.fix })
  }
  const strictest = tool.meta.constraints === null ? undefined : tool.judge(input, tool.parseConstraints({}))
  return deny(`No override allows ${name}, and the default is deny.`, undefined, {
    ...tool.suggest(input),
    ...strictest?.fix,
  })
}

export const effective = ({ document, version }: Policy): EffectivePolicy => ({
  default: 'deny',
  overrides: document.overrides,
  version,
})

/** The policy in force is the one in the log, and the log holds no secrets: a policy must do without them. */
export function assertLoggable({ document }: Policy, redactor: Redactor): void {
  const index = document.overrides.findIndex(
    (override) => canonical(redactor.value(override) as Data) !== canonical(override as unknown as Data),
  )
  if (index < 0) return
  throw new Failure(
    'INVALID_INPUT',
    `overrides[${index}] holds what looks like a secret, and policies are logged. Pass secrets in another way.`,
    { details: { field: `overrides[${index}]` } },
  )
}
