/** Stores and skills that are each wrong in one way, under the published suites: run by suite-strength.test.ts. */
import { z } from 'zod'
import type { StoredEvent } from '../../core/event.js'
import { Failure } from '../../core/failure.js'
import { action, defineSkill, type Skill, type SkillResult, type Tool } from '../../core/skill.js'
import type { EventQuery, PositionedEvent, Store } from '../../core/store.js'
import { createMemoryStore } from '../../stores/memory.js'
import { testSkill } from '../skill-suite.js'
import { testStore } from '../store-suite.js'

const STORES: Record<string, (inner: Store) => Partial<Store>> = {
  'takes any event': () => takesAnything(),
  'keeps the good part of a bad batch': (inner) => ({
    async append(events) {
      for (const event of events) await inner.append([event])
    },
  }),
  'rejects with an error of its own': (inner) => ({
    append: (events) =>
      inner.append(events).catch(() => {
        throw new Error('duplicate key')
      }),
  }),
  'ignores the first of two conditions': (inner) => ({
    query: ({ session_id, ...query }) =>
      inner.query(query.run_id === undefined && session_id !== undefined ? { ...query, session_id } : query),
  }),
  'ends at until instead of before it': (inner) => ({
    query: ({ until, ...query }) => inner.query({ ...query, ...(until !== undefined && { until: `${until}x` }) }),
  }),
  'begins after since instead of at it': (inner) => ({
    query: ({ since, ...query }) => inner.query({ ...query, ...(since !== undefined && { since: `${since}x` }) }),
  }),
  'counts the position of after in': (inner) => ({
    query: ({ after, ...query }) => inner.query({ ...query, ...(after !== undefined && { after: after - 1 }) }),
  }),
  'limits before it turns the order round': (inner) => ({
    async query({ order, ...query }) {
      const found = await inner.query(query)
      return order === 'desc' ? found.toReversed() : found
    },
  }),
  'normalises text': (inner) => altered(inner, (row) => ({ ...row, body: row.body.normalize('NFC') })),
  'trims text': (inner) => altered(inner, (row) => ({ ...row, body: row.body.replaceAll('  ', ' ') })),
  'parses JSON and writes it again': (inner) =>
    altered(inner, (row) => ({ ...row, body: JSON.stringify(JSON.parse(row.body)) })),
  'cuts long values': (inner) => altered(inner, (row) => ({ ...row, body: row.body.slice(0, 1024 ** 2) })),
  'knows no positions': (inner) => altered(inner, (row) => ({ ...row, position: 1 })),
  'forgets which run': (inner) => altered(inner, (row) => ({ ...row, run_id: null })),
  'answers chains in the order they came': (inner) => ({
    chains: async (page) => (await inner.chains(page)).toReversed(),
  }),
  'answers no more than one page of chains': (inner) => ({
    chains: async ({ after, ...page }) => (after === undefined ? inner.chains(page) : []),
  }),
  'has a head for every chain': (inner) => ({
    head: async (id) => (await inner.head(id)) ?? { seq: 0, hash: '0'.repeat(64) },
  }),
  'keeps no answer without an event': (inner) => ({
    append: async (events, options) => (events.length > 0 ? inner.append(events, options) : undefined),
  }),
  'takes chains that differ in case for the same': (inner) => ({
    head: (id) => inner.head(id.toLowerCase()),
    append: (events) => inner.append(events.map((event) => ({ ...event, session_id: event.session_id.toLowerCase() }))),
    query: ({ session_id, ...query }) =>
      inner.query({ ...query, ...(session_id && { session_id: session_id.toLowerCase() }) }),
  }),
}

function altered(inner: Store, change: (row: PositionedEvent) => PositionedEvent): Partial<Store> {
  return { query: async (query: EventQuery) => (await inner.query(query)).map(change) }
}

function takesAnything(): Partial<Store> {
  const rows: PositionedEvent[] = []
  return {
    async append(events: readonly StoredEvent[]) {
      rows.push(...events.map((event, index) => ({ ...event, position: rows.length + index + 1 })))
    },
    query: async ({ session_id, limit, after = 0 }) =>
      rows
        .filter((row) => (session_id === undefined || row.session_id === session_id) && row.position > after)
        .slice(0, limit),
  }
}

for (const [what, breaks] of Object.entries(STORES)) {
  testStore(`broken: ${what}`, {
    open() {
      const inner = createMemoryStore()
      return { ...inner, ...breaks(inner) }
    },
  })
}

