/** skillgate: what hosts embed and skill authors use. The edges have entry points of their own. */
export type { AuditPage, AuditQuery } from './core/audit.js'
export type { DataObject } from './core/data.js'
export type { Event, EventType, StoredEvent } from './core/event.js'
export { FAILURES, Failure, type FailureCode, isFailure } from './core/failure.js'
export {
  createGate,
  type Gate,
  type GateHealth,
  type GateOptions,
  type SimulateInput,
} from './core/gate.js'
export type { Keyed } from './core/idempotency.js'
export { type PinnedImage, parsePinnedImage } from './core/image.js'
export type { PageRequest } from './core/page.js'
export type { Decision, EffectivePolicy, Override, PolicyDocument } from './core/policy.js'
export type { Logger, ProviderClient, PullProgress, RequestOptions } from './core/provider.js'
export type { RegisteredSkill, SkillRegistration } from './core/registry.js'
export type { AuditValidation, Replay } from './core/replay.js'
export type { Run, RunDocument, RunReason, RunStatus, Step } from './core/run.js'
export type { RunOutcome, RunSpec } from './core/run-spec.js'
export type { MessageDocument, MessageInput, SessionDocument, SessionInput } from './core/session.js'
export type { Session } from './core/sessions.js'
export {
  type Action,
  type ActionContext,
  type ActionDefinition,
  action,
  defineSkill,
  type Objection,
  type Risk,
  type Skill,
  type SkillContext,
  type SkillDefinition,
  type SkillError,
  type SkillMeta,
  type SkillResult,
  type Tool,
  type ToolMeta,
  type Validation,
} from './core/skill.js'
export type {
  AppendOptions,
  EventQuery,
  KeptAnswer,
  OpenRun,
  PositionedEvent,
  SharedRuns,
  Store,
} from './core/store.js'
export type { Ending, ObservedCall, ObservedRun, RunCount, Telemetry } from './core/telemetry.js'
export { createRedactor, type Redactor } from './redaction/index.js'
