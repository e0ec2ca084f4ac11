/** What a policy narrows in docker-api: judged on the container that an id really means, before anything happens to it. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { dockerApi, execute } from 'skillgate/skills/docker-api'
import { recordingClient } from './recording-client.js'

const FULL_ID = 'c0ffee'.repeat(10)
const CONTAINERS = {
  web: { id: FULL_ID, name: 'web', image: 'app:1', status: 'running' },
  db: { id: 'db1db1', name: 'db', image: 'postgres:15', status: 'running' },
}

/** An engine that knows its containers by name, by id and by the beginning of an id, as engines do. */
function engine(containers = CONTAINERS) {
  const find = (asked) => Object.values(containers).find(({ id, name }) => name === asked || id.startsWith(asked))
  return recordingClient(({ path }) => {
    const [, kind, asked, verb] = path.split('?')[0].split('/')
    if (kind === 'images') {
      return {
        images: [
          ...['app', 'postgres'].map((repository, id) => ({ id: `sha256:${id}`, repository, tag: '1' })),
          { id: 'sha256:9' },
        ],
      }
    }
    if (asked === undefined) return { containers: Object.values(containers) }
    const container = find(asked)
    if (container === undefined) throw Object.assign(new Error('no such container'), { status: 404 })
    return verb === undefined ? { container } : { changed: true, logs: 'x', stats: { pids: 1 } }
  })
}

const ACTIONS = ['get_container', 'start_container', 'stop_container', 'get_logs', 'container_stats']

describe('containers that a policy covers [S7]', () => {
  const COVERED = [
    ['web', { containers: ['web'] }],
    ['web', { containers: ['w*'] }],
    ['web', { containers: ['?eb', 'x'] }],
    ['web', { containers: [FULL_ID] }],
    ['web', { containers: ['c0ffee*'] }],
    ['c0ffee', { containers: ['web'] }],
    [FULL_ID, { containers: ['web'] }],
    ['web', { images: ['app:*'] }],
    ['web', { containers: ['*'], images: ['*'] }],
    ['web', { containers: ['*****e*b'] }],
  ]
  for (const [containerId, constraints] of COVERED) {
    for (const action of ACTIONS) {
      it(`${action} of ${containerId.slice(0, 8)} under ${JSON.stringify(constraints).slice(0, 40)} uses the full id`, async () => {
        const providerClient = engine()
        const { metadata } = await execute({ action, containerId }, { providerClient, constraints })
        assert.equal(metadata.success, true, metadata.error?.message)
        assert.equal(metadata.containerId, containerId)
        const [resolved, effect] = providerClient.requests.map(({ path }) => path)
        assert.equal(resolved, `/containers/${containerId}`)
        assert.ok(effect.startsWith(`/containers/${FULL_ID}`), effect)
      })
    }
  }

  const OUTSIDE = [
    ['db', { containers: ['web'] }],
    ['db1', { containers: ['db1'] }],
    ['no-such', { containers: ['web'] }],
    ['no-such', { containers: ['*'] }],
    ['web', { containers: [] }],
    ['web', { containers: ['WEB'] }],
    ['web', { containers: ['we'] }],
    ['web', { containers: ['web?'] }],
    ['web', { containers: ['.eb', 'we[b]'] }],
    ['web', { images: ['app'] }],
    ['web', { containers: ['web'], images: ['postgres:*'] }],
    ['web', { images: [] }],
  ]
  for (const [containerId, constraints] of OUTSIDE) {
    for (const action of ACTIONS) {
      it(`${action} of ${containerId} under ${JSON.stringify(constraints)} is DENIED before any effect`, async () => {
        const providerClient = engine()
        const { metadata } = await execute({ action, containerId }, { providerClient, constraints })
        assert.equal(metadata.error?.code, 'DENIED')
        assert.equal(metadata.error.details.field, 'containerId')
        assert.deepEqual(
          providerClient.requests.map(({ method, path }) => `${method} ${path}`),
          [`GET /containers/${containerId}`],
        )
      })
    }
  }

  it('a name that comes to mean another container after it was judged changes nothing', async () => {
    const swapped = { ...CONTAINERS }
    const inner = engine(swapped)
    const providerClient = {
      async request(...request) {
        const answer = await inner.request(...request)
        swapped.web = { ...CONTAINERS.db, name: 'web' }
        return answer
      },
    }
    const context = { providerClient, constraints: { images: ['app:*'] } }
    await execute({ action: 'stop_container', containerId: 'web' }, context)
    const stopped = inner.requests.at(-1)
    assert.equal(stopped.path, `/containers/${FULL_ID}/stop?timeout=10`)
  })

  it('without a policy that narrows, the id goes out as it is and nothing is resolved', async () => {
    for (const constraints of [undefined, {}, { max_tail: 5 }]) {
      const providerClient = engine()
      await execute({ action: 'start_container', containerId: 'web' }, { providerClient, constraints })
      assert.deepEqual(
        providerClient.requests.map(({ path }) => path),
        ['/containers/web/start'],
      )
    }
  })

  for (const id of [undefined, '', '../x', 7, 'x/y']) {
    it(`a provider that resolves to the id ${JSON.stringify(id)} is not followed`, async () => {
      const providerClient = recordingClient({ container: { id, name: 'web' } })
      const context = { providerClient, constraints: { containers: ['web'] } }
      const { metadata } = await execute({ action: 'stop_container', containerId: 'web' }, context)
      assert.equal(metadata.success, false)
      assert.equal(providerClient.requests.length, 1)
    })
  }
})

