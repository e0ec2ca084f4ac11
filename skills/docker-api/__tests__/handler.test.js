/** The documented behaviour of the docker-api skill, against the built package, on plain Node. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import * as skill from 'skillgate/skills/docker-api'
import { recordingClient, silentClient, upstream } from './recording-client.js'

const { execute, validate, meta, VALID_ACTIONS } = skill
const ISO_UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

const web = { id: 'c1', name: 'my-app', image: 'app:1', status: 'running', state: 'Up 2 hours', created: '2025-01-01' }
const nginx = { id: 'sha256:1', repository: 'nginx', tag: 'latest', size: 142_000_000, created: '2025-01-01' }
const stats = {
  cpu_percent: 2.504,
  memory_usage: 256_000_000,
  memory_limit: 1_000_000_000,
  network_rx: 1_500,
  network_tx: 12,
  pids: 4,
}

const HAPPY = [
  {
    action: 'list_containers',
    asks: 'GET /containers?all=false&limit=25',
    answer: { containers: [web, { id: 'c2', name: 'db', status: 'exited' }, { id: 'c3' }] },
    text: 'Containers (3 results, all=false)\n\n1. my-app [running]\n2. db [exited]\n3. c3 [unknown]',
    fields: {
      all: false,
      limit: 25,
      containerCount: 3,
      containers: [web, { id: 'c2', name: 'db', status: 'exited' }, { id: 'c3' }],
    },
  },
  {
    action: 'list_containers',
    params: { all: 'true', limit: '7' },
    asks: 'GET /containers?all=true&limit=7',
    answer: { data: [] },
    text: 'Containers (0 results, all=true)\n\n(none)',
    fields: { all: true, limit: 7, containerCount: 0, containers: [] },
  },
  {
    action: 'list_containers',
    params: { limit: 500, all: null },
    asks: 'GET /containers?all=false&limit=100',
    answer: [web],
    text: 'Containers (1 results, all=false)\n\n1. my-app [running]',
    fields: { all: false, limit: 100, containerCount: 1, containers: [web] },
  },
  {
    action: 'get_container',
    params: { containerId: ' my-app\n' },
    asks: 'GET /containers/my-app',
    answer: { container: web },
    text: 'Container: my-app\nID: c1\nImage: app:1\nStatus: running\nState: Up 2 hours\nCreated: 2025-01-01',
    fields: { containerId: 'my-app', container: web },
  },
  {
    action: 'start_container',
    params: { containerId: 'x' },
    asks: 'POST /containers/x/start',
    answer: { changed: true },
    text: 'Container x started successfully.',
    fields: { containerId: 'x', response: { changed: true } },
  },
  {
    action: 'start_container',
    params: { containerId: 'x' },
    asks: 'POST /containers/x/start',
    answer: { changed: false },
    text: 'Container x started successfully.',
    fields: { containerId: 'x', response: { changed: false } },
  },
  {
    action: 'stop_container',
    params: { containerId: 'x' },
    asks: 'POST /containers/x/stop?timeout=10',
    answer: { changed: true },
    text: 'Container x stopped successfully (timeout=10s).',
    fields: { containerId: 'x', timeout: 10, response: { changed: true } },
  },
  {
    action: 'stop_container',
    params: { containerId: 'x', timeout: '0' },
    asks: 'POST /containers/x/stop?timeout=0',
    answer: { changed: false },
    text: 'Container x stopped successfully (timeout=0s).',
    fields: { containerId: 'x', timeout: 0, response: { changed: false } },
  },
  {
    action: 'list_images',
    asks: 'GET /images?limit=25',
    answer: { images: [nginx, { id: 'sha256:2', repository: '<none>', tag: '<none>', size: 12 }] },
    text: 'Images (2 results)\n\n1. nginx:latest (142MB)\n2. sha256:2 (12B)',
    fields: {
      limit: 25,
      imageCount: 2,
      images: [nginx, { id: 'sha256:2', repository: '<none>', tag: '<none>', size: 12 }],
    },
  },
  {
    action: 'get_logs',
    params: { containerId: 'x' },
    asks: 'GET /containers/x/logs?tail=100&timestamps=true',
    answer: { logs: 'line 1\nline 2' },
    text: 'Logs for container x (tail=100, timestamps=true)\n\nline 1\nline 2',
    fields: { containerId: 'x', tail: 100, timestamps: true },
  },
  {
    action: 'get_logs',
    params: { containerId: 'x', tail: 5, timestamps: false },
    asks: 'GET /containers/x/logs?tail=5&timestamps=false',
    answer: { output: ['a', 'b'] },
    text: 'Logs for container x (tail=5, timestamps=false)\n\n["a","b"]',
    fields: { containerId: 'x', tail: 5, timestamps: false },
  },
  {
    action: 'container_stats',
    params: { containerId: 'x' },
    asks: 'GET /containers/x/stats',
    answer: { stats },
    text: 'Stats for container x\nCPU: 2.5%\nMemory: 256MB\nMemory Limit: 1GB\nNetwork RX: 1.5kB\nNetwork TX: 12B\nPIDs: 4',
    fields: { containerId: 'x', stats },
  },
]

/** The least valid params of every action. */
const LEAST = Object.fromEntries(HAPPY.map(({ action, params }) => [action, { action, ...params }]))

