/** The conformance suite of providers: every route of the provider protocol, for any implementation. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { ProviderClient } from '../core/provider.js'
import { LOG_ERROR_LINE, LOG_LINES } from './provider-programs.js'
import { testCollect } from './provider-suite-collect.js'
import { testRuns } from './provider-suite-run.js'
import { rejection, upstreamStatus } from './rejection.js'

/** What the suite needs besides the provider. Names must be usable in the protocol's paths. */
export interface ProviderFixture {
  provider: ProviderClient
  /** Made for the suite, which starts and stops them. Each begins as its name says. */
  containers: {
    /** Runs `providerPrograms.logs.cmd`, so that it ends when it is asked to. */
    running: string
    /** Created with `providerPrograms.idle.cmd`, and not running. */
    stopped: string
    /** Runs `providerPrograms.logs.cmd` with a terminal. Absent when the provider knows no terminals. */
    terminal?: string
  }
  /** Pinned, with /bin/sh and the small commands, no entrypoint. Absent: `POST /containers/run` is not offered. */
  image?: string
  /**
   * Another provider for the same engine, as the next host has it after the first one died; it leaves no place-holders.
   * Absent: `POST /containers/run/collect` is not offered.
   */
  successor?: ProviderClient
  /** Such an image that the engine does not have and can pull, by digest. Absent: pulls are not tested. */
  pullable?: string
  /** Networks of the engine, one internal and one not. Absent: named networks are not tested. */
  networks?: { internal: string; open: string }
  /** Removes the containers and closes the provider. */
  close(): Promise<void>
}

export interface ProviderSuiteOptions {
  open(): Promise<ProviderFixture>
  /** A reason not to run: each test is then reported as skipped with it. */
  skip?: string | undefined
}

/**
 * Declares the suite's tests with node:test, under `name`. Passing it is what makes a client a provider: shapes, statuses,
 * `changed`, limits, logs in both streams, finite stats, prompt aborts, refused paths and, with an image, runs.
 *
 * @example
 * ```ts
 * import { createDockerProvider } from 'skillgate/docker'
 * import { testProvider } from 'skillgate/testing'
 *
 * testProvider('my gateway', {
 *   async open() {
 *     const provider = createDockerProvider({ host: 'tcp://gateway.example:2375' })
 *     return { provider, containers: { running: 'suite-running', stopped: 'suite-stopped' }, close: provider.close }
 *   },
 * })
 * ```
 */
