/** The skill contract: declare actions, and lookup, validation, deadline, errors, caps and redaction come with them. */
import type { z } from 'zod'
import { createRedactor, type Redactor } from '../redaction/index.js'
import { ask, getClient, providerNotConfigured, requestOptions, resolveTimeout } from './client.js'
import { type DataObject, omit, parseObject } from './data.js'
import { race } from './deadline.js'
import { describe, FAILURES, Failure, type FailureCode, isFailure } from './failure.js'
import { type JsonSchema, parseInput, toJsonSchema } from './input.js'
import { containLogger, type Logger } from './provider.js'
import { createRedactedOutput } from './redacted-output.js'
import { failureResult, successResult } from './result.js'
import { withSignal } from './stop.js'
import type { Objection, Risk, SkillContext, SkillResult, Tool, ToolMeta, Validation } from './tool.js'

// The skill author's surface is this module, failure.ts, image.ts, run-spec.ts and the redaction.
export { getClient, providerNotConfigured, requestWithTimeout, resolveTimeout } from './client.js'
export { failureResult } from './result.js'
export type { Objection, Risk, SkillContext, SkillError, SkillResult, Tool, ToolMeta, Validation } from './tool.js'

/** What an action's `run` may use. It has no other way to the world. */
export interface ActionContext<C> {
  /** One request to the injected client, within the call's deadline. Rejects with a Failure. */
  request(method: string, path: string, body?: unknown): Promise<unknown>
  /** What the policy narrowed; undefined when nothing did or there is no policy. */
  constraints: C | undefined
  /** Whether an image is one of a registered skill whose signature verifies now; undefined without a gate. */
  isSigned: SkillContext['isSigned']
  /** The call in the host's log, when a gate makes it. */
  runId: SkillContext['runId']
  /** Fires at the deadline and on the host's abort. */
  signal: AbortSignal
}

/** What an action answers: `text` for the model, `data` for the host; both are redacted and capped on their way out. */
export interface ActionAnswer {
  text: string
  data: Record<string, unknown>
}

export interface ActionDefinition<I, C> {
  description: string
  risk: Risk
  /** A strict object schema; the one source of validation, JSON Schema and documentation. */
  input: z.ZodType<I>
  /** What a policy can narrow: a strict object schema in which `{}` is valid and narrows nothing it need not. */
  constraints?: z.ZodType<C>
  /** What these constraints have against this input, seen from the input alone. Pure and quick. */
  judge?(input: I, constraints: C): Objection | undefined
  /** The narrowest constraints that allow this input, for a policy's `suggested_fix`. */
  suggest?(input: NoInfer<I>): Record<string, unknown>
  /** Milliseconds for the call where it is not the skill's own timeout, and for a clean ending after an abort. */
  timing?(input: I, constraints: C | undefined): { deadlineMs: number; abortGraceMs?: number }
  run(input: I, context: ActionContext<C>): Promise<ActionAnswer>
  /**
   * Tells what became of a `run` under the same `runId` whose host died, and executes nothing: its answer, the Failure
   * that it ended with, or `not_started` when that is certain. Throws when it cannot be told: retriable for now, else ever.
   */
  recover?(input: NoInfer<I>, context: ActionContext<C>): Promise<ActionAnswer | Failure | 'not_started'>
}

/** An action with its types erased, as `defineSkill` takes it. */
export type Action = ActionDefinition<never, never>

/** Declares one action; see {@link defineSkill}. */
export function action<I, C = undefined>(definition: ActionDefinition<I, C>): Action {
  return definition as unknown as Action
}

export interface SkillDefinition {
  /** Lower-case letters, digits and hyphens, as in SKILL.md. */
  name: string
  version: string
  description: string
  layer: string
  /** What the provider stands for in messages, e.g. `Docker`. */
  system: string
  /** First part of the tool names; default: the skill's name. */
  toolPrefix?: string
  /** Milliseconds: when the host sets no timeout, and the most it can set. Default 15 000 and 30 000. */
  timeouts?: { defaultMs: number; maxMs: number }
  /** Provider and host failures that pass as they are, beside the five codes every skill answers with. */
  codes?: readonly FailureCode[]
  actions: Readonly<Record<string, Action>>
}

export interface SkillMeta {
  name: string
  version: string
  description: string
  layer: string
  actions: string[]
  tools: ToolMeta[]
}

export interface Skill {
  readonly meta: SkillMeta
  /** By tool name. */
  readonly tools: ReadonlyMap<string, Tool>
  /** Checks everything that `execute` checks, without effects. Never throws. */
  validate(params: unknown): Validation
  /** Runs `params.action` with the other params. Never rejects: every failure is a documented error result. */
  execute(params: unknown, context?: SkillContext): Promise<SkillResult>
}

