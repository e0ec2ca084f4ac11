/** Values that no honest caller or provider sends, for the suites to try. */

const trap = (): never => {
  throw new Error('a trap was sprung')
}

/** An object that throws whatever is done with it, its own prototype included. */
function trapped(): object {
  return new Proxy({}, { get: trap, set: trap, has: trap, ownKeys: trap, getPrototypeOf: trap })
}

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

function circular(): object {
  const object: Record<string, unknown> = {}
  object.self = object
  return object
}

function deep(levels: number): unknown {
  let value: unknown = {}
  for (let level = 0; level < levels; level++) value = { value }
  return value
}

/** Each is refused by every skill: as the params, as the action, or beside one of the actions. */
export function hostileParams(actions: readonly string[]): unknown[] {
  const values = [7, Number.NaN, true, 'x', 5n, Symbol('x'), () => {}, [], [1], new Date(), new Map(), new Error('x')]
  const objects = [trapped(), revoked(), circular(), deep(40), JSON.parse('{"__proto__": {"polluted": 1}}')]
  const own = actions.flatMap((action) => [
    { action, skillgate_unknown: trapped() },
    { action, ['x'.repeat(100_000)]: 1 },
    { action, constructor: 1 },
    JSON.parse(`{"action": ${JSON.stringify(action)}, "__proto__": 1}`),
    Object.defineProperty({ action }, 'skillgate_unknown', { get: trap, enumerable: true }),
  ])
  const actionsOfNoName = objects.map((action) => ({ action }))
  return [...values, ...objects, ...actionsOfNoName, ...own]
}

/** Rejections as clients make them by mistake, and as a hostile one would. */
export function hostileErrors(): unknown[] {
  return [
    undefined,
    null,
    0,
    '',
    'only text',
    {},
    { message: 7, status: 'x' },
    { status: 404 },
    new Error(''),
    Object.assign(new Error('no'), { status: 404 }),
    Object.assign(new Error('no'), { statusCode: 500 }),
    Object.assign(new Error('no'), { status: 7 }),
    Object.assign(new Error('no'), { name: 'AbortError' }),
    Object.assign(new Error('no'), { name: 'Failure', code: 'NOT_FOUND', details: { field: 'x' } }),
    Object.assign(new Error('no'), { name: 'Failure', code: 'toString' }),
    Object.defineProperty(new Error('no'), 'status', { get: trap }),
    Object.defineProperty(new Error(), 'message', { get: trap }),
    new Error('long '.repeat(100_000)),
    circular(),
    trapped(),
    revoked(),
  ]
}
