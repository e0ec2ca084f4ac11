/** What a gateway lets a key do, and what it refuses with which status, on the wire. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  CONTAINERS,
  failureOf,
  fleet,
  KEY,
  openGateway,
  openKey,
  type RunningGateway,
  sha256,
  spec,
} from './gateway-fixture.js'

const OUTPUT = { keep_bytes: 1_000, limit_bytes: 10_000_000 }

describe('a key of a gateway', () => {
  const { provider, asked } = fleet()
  let gateway: RunningGateway
  before(async () => {
    const runs = {
      images: ['busybox@sha256:*'],
      network: 'internal' as const,
      mount_roots: ['/srv/data'],
      max_memory_mb: 128,
      max_cpus: 2,
      max_pids: 64,
      max_output_bytes: OUTPUT.limit_bytes,
      max_timeout_ms: 5_000,
    }
    const routes = [
      'GET /containers',
      'GET /containers/{id}',
      'GET /containers/{id}/logs',
      'POST /containers/{id}/stop',
      'POST /containers/run',
    ] as const
    gateway = await openGateway(provider, openKey({ routes: [...routes], containers: ['web-*'], runs }))
  })
  after(() => gateway.close())

  it('sees only its containers in a listing, whatever the limit', async () => {
    const answer = await gateway.client.request('GET', '/containers?all=true&limit=1')
    assert.deepEqual(answer, { containers: [CONTAINERS[0]] })
    assert.equal(asked.at(-1), 'GET /containers?all=true&limit=100')
  })

  it('reaches a container by name, and from then on it is meant by its full id', async () => {
    await gateway.client.request('POST', '/containers/web-1/stop?timeout=3')
    assert.deepEqual(asked.slice(-2), ['GET /containers/web-1', `POST /containers/${CONTAINERS[0]?.id}/stop?timeout=3`])
  })

  it('inspects a container with one request', async () => {
    const { length } = asked
    assert.deepEqual(await gateway.client.request('GET', '/containers/web-1'), { container: CONTAINERS[0] })
    assert.equal(asked.length, length + 1)
  })

  for (const id of ['db', CONTAINERS[1]?.id ?? '', 'absent', 'web-2']) {
    it(`does not reach container ${id.slice(0, 8)}, and cannot tell whether it is there`, async () => {
      const { length } = asked
      const { code, message, details } = await failureOf(
        gateway.client.request('GET', `/containers/${id}/logs?tail=5&timestamps=true`),
      )
      assert.deepEqual([code, details?.status], ['DENIED', 403])
      assert.equal(message, `This key does not cover container ${id}.`)
      assert.deepEqual(asked.slice(length), [`GET /containers/${id}`])
    })
  }

  for (const [method, path] of [
    ['GET', '/images'],
    ['POST', '/containers/web-1/start'],
    ['GET', '/containers/web-1/stats'],
  ] as const) {
    it(`does not reach ${method} ${path}, a route of another key`, async () => {
      const { length } = asked
      const { code } = await failureOf(gateway.client.request(method, path))
      assert.equal(code, 'DENIED')
      assert.equal(asked.length, length)
    })
  }

  const mount = { source: '/srv/data/in', target: '/in', read_only: true, root: '/srv/data' }
  for (const [name, over] of [
    ['an image of its own', {}],
    ['an internal network', { network: { internal: 'backend' } }],
    ['what lies in its root', { mounts: [mount] }],
    ['its root with a slash at the end', { mounts: [{ ...mount, root: '/srv/data/' }] }],
    ['as much as is allowed', { memory_mb: 128, cpus: 2, pids: 64, timeout_ms: 5_000, output: OUTPUT }],
  ] as const) {
    it(`runs with ${name}`, async () => {
      assert.deepEqual(await gateway.client.request('POST', '/containers/run', spec(over)), { run: { stdout: 'ran' } })
    })
  }

  for (const [name, over, field] of [
    ['another image', { image: `alpine@sha256:${'a'.repeat(64)}` }, 'image'],
    ['the open network', { network: 'open' }, 'network'],
    [
      'a place outside its roots',
      { mounts: [{ ...mount, source: '/srv/other', root: '/srv/other' }] },
      'mounts[0].root',
    ],
    [
      'a place that only begins alike',
      { mounts: [{ ...mount, source: '/srv/data2', root: '/srv/data2' }] },
      'mounts[0].root',
    ],
    [
      'a root within its roots, which may be a link',
      { mounts: [{ ...mount, root: '/srv/data/in' }] },
      'mounts[0].root',
    ],
    [
      'a place that is its own root',
      { mounts: [{ source: '/srv/data/in', target: '/in', read_only: true }] },
      'mounts[0].root',
    ],
    ['a writable mount', { mounts: [{ ...mount, read_only: false }] }, 'mounts[0].read_only'],
    ['more memory', { memory_mb: 129 }, 'memory_mb'],
    ['more cores', { cpus: 3 }, 'cpus'],
    ['more processes', { pids: 65 }, 'pids'],
    ['more time', { timeout_ms: 5_001 }, 'timeout_ms'],
    ['a pull without end', { pull: 'if-missing', pull_timeout_ms: 9_000_000_000 }, 'pull_timeout_ms'],
    ['more output', { output: { ...OUTPUT, limit_bytes: OUTPUT.limit_bytes + 1 } }, 'output.limit_bytes'],
    ['all the output it can print', { output: { keep_bytes: 1e12, limit_bytes: 1e13 } }, 'output.keep_bytes'],
  ] as const) {
    it(`does not run with ${name}`, async () => {
      const { length } = asked
      const { code, details } = await failureOf(gateway.client.request('POST', '/containers/run', spec(over)))
      assert.deepEqual([code, details?.field], ['DENIED', field])
      assert.equal(asked.length, length)
    })
  }

  it('is in the log by its name, with route, status and code, and its text is nowhere', async () => {
    gateway.log.length = 0
    await gateway.client.request('GET', '/containers/web-1', undefined, { runId: 'run_1/s1' })
    await failureOf(gateway.client.request('GET', '/images'))
    const [seen, refused] = gateway.log.map(({ duration_ms, ...entry }) => entry)
    assert.deepEqual(seen, {
      key: 'suite',
      route: 'GET /containers/{id}',
      container: 'web-1',
      run_id: 'run_1/s1',
      status: 200,
    })
    assert.deepEqual(refused, { key: 'suite', route: 'GET /images', status: 403, code: 'DENIED' })
  })
})

describe('a gateway on the wire', () => {
  const { provider, asked } = fleet()
  let gateway: RunningGateway
  before(async () => {
    gateway = await openGateway(provider)
  })
  after(() => gateway.close())

  const bearer = { authorization: `Bearer ${KEY}` }
  const json = { ...bearer, 'content-type': 'application/json' }
  const cases: [name: string, path: string, init: RequestInit, status: number, code: string][] = [
    ['no key', '/containers', {}, 401, 'UNAUTHORIZED'],
    ['a wrong key', '/containers', { headers: { authorization: `Bearer ${KEY}x` } }, 401, 'UNAUTHORIZED'],
    ['an empty key', '/containers', { headers: { authorization: 'Bearer ' } }, 401, 'UNAUTHORIZED'],
    ['the hash of a key', '/containers', { headers: { authorization: `Bearer ${sha256(KEY)}` } }, 401, 'UNAUTHORIZED'],
    ['a key by another scheme', '/containers', { headers: { authorization: `Basic ${KEY}` } }, 401, 'UNAUTHORIZED'],
    ['no key on a route that is none', '/_ping', {}, 401, 'UNAUTHORIZED'],
    ['a route of the engine', '/v1.41/containers/json', { headers: bearer }, 404, 'NOT_FOUND'],
    ['an exec', '/containers/web-1/exec', { method: 'POST', headers: bearer }, 404, 'NOT_FOUND'],
    ['a removal', '/containers/web-1', { method: 'DELETE', headers: bearer }, 404, 'NOT_FOUND'],
    ['an id with an escape', '/containers/web%2F1', { headers: bearer }, 400, 'INVALID_INPUT'],
    ['a query that is none', '/containers?x=1', { headers: bearer }, 400, 'INVALID_INPUT'],
    ['an unknown container', '/containers/absent', { headers: bearer }, 404, 'UPSTREAM_ERROR'],
    [
      'a body for a route without',
      '/containers/web-1/stop',
      { method: 'POST', headers: json, body: '{}' },
      400,
      'INVALID_INPUT',
    ],
    [
      'a body that is text',
      '/containers/run',
      { method: 'POST', headers: bearer, body: 'x' },
      415,
      'UNSUPPORTED_MEDIA_TYPE',
    ],
    ['a body that is not JSON', '/containers/run', { method: 'POST', headers: json, body: '{' }, 400, 'INVALID_INPUT'],
    [
      'a spec that is none',
      '/containers/run',
      { method: 'POST', headers: json, body: '{"image":"x"}' },
      400,
      'INVALID_INPUT',
    ],
    [
      'a time that is none',
      '/containers',
      { headers: { ...bearer, 'x-skillgate-timeout-ms': '-1' } },
      400,
      'INVALID_INPUT',
    ],
    [
      'more time than an hour',
      '/containers',
      { headers: { ...bearer, 'x-skillgate-timeout-ms': '3600001' } },
      400,
      'INVALID_INPUT',
    ],
    [
      'a run id with blanks',
      '/containers',
      { headers: { ...bearer, 'x-skillgate-run-id': 'a b' } },
      400,
      'INVALID_INPUT',
    ],
    [
      'a body without end',
      '/containers/run',
      { method: 'POST', headers: json, body: `"${'x'.repeat(9_000_000)}"` },
      413,
      'PAYLOAD_TOO_LARGE',
    ],
  ]
  for (const [name, path, init, status, code] of cases) {
    it(`answers ${name} with ${status}`, async () => {
      const response = await fetch(`${gateway.url}${path}`, init)
      const { error } = (await response.json()) as { error: { code: string; message: string } }
      assert.deepEqual([response.status, error.code], [status, code], error.message)
      assert.equal(response.headers.get('cache-control'), 'no-store')
      assert.ok(!error.message.includes(KEY))
    })
  }

  it('asks the engine nothing for what it refuses [S35]', () => {
    assert.deepEqual(asked, ['GET /containers/absent'])
  })
})