export function testProvider(name: string, { open, skip }: ProviderSuiteOptions): void {
  describe(`provider: ${name}`, { skip: skip ?? false }, () => {
    let fixture: ProviderFixture
    before(async () => {
      fixture = await open()
    })
    after(() => fixture?.close())

    const get = async (path: string) => (await fixture.provider.request('GET', path)) as Record<string, unknown>
    const post = async (path: string) => (await fixture.provider.request('POST', path)) as Record<string, unknown>
    const list = async (query: string) => rowsIn(await get(`/containers?${query}`), 'containers')

    test('a listing has what runs, and with all=true also what does not', async () => {
      const { running, stopped } = fixture.containers
      const names = async (query: string) => (await list(query)).map((row) => row.name)
      const some = await names('all=false&limit=100')
      const all = await names('all=true&limit=100')
      assert.ok(some.includes(running) && !some.includes(stopped), `running only: ${some}`)
      assert.ok(all.includes(running) && all.includes(stopped), `all: ${all}`)
    })

    test('a listing has at most limit rows', async () => {
      assert.equal((await list('all=true&limit=1')).length, 1)
      assert.equal((await list('all=false&limit=1')).length, 1)
    })

    test('a container in a listing has its strings, and its status is the state’s word', async () => {
      const row = (await list('all=false&limit=100')).find(({ name }) => name === fixture.containers.running)
      assertContainer(row)
      assert.equal(row?.status, 'running')
      assert.match(String(row?.state), /^Up /)
    })

    test('a container is found by its name and by its id', async () => {
      const { container } = await get(`/containers/${fixture.containers.running}`)
      assertContainer(container)
      const { id, name: named, status } = container as Record<string, string>
      assert.deepEqual([named, status], [fixture.containers.running, 'running'])
      const again = (await get(`/containers/${id}`)).container as Record<string, unknown>
      assert.equal(again.id, id)
    })

    test('starting and stopping say whether they changed anything', async () => {
      const path = `/containers/${fixture.containers.stopped}`
      assert.equal((await post(`${path}/start`)).changed, true)
      assert.equal((await post(`${path}/start`)).changed, false)
      assert.equal((await post(`${path}/stop?timeout=10`)).changed, true)
      assert.equal((await post(`${path}/stop?timeout=10`)).changed, false)
      assert.equal(((await get(path)).container as Record<string, unknown>).status, 'exited')
    })

    test('logs have both streams and every character', async () => {
      const { logs } = await get(`/containers/${fixture.containers.running}/logs?tail=100&timestamps=false`)
      const lines = String(logs).trimEnd().split('\n').sort()
      assert.deepEqual(lines, [...LOG_LINES, LOG_ERROR_LINE].sort())
    })

    test('logs have the last lines only when tail says so', async () => {
      const { logs } = await get(`/containers/${fixture.containers.running}/logs?tail=1&timestamps=false`)
      assert.equal(String(logs).trimEnd().split('\n').length, 1)
    })

    test('logs have a time before each line when timestamps are asked for', async () => {
      const { logs } = await get(`/containers/${fixture.containers.running}/logs?tail=100&timestamps=true`)
      for (const line of String(logs).trimEnd().split('\n')) {
        assert.match(line, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d) /)
      }
    })

    test('logs of a container with a terminal are as readable', async (t) => {
      const { terminal } = fixture.containers
      if (terminal === undefined) return t.skip('the fixture has no container with a terminal')
      const { logs } = await get(`/containers/${terminal}/logs?tail=100&timestamps=false`)
      // Podman may keep of a terminal's line end only the carriage return.
      const lines = String(logs)
        .trimEnd()
        .split(/[\r\n]+/)
        .sort()
      assert.deepEqual(lines, [...LOG_LINES, LOG_ERROR_LINE].sort())
    })

    for (const [which, state] of [
      ['running', 'runs'],
      ['stopped', 'does not run'],
    ] as const) {
      test(`stats of a container that ${state} are finite numbers`, async () => {
        const { stats } = await get(`/containers/${fixture.containers[which]}/stats`)
        const names = ['cpu_percent', 'memory_usage', 'memory_limit', 'network_rx', 'network_tx'] as const
        for (const field of [...names, 'block_read', 'block_write', 'pids'] as const) {
          const value = (stats as Record<string, unknown>)[field]
          assert.ok(typeof value === 'number' && Number.isFinite(value) && value >= 0, `${field}: ${value}`)
        }
      })
    }

    test('images have a name, a size and a date, and at most limit rows', async () => {
      const images = rowsIn(await get('/images?limit=100'), 'images')
      assert.ok(images.length > 0, 'there is an image')
      for (const image of images) {
        for (const field of ['id', 'repository', 'tag']) assert.equal(typeof image[field], 'string', field)
        assert.ok(Number.isFinite(image.size), `size: ${image.size}`)
        assert.ok(!Number.isNaN(Date.parse(String(image.created))), `created: ${image.created}`)
      }
      assert.equal(rowsIn(await get('/images?limit=1'), 'images').length, 1)
    })

    for (const [method, suffix] of [
      ['GET', ''],
      ['POST', '/start'],
      ['POST', '/stop?timeout=1'],
      ['GET', '/logs?tail=1&timestamps=false'],
      ['GET', '/stats'],
    ] as const) {
      test(`${method} of an unknown container${suffix} rejects with the upstream’s 404`, async () => {
        const error = await rejection(fixture.provider.request(method, `/containers/no-such-container${suffix}`))
        assert.equal(upstreamStatus(error), 404)
      })
    }

    for (const [method, path] of REFUSED) {
      test(`${method} ${JSON.stringify(path)} is refused`, async () => {
        await rejection(fixture.provider.request(method, path))
      })
    }

    test('an aborted request rejects, and does so at once', async () => {
      const startedAt = performance.now()
      const signal = AbortSignal.abort()
      await rejection(fixture.provider.request('GET', '/containers?all=true&limit=1', undefined, { signal }))
      await rejection(
        fixture.provider.request('GET', `/containers/${fixture.containers.running}/stats`, undefined, {
          signal: AbortSignal.timeout(1),
        }),
      )
      assert.ok(performance.now() - startedAt < 1_000, 'it settles within a second')
    })

    testRuns(() => fixture)
    testCollect(() => fixture)
  })
}

/** Paths that are none of the protocol's, or would reach something else than a container. */
const REFUSED = [
  ['GET', '/'],
  ['GET', '/containers/'],
  ['GET', '/containers/../images'],
  ['GET', '/containers/..'],
  ['GET', '/containers/%2e%2e'],
  ['GET', '/containers/a%2Fb'],
  ['GET', '/containers/-rf'],
  ['GET', '/containers/a b'],
  ['GET', '/containers/a\\b'],
  ['GET', `/containers/${'a'.repeat(129)}`],
  ['GET', '/containers/a/archive?path=/etc'],
  ['POST', '/containers/a/exec'],
  ['POST', '/containers/a/kill'],
  ['DELETE', '/containers/a'],
  ['POST', '/build'],
  ['POST', '/images/create?fromImage=x'],
] as const

function assertContainer(container: unknown): void {
  const fields = container as Record<string, unknown>
  for (const field of ['id', 'name', 'image', 'status', 'state', 'created']) {
    assert.ok(typeof fields?.[field] === 'string' && fields[field] !== '', `${field}: ${fields?.[field]}`)
  }
  assert.ok(!String(fields.name).startsWith('/'), 'a name has no leading slash')
  assert.ok(!Number.isNaN(Date.parse(String(fields.created))), 'created is ISO 8601')
}

/** The protocol lets a listing arrive as `data`, too. */
function rowsIn(answer: Record<string, unknown>, key: string): Record<string, unknown>[] {
  const rows = answer[key] ?? answer.data
  assert.ok(Array.isArray(rows), `${key} is a list`)
  return rows
}