const STANDARD_CODES: readonly FailureCode[] = [
  'INVALID_ACTION',
  'INVALID_INPUT',
  'PROVIDER_NOT_CONFIGURED',
  'TIMEOUT',
  'UPSTREAM_ERROR',
  'DENIED',
]
const plainRedactor = createRedactor({ placeholder: 'plain' })

/**
 * Makes a skill from its actions.
 *
 * @example
 * ```ts
 * import { action, defineSkill } from 'skillgate'
 * import { z } from 'zod'
 *
 * const ping = action({
 *   description: 'Ask whether the service is up.',
 *   risk: 'read',
 *   input: z.strictObject({ region: z.string().max(20).describe('Region to ask.') }),
 *   async run({ region }, { request }) {
 *     const answer = await request('GET', `/ping?region=${encodeURIComponent(region)}`)
 *     return { text: `Up in ${region}`, data: { answer } }
 *   },
 * })
 *
 * export const status = defineSkill({
 *   name: 'status', version: '1.0.0', description: 'Service status.', layer: 'L1', system: 'Status',
 *   actions: { ping },
 * })
 * export const { meta, validate, execute } = status
 * ```
 */
export function defineSkill(definition: SkillDefinition): Skill {
  const { name, version, description, layer, actions, toolPrefix = name } = definition
  const byAction = new Map<string, Tool>()
  const tools = new Map<string, Tool>()
  for (const [actionName, declared] of Object.entries(actions)) {
    const tool = createTool(definition, `${toolPrefix}.${actionName}`, actionName, declared)
    byAction.set(actionName, tool)
    tools.set(tool.meta.name, tool)
  }
  const names = [...byAction.keys()]

  /** The tool that the params ask for, and the rest of them. Absent params are params without an action. */
  function choose(params: unknown): { tool: Tool; rest: DataObject } {
    const given = parseObject(params ?? {}, 'params')
    const requested = given.action
    const only = names.length === 1 ? names[0] : undefined
    const wanted = requested ?? only
    const tool = typeof wanted === 'string' ? byAction.get(wanted) : undefined
    if (tool !== undefined) return { tool, rest: omit(given, (key) => key === 'action') }
    const problem = wanted === undefined ? 'action is missing' : `Unknown action ${describe(wanted)}`
    throw new Failure('INVALID_ACTION', `${problem}. Valid actions: ${names.join(', ')}.`, {
      details: { field: 'action' },
    })
  }

  function validate(params: unknown): Validation {
    try {
      const { tool, rest } = choose(params)
      tool.parse(rest)
      return { valid: true }
    } catch (error) {
      const { code, message, details } = asFailure(error)
      const field = details?.field === undefined ? {} : { field: String(details.field) }
      return { valid: false, error: plainRedactor.text(message), code, ...field }
    }
  }

  function execute(params: unknown, context?: SkillContext): Promise<SkillResult> {
    let chosen: Tool | undefined
    try {
      const { tool, rest } = choose(params)
      chosen = tool
      return tool.perform(tool.parse(rest), context ?? {})
    } catch (error) {
      return Promise.resolve(failureResult(asFailure(error), chosen?.meta.action, redactorOf(context)))
    }
  }

  return {
    meta: { name, version, description, layer, actions: names, tools: [...tools.values()].map((tool) => tool.meta) },
    tools,
    validate,
    execute,
  }
}

