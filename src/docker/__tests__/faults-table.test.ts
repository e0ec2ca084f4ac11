/** Every call to the engine with every fault: settled in time, as a typed failure or the truth, and nothing is left. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type FaultCase, type FaultyCall, judge, RUN, watchProcess } from './fault-case.js'
import { ANY_CALL, BODIES, CONTENTS, type FaultKind, FRAMES, LIES, STREAMS } from './fault-table.js'

const AT_ONCE = 16
const PING = 'GET /_ping'
const LIST = 'GET /containers/json'
const INSPECT = 'GET /containers/{id}/json'
const LOGS = 'GET /containers/{id}/logs'
const ATTACH = 'POST /containers/{id}/attach'
const START = 'POST /containers/{id}/start'
const KILL = 'POST /containers/{id}/kill'
const REMOVE = 'DELETE /containers/{id}'

const run = (route: string, nth?: number): FaultyCall => ({ method: 'POST', path: RUN, route, ...(nth && { nth }) })
const read = (path: string, route: string): FaultyCall => ({ method: 'GET', path, route })
const write = (path: string, route: string): FaultyCall => ({ method: 'POST', path, route })

const CALLS: FaultyCall[] = [
  ...[PING, 'GET /version', 'GET /info', LIST, 'GET /images/{name}/json', 'POST /containers/create'].map((route) =>
    run(route),
  ),
  run(INSPECT, 1),
  ...[ATTACH, START, 'POST /containers/{id}/wait', KILL].map((route) => run(route)),
  run(INSPECT, 2),
  run(REMOVE),
  read('/containers', PING),
  read('/containers', 'GET /version'),
  read('/containers', LIST),
  read('/containers/x', INSPECT),
  read('/containers/x/logs', INSPECT),
  read('/containers/x/logs', LOGS),
  read('/containers/x/stats', 'GET /containers/{id}/stats'),
  read('/images', 'GET /images/json'),
  write('/containers/x/start', START),
  write('/containers/x/stop?timeout=0', 'POST /containers/{id}/stop'),
]

function kindsFor({ path, route, nth }: FaultyCall): FaultKind[] {
  if (route === ATTACH) return [...ANY_CALL, ...FRAMES, ...STREAMS]
  const kinds = [...ANY_CALL, ...BODIES, ...CONTENTS, ...(route === LOGS ? FRAMES : [])]
  return path === RUN ? [...kinds, ...liesOf(route, nth)] : kinds
}

function liesOf(route: string, nth: number | undefined): FaultKind[] {
  if (route === 'GET /images/{name}/json') return LIES.image
  if (route === 'POST /containers/create') return LIES.create
  if (route === 'POST /containers/{id}/wait') return LIES.waited
  if (route !== INSPECT) return []
  return nth === 1 ? LIES.made : LIES.ended
}

/** Where a fault gives something else than it gives elsewhere, and why that is right. */
const isJson = ({ name }: FaultKind) => !/half|HTML/.test(name)

function expectedOf({ path, route, nth }: FaultyCall, kind: FaultKind): FaultCase['expected'] {
  const is = (...names: string[]) => names.includes(kind.name)
  // The outcome is known by then; what may be left is told beside it.
  if (route === REMOVE) return 'ok'
  // What the engine does not say that it keeps, it does not keep.
  if (route === 'GET /info' && kind.name.startsWith('sends') && CONTENTS.includes(kind) && isJson(kind))
    return 'ENGINE_UNSUITABLE'
  if (nth === 1 && CONTENTS.includes(kind) && isJson(kind)) return 'POSTURE_MISMATCH'
  // A sweep that fails stops no run.
  if (route === LIST && path === RUN) return kind.gives === 'TIMEOUT' ? 'TIMEOUT' : 'ok'
  // Of a ping, only the headers are looked at.
  if (route === PING && CONTENTS.includes(kind)) return 'ok'
  if (/(start|stop|kill)$/.test(route) && is('answers 204')) return 'ok'
  if (/(start|stop)$/.test(route) && path !== RUN && is('answers 304')) return 'ok'
  // It had ended already, says the engine, and then never that it has.
  if (route === KILL && is('answers 409')) return 'TIMEOUT'
  // Rows of strange things are rows with empty fields.
  if (/^GET \/(containers|images)\/json$/.test(route) && is('sends a list', 'sends lists 10 000 deep')) return 'ok'
  // An empty log is a log.
  if (route === LOGS && is('answers 200 with nothing')) return 'ok'
  // The stream was asked for, and nothing comes on it.
  if (route === ATTACH && is('takes over what was not offered')) return 'TIMEOUT'
  return kind.gives
}

test(`every fault in every call settles within its deadline and a second, as a typed failure or the truth, and leaves nothing [S26]`, async (t) => {
  const process = watchProcess()
  const cases = CALLS.flatMap((call) =>
    kindsFor(call).map((kind): FaultCase => ({ ...call, kind, expected: expectedOf(call, kind) })),
  )
  t.diagnostic(`${cases.length} cases`)
  const wrong: string[] = []
  const closing: Promise<unknown>[] = []
  const tell = (error: unknown) => wrong.push(String(error).split('\n')[0] ?? '')
  const nothing: FaultCase = { ...run(PING), kind: { name: 'is well', fault: {}, gives: 'ok' }, expected: 'ok' }
  await Promise.all(Object.values(await judge(nothing)))
  const queue = cases.values()
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const one of queue) {
        const { judged, closed } = await judge(one)
        // The cleanup after a hung call takes its time; the next case need not wait for it.
        closing.push(closed.catch(tell))
        await judged.catch(tell)
      }
    }),
  )
  await Promise.all(closing)
  assert.deepEqual(wrong, [])
  process.end()
})