describe('the seven actions', () => {
  for (const { action, params = {}, asks, answer, text, fields } of HAPPY) {
    it(`${action} ${JSON.stringify(params)} asks ${asks}`, async () => {
      const providerClient = recordingClient(answer)
      const { result, metadata } = await execute({ action, ...params }, { providerClient })
      const { timestamp, ...rest } = metadata
      assert.equal(result, text)
      assert.deepEqual(rest, { ...fields, untrusted: true, success: true, action, layer: 'L1' })
      assert.match(timestamp, ISO_UTC)
      assert.deepEqual(
        providerClient.requests.map(({ method, path, body }) => [`${method} ${path}`, body]),
        [[asks, undefined]],
      )
    })
  }

  it('are those of the document, each with a tool of its own', () => {
    const documented = [
      ...['list_containers', 'get_container', 'start_container', 'stop_container'],
      ...['list_images', 'get_logs', 'container_stats'],
    ]
    assert.deepEqual(VALID_ACTIONS, documented)
    assert.deepEqual(meta.actions, documented)
    assert.deepEqual(
      meta.tools.map(({ name }) => name),
      documented.map((action) => `docker-api.${action}`),
    )
    assert.deepEqual([...new Set(HAPPY.map(({ action }) => action))], documented)
    assert.equal(meta.name, 'docker-api')
    assert.equal(meta.layer, 'L1')
  })

  it('that change something are marked as writes, the others as reads', () => {
    const writes = meta.tools.filter(({ risk }) => risk !== 'read').map(({ action }) => action)
    assert.deepEqual(writes, ['start_container', 'stop_container'])
  })
})

const refused = (params) => refusedWith(params, { providerClient: recordingClient({}) })

async function refusedWith(params, context) {
  const { result, metadata } = await execute(params, context)
  assert.equal(metadata.success, false)
  assert.equal(typeof metadata.error.message, 'string')
  assert.equal(result.split('\n\n')[0], `Error: ${metadata.error.message}`)
  assert.match(metadata.timestamp, ISO_UTC)
  assert.equal(context?.providerClient?.requests?.length ?? 0, 0, 'nothing may be asked for a refused call')
  return metadata
}

describe('action validation', () => {
  for (const params of [{}, { action: '' }, { action: 'exec' }, { action: 'LIST_IMAGES' }, { action: 7 }, undefined]) {
    it(`${JSON.stringify(params)} is INVALID_ACTION and lists the valid ones`, async () => {
      const { error } = await refused(params)
      assert.equal(error.code, 'INVALID_ACTION')
      assert.equal(error.retriable, false)
      for (const action of VALID_ACTIONS) assert.ok(error.message.includes(action))
      assert.equal(validate(params).code, 'INVALID_ACTION')
    })
  }
  for (const action of ['toString', 'constructor', '__proto__', 'hasOwnProperty']) {
    it(`the inherited name ${action} is no action`, async () => {
      assert.equal((await refused({ action })).error.code, 'INVALID_ACTION')
    })
  }
})

describe('input validation', () => {
  const wrong = (action, field, values) => values.map((value) => ({ action, field, params: { [field]: value } }))
  const NO_INTEGER = ['', '0x10', '1.5', 1.5, ' 7', '-1', -1, true, [7], {}, 'ten', '1e2']
  const rows = [
    ...wrong('list_containers', 'limit', [0, '0', ...NO_INTEGER]),
    ...wrong('list_images', 'limit', [0, -5, 'all']),
    ...wrong('list_containers', 'all', [1, 'yes', 'TRUE', [], {}]),
    ...wrong('get_logs', 'tail', [0, 1001, '1001', ...NO_INTEGER]),
    ...wrong('get_logs', 'timestamps', ['no', 0, {}]),
    ...wrong('stop_container', 'timeout', [301, '301', ...NO_INTEGER]),
    { action: 'list_images', field: 'all', params: { all: true } },
    { action: 'get_container', field: 'force', params: { force: true } },
  ]
  for (const { action, field, params } of rows) {
    it(`${action} refuses ${JSON.stringify(params)} and names ${field}`, async () => {
      const given = { ...LEAST[action], ...params }
      const { error } = await refused(given)
      assert.equal(error.code, 'INVALID_INPUT')
      assert.equal(error.details.field, field)
      assert.ok(error.message.includes(field))
      assert.deepEqual(validate(given), { valid: false, error: error.message, code: 'INVALID_INPUT', field })
    })
  }
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 5n, () => 5, Symbol('5'), new Date()]) {
    it(`a limit that is no JSON (${String(value)}) is refused by name`, async () => {
      const { error } = await refused({ action: 'list_images', limit: value })
      assert.equal(error.code, 'INVALID_INPUT')
      assert.equal(error.details.field, 'params.limit')
    })
  }
})