function createTool(skill: SkillDefinition, name: string, actionName: string, declared: Action): Tool {
  const { input: inputSchema, constraints: constraintsSchema } = declared
  const schema = (zod: z.ZodType): JsonSchema => toJsonSchema(zod)
  const definition = declared as unknown as ActionDefinition<DataObject, unknown>
  const { recover: tell } = definition

  async function perform(
    input: DataObject,
    context: SkillContext,
    run: typeof definition.run = definition.run,
  ): Promise<SkillResult> {
    let asked = false
    let redactor: Redactor = plainRedactor
    let logger: Logger | undefined
    let live: ReturnType<typeof createRedactedOutput> | undefined
    try {
      redactor = context.redactor ?? plainRedactor
      logger = context.logger
      const { onOutput, onProgress, runId, recorded } = context
      if (onOutput !== undefined) live = createRedactedOutput(onOutput, redactor, containLogger(logger))
      const told = { onOutput: live?.push, onProgress, runId, recorded }
      const chosen = getClient(context)
      if (chosen === null) throw providerNotConfigured(skill.name, skill.system)
      const constraints = context.constraints === undefined ? undefined : parseConstraints(context.constraints)
      const { deadlineMs, abortGraceMs = 0 } = definition.timing?.(input, constraints) ?? {
        deadlineMs: resolveTimeout(context, skill.timeouts),
      }
      const deadline = Date.now() + deadlineMs
      const { text, data } = await race(
        (stop) =>
          run(
            input,
            withSignal<Omit<ActionContext<unknown>, 'signal'>>(
              {
                constraints,
                isSigned: context.isSigned,
                runId,
                request(method, path, body) {
                  // A call that ended while its action looked elsewhere begins nothing more.
                  if (stop.signal.aborted) return Promise.reject(stop.signal.reason)
                  asked = true
                  const timeoutMs = Math.max(1, deadline - Date.now())
                  return ask(chosen.client, skill.system, method, path, body, requestOptions(stop, timeoutMs, told))
                },
              },
              stop,
            ),
          ),
        { timeoutMs: deadlineMs, abortGraceMs, signal: context.signal },
      )
      return successResult({ action: actionName, layer: skill.layer, text, data }, redactor)
    } catch (error) {
      return failureResult(settle(error, asked, containLogger(logger)), actionName, redactor)
    } finally {
      live?.end()
    }
  }

  /** As `perform`, whose result counts only when the action has told something. */
  async function recover(
    tell: NonNullable<typeof definition.recover>,
    input: DataObject,
    context: SkillContext,
  ): Promise<SkillResult | 'not_started'> {
    let told: Awaited<ReturnType<typeof tell>> | undefined
    const result = await perform(input, context, async (...call) => {
      told = await tell(...call)
      if (isFailure(told)) throw told
      return told === 'not_started' ? { text: told, data: {} } : told
    })
    if (told === 'not_started') return told
    if (told !== undefined || result.metadata.success) return result
    const { code, message, retriable, details } = result.metadata.error
    throw new Failure(code, message, { retriable, details })
  }

  /** One of the skill's documented codes, whatever went wrong. */
  function settle(error: unknown, asked: boolean, logger: Logger): Failure {
    const failure = isFailure(error) ? error : unprocessable(error, skill.system)
    if (failure.cause !== undefined) logger.error(`${name}: ${failure.message}`, { cause: failure.cause })
    const { code, message, partial } = failure
    const stopped = code === 'TIMEOUT' || code === 'ABORTED'
    // A program that is accounted for is not in progress, and neither is what was never asked for or only waited its turn.
    const mayComplete = stopped && asked && definition.risk !== 'read' && partial === undefined
    const details = { ...(mayComplete && { in_progress: true }), ...failure.details }
    if (STANDARD_CODES.includes(code) || skill.codes?.includes(code)) {
      return new Failure(code, message, { retriable: failure.retriable, details, partial })
    }
    if (code === 'ABORTED') return new Failure('TIMEOUT', message, { details, partial })
    return new Failure('UPSTREAM_ERROR', message, {
      details: { status: FAILURES[code].status, ...details },
      retriable: failure.retriable,
      partial,
    })
  }

  function parseConstraints(constraints: unknown): unknown {
    if (constraintsSchema === undefined) {
      throw new Failure('INVALID_INPUT', `${name} takes no constraints. Leave them out.`, {
        details: { field: 'constraints' },
      })
    }
    return parseInput(constraintsSchema, constraints, 'constraints')
  }

  return {
    meta: {
      name,
      skill: skill.name,
      action: actionName,
      description: declared.description,
      risk: declared.risk,
      input: schema(inputSchema),
      constraints: constraintsSchema === undefined ? null : schema(constraintsSchema),
    },
    parse: (params) => parseInput(inputSchema as z.ZodType<DataObject>, params, 'params'),
    parseConstraints,
    judge: (input, constraints) => definition.judge?.(input, constraints),
    suggest: (input) => definition.suggest?.(input) ?? {},
    perform: (input, context) => perform(input, context),
    ...(tell !== undefined && { recover: (input, context) => recover(tell, input, context) }),
  }
}

const unprocessable = (error: unknown, system: string): Failure =>
  new Failure('UPSTREAM_ERROR', `The answer of the ${system} provider could not be processed.`, {
    retriable: false,
    cause: error,
  })

/** The context is the host's, and reading it may throw. */
function redactorOf(context: SkillContext | undefined): Redactor {
  try {
    return context?.redactor ?? plainRedactor
  } catch {
    return plainRedactor
  }
}

const asFailure = (error: unknown): Failure =>
  isFailure(error) ? error : new Failure('INVALID_INPUT', 'params could not be read.', { cause: error })
