/** What a skill's action looks like from outside: a tool with a name, a risk and schemas, and the result it answers with. */
import type { Redactor } from '../redaction/index.js'
import type { DataObject } from './data.js'
import type { FailureCode } from './failure.js'
import type { JsonSchema } from './input.js'
import type { Logger, ProviderClient, RequestOptions } from './provider.js'

/** What an action can do to the world: look, change, or change beyond repair. */
export type Risk = 'read' | 'write' | 'destroy'

/** All the power a skill has. The host supplies it; everything is optional, and missing means refused. */
export interface SkillContext {
  /** Preferred. Holds the host's own credentials (BYOK). */
  providerClient?: ProviderClient | undefined
  /** Used when there is no providerClient. */
  gatewayClient?: ProviderClient | undefined
  /** `timeoutMs`: milliseconds for the whole call, lowered to the skill's maximum; nonsense means the default. */
  config?: { timeoutMs?: number | undefined } | undefined
  /** Cancels the call. */
  signal?: AbortSignal | undefined
  /** Receives causes that a caller must not see. */
  logger?: Logger | undefined
  /** What a policy narrowed; absent when the skill is called directly. */
  constraints?: unknown
  /** Removes the host's registered secrets too; without it the built-in rules alone apply. */
  redactor?: Redactor | undefined
  /** Whether an image is one of a registered skill whose signature verifies now; a gate supplies it from its registry. */
  isSigned?: ((reference: string) => Promise<boolean>) | undefined
  /** A program's output as it arrives (docker-run). */
  onOutput?: RequestOptions['onOutput']
  /** How far the pull of an image has come (docker-run). */
  onProgress?: RequestOptions['onProgress']
  /** Names the call in the host's log; a provider may mark with it what it makes. */
  runId?: RequestOptions['runId']
  /** Settles when the result is durable in the host's log, or could not be written. */
  recorded?: RequestOptions['recorded']
}

/** What a host listens to while a call is executed. */
export type Listeners = Pick<SkillContext, 'onOutput' | 'onProgress'>

export interface SkillError {
  code: FailureCode
  message: string
  retriable: boolean
  details?: Record<string, unknown>
}

/** `result` is for the model, `metadata` for the host. Source: "Return Format" of the Docker Engine API Skill document. */
export interface SkillResult {
  result: string
  metadata:
    | ({ success: true; action: string; layer: string; timestamp: string } & Record<string, unknown>)
    | ({ success: false; action?: string; error: SkillError; timestamp: string } & Record<string, unknown>)
}

export type Validation = { valid: true } | { valid: false; error: string; code: FailureCode; field?: string }

/** Why a policy's constraints refuse a call, and the constraints that would allow it. */
export interface Objection {
  reason: string
  fix?: Record<string, unknown>
}

export interface ToolMeta {
  /** The name a policy and an intent use, e.g. `docker-api.list_containers` or `docker.run`. */
  name: string
  skill: string
  action: string
  description: string
  risk: Risk
  /** JSON Schema of the params. */
  input: JsonSchema
  /** JSON Schema of the constraints that a policy may set; null when there are none. */
  constraints: JsonSchema | null
}

/** One action as the policy and the broker use it: parse once, judge, perform. */
export interface Tool {
  readonly meta: ToolMeta
  /** The frozen input of a call, or INVALID_INPUT. Nothing later reads the raw params again. */
  parse(params: unknown): DataObject
  /** The frozen constraints of a policy's override, or INVALID_INPUT. */
  parseConstraints(constraints: unknown): unknown
  /** What the constraints have against this input, as far as the input alone can show. Pure. */
  judge(input: DataObject, constraints: unknown): Objection | undefined
  /** The narrowest constraints that allow this input, beside those that `judge` asks for. */
  suggest(input: DataObject): Record<string, unknown>
  /** Executes a parsed input. Never rejects. */
  perform(input: DataObject, context: SkillContext): Promise<SkillResult>
  /**
   * What became of a call that a host began under `context.runId` and did not live to record; `not_started` is definite.
   * Executes nothing. Rejects with a Failure when it cannot be told: now, if `retriable`, else ever. Absent when the
   * action knows no way to tell.
   */
  recover?(input: DataObject, context: SkillContext): Promise<SkillResult | 'not_started'>
}