describe('container ID security [S5]', () => {
  const HOSTILE = [
    ...['', ' ', '.', '..', '../x', '../../etc/passwd', '..%2f..%2fx', '%2e%2e', 'a/b', 'a\\b', '/containers/x'],
    ...['x; rm -rf /', '$(id)', '`id`', 'x|y', 'x&y', 'x y', 'x\ny', 'x\r\nHost: y', 'x\0', 'x\0y', 'x?all=1', 'x#y'],
    ...['-rf', '--help', '_x', '.x', 'é', 'ｘ', '\u202ex', '\u00a0x', '\ufeffx', 'x\u200b', 'a@b', 'a:b', "x'", 'x"'],
    ...['a'.repeat(129), 'a'.repeat(1_000_000), 7, true, ['x'], { id: 'x' }, null, undefined],
  ]
  const actions = Object.keys(LEAST).filter((action) => 'containerId' in LEAST[action])
  for (const containerId of HOSTILE) {
    it(`${String(JSON.stringify(containerId)).slice(0, 40)} reaches no provider`, async () => {
      for (const action of actions) {
        const { error } = await refused({ ...LEAST[action], containerId })
        assert.equal(error.code, 'INVALID_INPUT')
        assert.equal(error.details.field, 'containerId')
        assert.ok(error.message.length < 500, 'a hostile id must not come back at length')
      }
      assert.equal(skill.sanitizeContainerId(containerId).valid, false)
    })
  }
  for (const containerId of ['x', 'A-1_b.c', '0'.repeat(64), 'a'.repeat(128), '\t x \r\n']) {
    it(`${JSON.stringify(containerId).slice(0, 40)} is an id`, () => {
      assert.deepEqual(skill.sanitizeContainerId(containerId), { valid: true, sanitized: containerId.trim() })
      assert.deepEqual(validate({ action: 'get_container', containerId }), { valid: true })
    })
  }
})

describe('provider configuration', () => {
  const none = [
    undefined,
    null,
    {},
    { providerClient: null },
    { providerClient: {} },
    { gatewayClient: { request: 1 } },
  ]
  for (const context of none) {
    it(`${JSON.stringify(context)} is PROVIDER_NOT_CONFIGURED`, async () => {
      const { error } = await refusedWith({ action: 'list_images' }, context)
      assert.equal(error.code, 'PROVIDER_NOT_CONFIGURED')
      assert.match(error.message, /^Provider client required.*Docker/)
      assert.equal(error.retriable, false)
    })
  }
  it('the provider is preferred to the gateway, and the gateway used without one', async () => {
    const providerClient = recordingClient({ images: [] })
    const gatewayClient = recordingClient({ images: [] })
    await execute({ action: 'list_images' }, { providerClient, gatewayClient })
    assert.deepEqual([providerClient.requests.length, gatewayClient.requests.length], [1, 0])
    await execute({ action: 'list_images' }, { gatewayClient })
    assert.deepEqual([providerClient.requests.length, gatewayClient.requests.length], [1, 1])
  })
})

describe('timeouts and network errors', () => {
  for (const [action, params] of Object.entries(LEAST)) {
    it(`${action} is TIMEOUT on time although the client ignores its signal [S12]`, async () => {
      // A timer of our own beside it: what the machine is late for is not the skill's delay.
      const ended = (promise) => promise.then(() => performance.now())
      const call = execute(params, { providerClient: silentClient(), config: { timeoutMs: 40 } })
      const [deadline, answered, { metadata }] = await Promise.all([ended(setTimeout(40)), ended(call), call])
      assert.ok(Math.abs(answered - deadline) < 100, `answered ${answered - deadline} ms after the deadline`)
      assert.equal(metadata.error.code, 'TIMEOUT')
      assert.equal(metadata.error.retriable, true)
      const writes = action.startsWith('st')
      assert.equal(metadata.error.details.in_progress, writes ? true : undefined)
    })
    for (const [error, code, retriable, status] of [
      [upstream('no such container', { status: 404 }), 'UPSTREAM_ERROR', false, 404],
      [upstream('conflict', { statusCode: 409 }), 'UPSTREAM_ERROR', false, 409],
      [upstream('too slow', { status: 408 }), 'UPSTREAM_ERROR', true, 408],
      [upstream('slow down', { status: 429 }), 'UPSTREAM_ERROR', true, 429],
      [upstream('broken', { status: 500 }), 'UPSTREAM_ERROR', true, 500],
      [upstream('connect ECONNREFUSED', { code: 'ECONNREFUSED' }), 'UPSTREAM_ERROR', true, undefined],
      [upstream('aborted', { name: 'AbortError' }), 'TIMEOUT', true, undefined],
      [upstream('timed out', { name: 'TimeoutError' }), 'TIMEOUT', true, undefined],
    ]) {
      it(`${action} answers ${code} when the client rejects with "${error.message}"`, async () => {
        const { result, metadata } = await execute(params, { providerClient: recordingClient(error) })
        assert.equal(metadata.success, false)
        assert.equal(metadata.action, action)
        assert.equal(metadata.error.code, code)
        assert.equal(metadata.error.retriable, retriable)
        assert.equal(metadata.error.details?.status, status)
        if (code === 'UPSTREAM_ERROR') assert.ok(result.startsWith(`Error: Docker API error: ${error.message}`), result)
      })
    }
  }
})