describe('listings under a policy', () => {
  const LISTS = [
    [{ containers: ['web'] }, ['web']],
    [{ containers: ['*b'] }, ['web', 'db']],
    [{ images: ['postgres:*'] }, ['db']],
    [{ containers: [] }, []],
    [{}, ['web', 'db']],
  ]
  for (const [constraints, names] of LISTS) {
    it(`list_containers under ${JSON.stringify(constraints)} shows ${names.join(' and ') || 'none'}`, async () => {
      const { result, metadata } = await execute(
        { action: 'list_containers' },
        { providerClient: engine(), constraints },
      )
      assert.deepEqual(
        metadata.containers.map(({ name }) => name),
        names,
      )
      assert.equal(metadata.containerCount, names.length)
      for (const name of ['web', 'db']) assert.equal(result.includes(`${name} [`), names.includes(name))
    })
  }

  it('the limit counts what may be seen, not what the engine has', async () => {
    const providerClient = engine()
    const context = { providerClient, constraints: { containers: ['db'] } }
    const { metadata } = await execute({ action: 'list_containers', limit: 1 }, context)
    assert.deepEqual(
      metadata.containers.map(({ name }) => name),
      ['db'],
    )
    assert.equal(providerClient.requests[0].path, '/containers?all=false&limit=100')
    assert.equal(metadata.limit, 1)
  })

  const IMAGES = [
    [{ images: ['app:*'] }, 1],
    [{ images: ['sha256:9'] }, 1],
    [{ images: [] }, 0],
    [{ containers: ['web'] }, 3],
  ]
  for (const [constraints, count] of IMAGES) {
    it(`list_images under ${JSON.stringify(constraints)} shows ${count}`, async () => {
      const { metadata } = await execute({ action: 'list_images' }, { providerClient: engine(), constraints })
      assert.equal(metadata.imageCount, count)
    })
  }
})

describe('constraints themselves', () => {
  it('max_tail is judged from the params alone', () => {
    const tool = dockerApi.tools.get('docker-api.get_logs')
    const judge = (tail, max_tail) =>
      tool.judge(tool.parse({ containerId: 'x', tail }), tool.parseConstraints({ max_tail }))
    assert.equal(judge(10, 10), undefined)
    assert.deepEqual(judge(11, 10).fix, { max_tail: 11 })
  })

  for (const constraints of [
    { containers: 'web' },
    { containers: [''] },
    { names: [] },
    { max_tail: 1001 },
    [],
    'web',
  ]) {
    it(`${JSON.stringify(constraints)} are refused, not ignored`, async () => {
      const providerClient = engine()
      const { metadata } = await execute({ action: 'list_containers' }, { providerClient, constraints })
      assert.equal(metadata.error.code, 'INVALID_INPUT')
      assert.equal(providerClient.requests.length, 0)
    })
  }

  it('a hostile name cannot make a glob slow', async () => {
    const name = 'a'.repeat(100_000)
    const providerClient = recordingClient({ containers: [{ id: '1', name }] })
    const started = performance.now()
    const constraints = { containers: [`${'*a'.repeat(100)}b`] }
    const { metadata } = await execute({ action: 'list_containers' }, { providerClient, constraints })
    assert.equal(metadata.containerCount, 0)
    assert.ok(performance.now() - started < 3_000)
  })
})
