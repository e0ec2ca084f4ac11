/** The documents that the routes answer with, as schemas: what the OpenAPI document shows and the tests hold answers against. */
import { z } from 'zod'
import { EVENT_TYPES } from '../core/event.js'
import { FAILURES, type FailureCode } from '../core/failure.js'

const Code = z.enum(Object.keys(FAILURES) as FailureCode[])
const Time = z.string().describe('RFC 3339 UTC with milliseconds')
const Pairs = z.record(z.string(), z.string())
const JsonObject = z.record(z.string(), z.unknown())

export const Health = z.strictObject({
  status: z.enum(['ok', 'degraded']).describe('degraded: the log does not answer, so nothing is accepted; 503'),
  version: z.string(),
  store: z.enum(['ok', 'unavailable']),
  engine: z.enum(['ok', 'unavailable', 'unknown']).describe('unknown: its client cannot tell'),
  role: z.enum(['single', 'shared']).describe('shared: several hosts divide the runs of one store'),
  backlog: z.int().describe('Runs that wait for their turn; with role shared, those of all hosts'),
  running: z.int().describe('Runs that this host executes'),
  host_id: z.string().optional().describe('This host, with role shared'),
  hosts: z.int().optional().describe('Hosts that live, with role shared'),
})

export const ErrorAnswer = z.strictObject({
  error: z.strictObject({
    code: Code,
    message: z.string().describe('What was wrong, with which value, and what to do next'),
    details: JsonObject.optional().describe('Facts for programs: field, status …'),
  }),
})

export const RegisteredSkill = z.strictObject({
  name: z.string(),
  version: z.string(),
  image: z.string().describe('In normal form, pinned by digest'),
  signed: z.boolean().describe('True only for a signature that verifies with a key that is configured now'),
  manifest: JsonObject,
  created_at: Time,
})

export const Tool = z.strictObject({
  name: z.string().describe('The name that policies and intents use'),
  skill: z.string(),
  action: z.string(),
  description: z.string(),
  risk: z.enum(['read', 'write', 'destroy']),
  input: JsonObject.describe('JSON Schema of the params'),
  constraints: JsonObject.nullable().describe('JSON Schema of the constraints a policy may set; null when none'),
})

export const Session = z.strictObject({
  id: z.string(),
  created_at: Time,
  label: z.string(),
  status: z.literal('active'),
  metadata: Pairs,
})

const Override = z.strictObject({
  tool: z.string(),
  allow: z.boolean(),
  constraints: JsonObject.optional(),
})

export const EffectivePolicy = z.strictObject({
  default: z.literal('deny').describe('What no override allows is denied'),
  overrides: z.array(Override),
  version: z.int().describe('Replacements so far, from 0'),
})

export const Decision = z.strictObject({
  decision: z.enum(['allow', 'deny', 'ask']),
  code: z.enum(['ALLOWED', ...(Object.keys(FAILURES) as FailureCode[])]),
  reason: z.string(),
  field: z.string().optional().describe('The param at fault, when one is'),
  rule: z.strictObject({ index: z.int(), tool: z.string() }).optional().describe('The override that decided'),
  suggested_fix: Override.optional().describe('The smallest override that would allow the call'),
  policy_version: z.int(),
})

export const Message = z.strictObject({
  id: z.string(),
  role: z.string(),
  content: z.string(),
  timestamp: Time,
  metadata: Pairs.optional(),
  run_id: z.string().optional(),
})

export const QueuedRun = z.strictObject({ run_id: z.string(), status: z.literal('queued') })

const step = { step_id: z.string().describe('s1, s2 …: one for each intent'), tool: z.string() }

const ToolResult = z
  .strictObject({
    result: z.string().describe('For the model'),
    metadata: z.looseObject({ success: z.boolean(), timestamp: Time }).describe('For the host'),
  })
  .describe("The tool's own answer; absent while it runs and when it was lost")

const Step = z.union([
  z.strictObject({
    ...step,
    type: z.literal('policy_eval'),
    status: z.enum(['allow', 'denied', 'pending']),
    details: Decision,
  }),
  z.strictObject({
    ...step,
    type: z.literal('policy_eval'),
    status: z.literal('skipped'),
    details: z.strictObject({ reason: z.string() }),
  }),
  z.strictObject({
    ...step,
    type: z.literal('tool_exec'),
    status: z.enum(['running', 'ok', 'error', 'unknown']),
    details: z.strictObject({
      result: ToolResult.optional(),
      duration_ms: z.number().optional(),
      capped: z.literal(true).optional().describe('Long texts in the result were cut for the log'),
    }),
  }),
])

export const RunAnswer = z.strictObject({
  id: z.string(),
  session_id: z.string(),
  status: z.enum(['queued', 'running', 'completed', 'failed', 'denied', 'cancelled', 'unknown']),
  reason: z
    .strictObject({ code: Code, message: z.string() })
    .optional()
    .describe('Present whenever the run ended in any way but completed'),
  started_at: Time.nullable().describe('Null until the run leaves the queue'),
  ended_at: Time.optional(),
  steps: z.array(Step),
})

export const LoggedEvent = z.strictObject({
  v: z.literal(1),
  seq: z.int().describe('From 1, without gaps within a session'),
  event_id: z.string(),
  ts: Time,
  session_id: z.string(),
  run_id: z.string().optional(),
  type: z.enum(EVENT_TYPES),
  data: JsonObject,
  prev_hash: z.string().describe('The hash of the event before; 64 zeros for the first'),
  hash: z.string().describe('hex(sha256(prev_hash, RFC 8785 JSON of this event without hash))'),
})

export const Replay = z.strictObject({
  run_id: z.string(),
  mode: z.literal('safe').describe('Nothing was executed'),
  valid: z.boolean().describe("Whether the chain is intact from the run's first event to its last"),
  events: z.array(LoggedEvent),
})

export const AuditValidation = z.strictObject({
  valid: z.boolean(),
  invalid_index: z.int().describe('Position from 0 of the first event that is not intact; -1 when all are'),
  event_count: z.int(),
  session_id: z.string().optional().describe('The chain with the first fault'),
})

/** One page of a list: its items under `name`, and where the next page begins. */
export const page = <N extends string, T extends z.ZodType>(name: N, item: T) => {
  const next_cursor = z.string().nullable().describe('The cursor of the next page; null at the end')
  return z.strictObject({ [name]: z.array(item), next_cursor } as Record<N, z.ZodArray<T>> & {
    next_cursor: typeof next_cursor
  })
}

/** What is named in the document's components. */
export const COMPONENTS = {
  AuditValidation,
  Decision,
  EffectivePolicy,
  Error: ErrorAnswer,
  Event: LoggedEvent,
  Health,
  Message,
  Override,
  QueuedRun,
  RegisteredSkill,
  Replay,
  Run: RunAnswer,
  Session,
  Step,
  Tool,
  ToolResult,
} as const satisfies Record<string, z.ZodType>