const say = action({
  description: 'Say something.',
  risk: 'read',
  input: z.strictObject({ text: z.string().describe('What to say') }),
  async run({ text }, { request }) {
    const answer = await request('GET', '/say')
    return { text: `said ${text}`, data: { answer } }
  },
})
const good = defineSkill({
  name: 'speaker',
  version: '1.0.0',
  description: 'Says things.',
  layer: 'L1',
  system: 'Speaker',
  actions: { say },
})
const withTools = (change: (tool: Tool) => Partial<Tool>): Skill => {
  const tools = new Map([...good.tools].map(([name, tool]) => [name, { ...tool, ...change(tool) }]))
  return { ...good, tools, meta: { ...good.meta, tools: [...tools.values()].map(({ meta }) => meta) } }
}
const onResult = (change: (result: SkillResult) => unknown): Skill => ({
  ...good,
  execute: async (params, context) => change(await good.execute(params, context)) as SkillResult,
})

const SKILLS: Record<string, Skill> = {
  'validates nothing': { ...good, validate: () => ({ valid: true }) },
  'throws in validate': {
    ...good,
    validate(params) {
      if (typeof params !== 'object') throw new TypeError('params')
      return good.validate(params)
    },
  },
  'rejects in execute': {
    ...good,
    async execute(params, context) {
      const answer = await good.execute(params, context)
      if (!answer.metadata.success) throw new Failure('INTERNAL', answer.result)
      return answer
    },
  },
  'asks before it validates': {
    ...good,
    async execute(params, context) {
      await context?.providerClient?.request?.('GET', '/say').catch(() => {})
      return good.execute(params, context)
    },
  },
  'waits for its client for ever': {
    ...good,
    async execute(params, context) {
      const checked = good.validate(params)
      if (checked.valid && typeof context?.providerClient?.request === 'function') {
        await context.providerClient.request('GET', '/say').catch(() => {})
      }
      return good.execute(params, context)
    },
  },
  'lets secrets out': {
    ...good,
    async execute(params, context) {
      const answer = await good.execute(params, context)
      if (!answer.metadata.success) return answer
      const raw = await context?.providerClient?.request('GET', '/say')
      return { ...answer, metadata: { ...answer.metadata, raw } }
    },
  },
  'ignores the gateway': {
    ...good,
    execute: (params, context) => good.execute(params, { ...context, gatewayClient: undefined }),
  },
  'has no timestamp': onResult(({ result, metadata: { timestamp: _, ...metadata } }) => ({ result, metadata })),
  'answers an error as a text': onResult(({ result, metadata }) => ({
    result,
    metadata: metadata.success ? metadata : { ...metadata, error: metadata.error.message },
  })),
  'answers what is no JSON': onResult((answer) => ({ ...answer, metadata: { ...answer.metadata, at: new Date() } })),
  'has a meta that is not its tools': { ...good, meta: { ...good.meta, tools: [] } },
  'takes unknown fields': withTools(({ meta }) => ({
    meta: { ...meta, input: { ...meta.input, additionalProperties: true } },
  })),
  'describes no field': withTools(({ meta }) => ({
    meta: { ...meta, input: { ...meta.input, properties: { text: { type: 'string' } } } },
  })),
  'requires a field that it has not': withTools(({ meta }) => ({
    meta: { ...meta, input: { ...meta.input, required: ['other'] } },
  })),
  'changes what was judged': withTools((tool) => ({ parse: (params) => ({ ...tool.parse(params) }) })),
  'objects without a way out': withTools(() => ({ judge: () => ({ reason: 'never' }) })),
  'judges by chance': withTools(() => ({ judge: () => ({ reason: String(performance.now()), fix: {} }) })),
}

const speak = { valid: { say: { text: 'hi' } }, answer: { heard: 'yes' } }
const named = (what: string, skill: Skill): Skill => {
  // The suite's name comes from the skill's; the hyphens keep it a name.
  const name = `broken-${what.toLowerCase().replaceAll(/[^a-z]+/g, '-')}`
  const tools = new Map([...skill.tools].map(([key, tool]) => [key, { ...tool, meta: { ...tool.meta, skill: name } }]))
  const kept = skill.meta.tools.length === 0
  return {
    ...skill,
    tools,
    meta: { ...skill.meta, name, tools: kept ? [] : [...tools.values()].map(({ meta }) => meta) },
  }
}
for (const [what, skill] of Object.entries(SKILLS)) testSkill(named(what, skill), speak)
testSkill(named('suite without a valid call', good), { ...speak, valid: {} })
testSkill(named('suite of an unknown action', good), { ...speak, valid: { ...speak.valid, shout: {} } })
testSkill(named('folder of another skill', good), {
  ...speak,
  folder: new URL('../../../skills/docker-api', import.meta.url),
})

testSkill(good, speak)
testStore('right', { open: createMemoryStore })
