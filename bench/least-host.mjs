/**
 * What `bench/serve.ts` holds the gate against: the least that a server with such a log can do. Plain node:http, the same
 * events in a hash chain, durable in the same table with its indexes before they are acknowledged, those that come together
 * in one transaction. It checks nothing, decides nothing and redacts nothing; `memory` keeps the log in a list.
 */
import { hash } from 'node:crypto'
import { createServer } from 'node:http'

const [place] = process.argv.slice(2)
const DENIED = 'instant.change'
const sessions = new Map()
const append = createAppend(place === 'memory' ? keepInMemory() : await openLog(place))

const ROUTES = [
  [/^\/v1\/health$/, () => ({ backlog: 0, running: 0 })],
  [/^\/v1\/sessions$/, openSession],
  [/^\/v1\/sessions\/([^/]+)\/policy$/, () => ({})],
  [/^\/v1\/sessions\/([^/]+)\/messages$/, (body, id) => post(sessions.get(id), body)],
]

function openSession() {
  const session = { id: newId('ses'), seq: 0, hash: '0'.repeat(64) }
  sessions.set(session.id, session)
  return { id: session.id }
}

/** A run of one intent: each list of events is durable before the next one is made, and the caller is answered after the first. */
function post(session, { role, content, intents: [{ tool, params }] }) {
  const run_id = newId('run')
  const step = { step_id: 's1', tool }
  const params_hash = hash('sha256', JSON.stringify(params))
  const accepted = [
    ['message.appended', { message_id: newId('msg'), role, content, intents: [{ tool, params_hash }] }],
    ['run.queued', { intents: 1 }],
  ]
  const decided = (status, details) => [
    ['run.started', {}],
    ['policy.decided', { ...step, eval: { status, details }, params, params_hash }],
  ]
  const ended = (status, reason) => ['run.finished', { status, ...(reason && { reason }) }]
  return new Promise((resolve) => {
    append(seal(session, run_id, accepted), () => {
      resolve({ run_id, status: 'queued' })
      if (tool === DENIED) {
        const reason = { code: 'DENIED', message: `No override allows ${tool}.` }
        append(seal(session, run_id, [...decided('denied', reason), ended('denied', reason)]), () => {})
        return
      }
      const allowed = { code: 'ALLOWED', reason: `Override 0 (${tool}) allows ${tool}.` }
      append(seal(session, run_id, [...decided('allow', allowed), ['tool.started', { ...step, params_hash }]]), () => {
        const result = { result: `saw ${params.text}`, metadata: { success: true, data: { answer: { ok: true } } } }
        const result_hash = hash('sha256', JSON.stringify(result))
        const finished = ['tool.finished', { ...step, status: 'ok', result, result_hash, duration_ms: 0 }]
        append(seal(session, run_id, [finished, ended('completed')]), () => {})
      })
    })
  })
}

function seal(session, run_id, drafts) {
  return drafts.map(([type, data]) => {
    const [event_id, ts, prev_hash, session_id] = [newId('evt'), new Date().toISOString(), session.hash, session.id]
    const seq = ++session.seq
    const body = JSON.stringify({ data, event_id, prev_hash, run_id, seq, session_id, ts, type, v: 1 })
    session.hash = hash('sha256', prev_hash + body)
    return [session_id, seq, event_id, ts, run_id, type, prev_hash, session.hash, Buffer.from(body)]
  })
}

let ids = 0
const newId = (kind) => `${kind}_${Date.now().toString(16)}${(++ids).toString(16).padStart(20, '0')}`

/** Those that are asked for in one turn of the event loop are written together. */
function createAppend(write) {
  let group = []
  return (events, done) => {
    if (group.length === 0) {
      setImmediate(() => {
        const written = group
        group = []
        write(written.flatMap(({ events }) => events))
        for (const { done } of written) done()
      })
    }
    group.push({ events, done })
  }
}

function keepInMemory() {
  const log = []
  return (events) => log.push(...events)
}

async function openLog(directory) {
  const { DatabaseSync } = await import('node:sqlite').catch(() => ({}))
  const { default: Libsql } = DatabaseSync ? {} : await import('libsql')
  const database = DatabaseSync ? new DatabaseSync(`${directory}/least.db`) : new Libsql(`${directory}/least.db`)
  database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
    CREATE TABLE events (position integer PRIMARY KEY, block integer, session_id text, seq integer, event_id text, ts text,
      run_id text, type text, prev_hash text, hash text, body blob);
    CREATE INDEX by_block ON events (block, session_id, position);
    CREATE INDEX by_run ON events (run_id, position);
    CREATE INDEX by_type ON events (type, position)`)
  const [begin, commit] = ['BEGIN IMMEDIATE', 'COMMIT'].map((sql) => database.prepare(sql))
  const inserts = new Map()
  const insertOf = (rows) => {
    const values = Array(rows).fill(`(${Array(11).fill('?')})`)
    const insert = inserts.get(rows) ?? database.prepare(`INSERT INTO events VALUES ${values}`)
    inserts.set(rows, insert)
    return insert
  }
  let position = 0
  return (events) => {
    begin.run()
    for (let at = 0; at < events.length; ) {
      const rows = Math.min(64, 2 ** Math.floor(Math.log2(events.length - at)))
      const chunk = events.slice(at, at + rows).flatMap((event) => [++position, Math.floor(position / 512), ...event])
      insertOf(rows).run(...chunk)
      at += rows
    }
    commit.run()
  }
}

const server = createServer((request, response) => {
  const chunks = []
  request.on('data', (chunk) => chunks.push(chunk))
  request.on('end', async () => {
    const body = chunks.length > 0 ? JSON.parse(Buffer.concat(chunks).toString()) : undefined
    for (const [path, handle] of ROUTES) {
      const found = path.exec(request.url)
      if (found === null) continue
      const answer = JSON.stringify(await handle(body, found[1]))
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': answer.length }).end(answer)
      return
    }
  })
})
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`))
process.once('SIGTERM', () => process.exit(0))
