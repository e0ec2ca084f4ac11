/** The log as a text of lines, and its verification from that text alone: no store, no host, nothing trusted. */
import { canonical, type Data } from './data.js'
import { createVerifier, type Event, readEvent, type StoredEvent } from './event.js'
import { readAll, type Store } from './store.js'

/** One event for each line, as RFC 8785 JSON with its hash; chain by chain in ascending order of their ids. */
export async function* exportLog(store: Store, sessionId?: string): AsyncGenerator<string> {
  if (sessionId !== undefined) return yield* exportChain(store, sessionId)
  for (let after = ''; ; ) {
    const ids = await store.chains({ after, limit: 200 })
    for (const id of ids) yield* exportChain(store, id)
    const last = ids.at(-1)
    if (last === undefined) return
    after = last
  }
}

async function* exportChain(store: Store, session_id: string): AsyncGenerator<string> {
  for await (const event of readAll(store, { session_id })) yield canonical(readEvent(event) as unknown as Data)
}

/** What is wrong with an exported log: where, and with which event as far as that can be told. */
export interface ExportFault {
  /** From 1. */
  line: number
  session_id?: string
  seq?: number
  problem: string
}

export interface ExportVerification {
  valid: boolean
  chains: number
  events: number
  fault?: ExportFault
}

/** Takes the lines in order, and tells at the end; what comes after the first fault is not looked at. */
export interface ExportVerifier {
  /** False once there is a fault. */
  line(text: string): boolean
  /** `isCut`: the text ended within a line. */
  end(options?: { isCut?: boolean }): ExportVerification
}

export function createExportVerifier(): ExportVerifier {
  let lines = 0
  let chains = 0
  let events = 0
  let fault: ExportFault | undefined
  let chain = ''
  let seq = 0
  let isNext = createVerifier(undefined)

  function problemOf(text: string): string | undefined {
    if (text.trim() === '') return 'it is blank'
    const event = parseEvent(text)
    if (event === undefined) return 'it is not an event in RFC 8785 JSON, each member once'
    const { hash, ...hashed } = event
    if (event.session_id !== chain) {
      if (event.session_id < chain) return `chain ${event.session_id} stands after chain ${chain}, as no export has it`
      chain = event.session_id
      chains += 1
      seq = 0
      isNext = createVerifier(undefined)
    }
    const expected = seq + 1
    seq = expected
    if (isNext(storedOf(hashed, hash))) return undefined
    if (event.seq !== expected) return `its sequence number is ${event.seq}, and ${expected} should stand here`
    return 'its hash is not that of its contents and of the event before'
  }

  return {
    line(text) {
      if (fault !== undefined) return false
      lines += 1
      const problem = problemOf(text)
      if (problem === undefined) events += 1
      else fault = { line: lines, ...(chain !== '' && { session_id: chain, seq: Math.max(seq, 1) }), problem }
      return fault === undefined
    },
    end({ isCut = false } = {}) {
      const place = { ...(chain !== '' && { session_id: chain, seq: seq + 1 }) }
      if (lines === 0 && !isCut) fault ??= { line: 1, problem: 'there is no event in it' }
      if (isCut) fault ??= { line: lines + 1, ...place, problem: 'it ends within a line' }
      return { valid: fault === undefined, chains, events, ...(fault && { fault }) }
    },
  }
}

/** Undefined for what is not the very text that was exported, such as one with a member twice, of which JSON.parse keeps one. */
function parseEvent(text: string): Event | undefined {
  try {
    const event = JSON.parse(text) as Event
    const isEvent = typeof event?.session_id === 'string' && event.session_id !== '' && typeof event.hash === 'string'
    return isEvent && canonical(event as unknown as Data) === text ? event : undefined
  } catch {
    return undefined
  }
}

const storedOf = (event: Omit<Event, 'hash'>, hash: string): StoredEvent => {
  const { session_id, seq, event_id, ts, run_id = null, type, prev_hash } = event
  const body = canonical(event as unknown as Data)
  return { session_id, seq, event_id, ts, run_id, type, prev_hash, hash, body }
}
