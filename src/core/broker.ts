/** The broker: judges calls against a policy, and executes only what it judged to be allowed, exactly as it was judged. */
import type { Redactor } from '../redaction/index.js'
import { canonical, type Data, type DataObject, parseObject, sha256 } from './data.js'
import { race } from './deadline.js'
import { Failure, isFailure } from './failure.js'
import { type Decision, evaluate, type Policy } from './policy.js'
import type { Logger, ProviderClient } from './provider.js'
import type { Skill } from './skill.js'
import type { Listeners, SkillContext, SkillResult, Tool } from './tool.js'

/** A wish to call a tool, as a model states it. */
export interface Intent {
  tool: string
  params: DataObject
}

/** A call that was judged. Only the broker that made it can execute it, and only once. */
export interface Call {
  readonly tool: string
  readonly input: DataObject
}

export interface Judgement {
  decision: Decision
  /** What will be executed: the parsed input, or the params as sent when they did not parse. */
  params: DataObject
  /** sha256 of the canonical params, in full. */
  params_hash: string
  /** Present when the decision is `allow`. */
  call?: Call
}

export interface Broker {
  readonly tools: ReadonlyMap<string, Tool>
  judge(policy: Policy, intent: Intent): Judgement
  /** Whether `judge` would answer `allow`. */
  allows(policy: Policy, intent: Intent): boolean
  execute(call: Call, options?: CallOptions): Promise<SkillResult>
  /** What came of a call that a host which is gone was executing. Starts nothing; rejects when that cannot be told now. */
  recover(intent: Intent, options: CallOptions): Promise<SkillResult | 'not_started'>
  /** The id of the engine behind a tool whose calls can be recovered there; undefined when there is none, or it is away. */
  engineOf(tool: string, signal: AbortSignal): Promise<string | undefined>
}

type CallOptions = Pick<SkillContext, 'signal' | 'runId' | 'recorded'> & Listeners

export interface BrokerOptions {
  skills: readonly Skill[]
  /** The client for every skill that `providers` does not name. */
  providerClient?: ProviderClient | undefined
  gatewayClient?: ProviderClient | undefined
  /** A client of its own for a skill, by the skill's name. */
  providers?: Readonly<Record<string, ProviderClient>> | undefined
  redactor: Redactor
  logger?: Logger | undefined
  timeoutMs?: number | undefined
  isSigned?: SkillContext['isSigned']
}

export function createBroker({
  skills,
  providerClient,
  gatewayClient,
  providers = {},
  redactor,
  logger,
  timeoutMs,
  isSigned,
}: BrokerOptions): Broker {
  const tools = new Map<string, Tool>()
  for (const skill of skills) {
    for (const [name, tool] of skill.tools) {
      if (tools.has(name))
        throw new Failure(
          'INVALID_INPUT',
          `Two skills bring a tool named ${name}. Give one of them another toolPrefix.`,
        )
      tools.set(name, tool)
    }
  }
  const allowed = new WeakMap<Call, { tool: Tool; constraints: unknown }>()

  function judge(policy: Policy, { tool: name, params }: Intent): Judgement {
    const refuse = (
      code: 'UNKNOWN_TOOL' | 'INVALID_INPUT' | 'INTERNAL',
      reason: string,
      field?: unknown,
    ): Judgement => ({
      decision: {
        decision: 'deny',
        code,
        reason,
        ...(field !== undefined && { field: String(field) }),
        policy_version: policy.version,
      },
      params,
      params_hash: sha256(canonical(params)),
    })
    const tool = tools.get(name)
    if (tool === undefined) {
      const where = 'gate.tools(), or GET /v1/tools over HTTP, lists those there are.'
      return refuse('UNKNOWN_TOOL', `No installed skill has a tool ${JSON.stringify(name)}; ${where}`)
    }
    let input: DataObject
    let verdict: ReturnType<typeof evaluate>
    try {
      input = tool.parse(withoutAction(params, tool))
      verdict = evaluate(policy, tool, input)
    } catch (error) {
      if (isFailure(error)) return refuse('INVALID_INPUT', error.message, error.details?.field)
      logger?.error(`${name} failed to judge a call, which is denied.`, { error })
      return refuse('INTERNAL', `${name} could not judge this call, so it is denied.`)
    }
    const { decision, constraints } = verdict
    const judged: Judgement = { decision, params: input, params_hash: sha256(canonical(input as Data)) }
    if (decision.decision !== 'allow') return judged
    const call: Call = Object.freeze({ tool: name, input })
    allowed.set(call, { tool, constraints })
    return { ...judged, call }
  }

  const contextOf = ({ meta }: Tool, constraints: unknown, options: CallOptions): SkillContext => ({
    providerClient: providers[meta.skill] ?? providerClient,
    gatewayClient,
    logger,
    redactor,
    constraints,
    config: { timeoutMs },
    isSigned,
    ...options,
  })

  async function execute(call: Call, options: CallOptions = {}): Promise<SkillResult> {
    const judged = allowed.get(call)
    if (judged === undefined)
      throw new Failure('DENIED', 'Only a call that this broker judged, and did not execute yet, can be executed.')
    allowed.delete(call)
    const { tool, constraints } = judged
    return tool.perform(call.input, contextOf(tool, constraints, options))
  }

  async function recover({ tool: name, params }: Intent, options: CallOptions): Promise<SkillResult | 'not_started'> {
    const tool = tools.get(name)
    if (tool?.recover === undefined) throw new Failure('UNKNOWN_TOOL', `No installed skill can recover ${name}.`)
    return tool.recover(tool.parse(withoutAction(params, tool)), contextOf(tool, undefined, options))
  }

  async function engineOf(name: string, signal: AbortSignal): Promise<string | undefined> {
    const tool = tools.get(name)
    if (tool?.recover === undefined) return undefined
    const client = providers[tool.meta.skill] ?? providerClient ?? gatewayClient
    // Without an engine the call itself will say what is wrong.
    const asked = race(async () => client?.engineId?.(), { timeoutMs: ENGINE_MS, signal })
    return asked.catch(() => undefined)
  }

  const allows = (policy: Policy, intent: Intent): boolean => judge(policy, intent).call !== undefined

  return { tools, judge, allows, execute, recover, engineOf }
}

const ENGINE_MS = 10_000

/** An intent names its action in the tool; a model that repeats it in the params means the same call. */
function withoutAction(params: DataObject, { meta }: Tool): DataObject {
  const { action, ...rest } = parseObject(params, 'params')
  return action === meta.action ? rest : params
}
