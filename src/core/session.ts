/** Sessions and their messages: what hosts send and what they read back. */
import { z } from 'zod'
import type { DataObject } from './data.js'
import { readEvent, type StoredEvent } from './event.js'
import { parseInput } from './input.js'

const Metadata = z
  .record(z.string().max(1024), z.string().max(1024))
  .refine((pairs) => Object.keys(pairs).length <= 32, 'it must hold at most 32 pairs')

export const SessionInput = z.strictObject({
  label: z.string().max(200).default('').describe('A name for people, at most 200 characters'),
  metadata: Metadata.default({}).describe('At most 32 pairs of strings of at most 1 KiB'),
})
export type SessionInput = z.input<typeof SessionInput>

export interface SessionDocument {
  id: string
  created_at: string
  label: string
  status: 'active'
  metadata: Record<string, string>
}

const MAX_CONTENT_BYTES = 64 * 1024

export const IntentInput = z.strictObject({
  tool: z.string().min(1).max(200).describe('Name of the tool to call'),
  params: z.record(z.string(), z.unknown()).default({}).describe("The tool's params, an object"),
})

export const MessageInput = z.strictObject({
  role: z.enum(['user', 'assistant', 'system', 'tool']).describe('user, assistant, system or tool'),
  content: z
    .string()
    .refine((text) => Buffer.byteLength(text) <= MAX_CONTENT_BYTES, 'it must be at most 64 KiB')
    .describe('The text, at most 64 KiB; it is data and never read for intents'),
  metadata: Metadata.optional().describe('At most 32 pairs of strings of at most 1 KiB'),
  intents: z.array(IntentInput).max(16).default([]).describe('At most 16 tool calls to judge and execute'),
})
export type MessageInput = z.input<typeof MessageInput>
export type ParsedMessage = Omit<z.output<typeof MessageInput>, 'intents'> & {
  intents: { tool: string; params: DataObject }[]
}

export interface MessageDocument {
  id: string
  role: string
  content: string
  timestamp: string
  metadata?: Record<string, string>
  run_id?: string
}

export const parseSessionInput = (value: unknown): z.output<typeof SessionInput> =>
  parseInput(SessionInput, value, 'session')

/** A message with its intents, copied and frozen. Throws INVALID_INPUT for a malformed envelope; params are judged later. */
export const parseMessage = (value: unknown): ParsedMessage =>
  parseInput(MessageInput, value, 'message') as ParsedMessage

/** The message in its event. */
export function toMessage(event: StoredEvent): MessageDocument {
  const { data, ts, run_id } = readEvent(event)
  const { message_id, role, content, metadata } = data as {
    message_id: string
    role: string
    content: string
    metadata?: Record<string, string>
  }
  return {
    id: message_id,
    role,
    content,
    timestamp: ts,
    ...(metadata && { metadata }),
    ...(run_id !== undefined && { run_id }),
  }
}
