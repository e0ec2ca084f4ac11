/** Prepares the provider suite's containers on an engine, fake or real, over its own API. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { LOG_ERROR_LINE, LOG_LINES, providerPrograms } from '../../testing/provider-programs.js'
import type { ProviderFixture } from '../../testing/provider-suite.js'
import { createDockerProvider } from '../index.js'

export interface EngineUnderTest {
  /** `unix:///…` */
  host: string
  image: string
  /** Where the engine can push to and pull from. Absent: there is nothing to pull. */
  registry?: string | undefined
  /** What the fake has without being asked. */
  given?: Pick<ProviderFixture, 'pullable' | 'networks'>
  close?: () => Promise<void>
}

export async function openFixture({ host, image, registry, given, close }: EngineUnderTest): Promise<ProviderFixture> {
  const socketPath = host.replace('unix://', '')
  const options = { host, env: {}, timeoutMs: 60_000, signingKey: randomUUID(), fenceMs: 0 }
  const provider = createDockerProvider(options)
  const successor = createDockerProvider(options)
  const suffix = randomUUID().slice(0, 8)
  const made: string[] = []
  const undo: (() => Promise<unknown>)[] = []

  async function create(role: string, cmd: string[], tty: boolean): Promise<string> {
    const name = `suite-${role}-${suffix}`
    // Podman adds limits of its own where none are given, which a service without CAP_SYS_RESOURCE cannot set.
    const Ulimits = ['nofile', 'nproc'].map((Name) => ({ Name, Soft: 1024, Hard: 1024 }))
    const HostConfig = { NetworkMode: 'none', Ulimits }
    await engineCall(socketPath, 'POST', `/v1.41/containers/create?name=${name}`, {
      Image: image,
      Cmd: cmd,
      Tty: tty,
      HostConfig,
    })
    made.push(name)
    return name
  }

  /** One network that leads nowhere and one that leads outside. */
  async function createNetworks(): Promise<NonNullable<ProviderFixture['networks']>> {
    const networks = { internal: `suite-internal-${suffix}`, open: `suite-open-${suffix}` }
    for (const [role, Name] of Object.entries(networks)) {
      await engineCall(socketPath, 'POST', '/v1.41/networks/create', { Name, Internal: role === 'internal' })
      undo.push(() => engineCall(socketPath, 'DELETE', `/v1.41/networks/${Name}`))
    }
    return networks
  }

  async function remove(): Promise<void> {
    for (const name of made) await engineCall(socketPath, 'DELETE', `/v1.41/containers/${name}?force=1&v=1`)
    for (const step of undo.reverse()) await step()
    await provider.close()
    await successor.close()
    await close?.()
  }

  try {
    const running = await create('running', providerPrograms.logs.cmd, false)
    const terminal = await create('terminal', providerPrograms.logs.cmd, true)
    const stopped = await create('stopped', providerPrograms.idle.cmd, false)
    for (const name of [running, terminal]) {
      await engineCall(socketPath, 'POST', `/v1.41/containers/${name}/start`)
      await untilLogged(provider, name)
    }
    const containers = { running, stopped, terminal }
    const parts = { provider, successor, image, containers, close: remove }
    if (given) return { ...parts, ...given }
    const networks = await createNetworks()
    if (registry === undefined) return { ...parts, networks }
    const pullable = await pushImage({ socketPath, image, repository: `${registry}/skillgate/pulled-${suffix}` })
    undo.push(() => engineCall(socketPath, 'DELETE', `/v1.41/images/${pullable}?force=1`))
    return { ...parts, networks, pullable }
  } catch (error) {
    await remove()
    throw error
  }
}

async function untilLogged(provider: ProviderFixture['provider'], name: string): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const { logs } = (await provider.request('GET', `/containers/${name}/logs?timestamps=false`)) as { logs: string }
    if ([...LOG_LINES, LOG_ERROR_LINE].every((line) => logs.includes(line))) return
    await delay(50)
  }
  assert.fail(`${name} has not printed its lines`)
}

/** One request over the engine's own API, by the path of its socket or as `tcp://`; resolves with its JSON. */
export async function engineCall(socketOrHost: string, method: string, path: string, body?: unknown): Promise<unknown> {
  const text = await call(socketOrHost, method, path, body)
  return text === '' ? undefined : JSON.parse(text)
}

export interface PushOptions {
  socketPath: string
  image: string
  repository: string
  /** In the words of a Dockerfile, such as `LABEL a=b`. */
  changes?: string
}

/** Makes another image of `image`, pushes it to the registry and removes it from the engine. Resolves with its reference. */
export async function pushImage({
  socketPath,
  image,
  repository,
  changes = 'LABEL suite=1',
}: PushOptions): Promise<string> {
  const created = await engineCall(socketPath, 'POST', '/v1.41/containers/create', { Image: image, Cmd: ['x'] })
  const { Id } = created as { Id: string }
  const query = new URLSearchParams({ container: Id, repo: repository, tag: 'suite', comment: repository, changes })
  await engineCall(socketPath, 'POST', `/v1.41/commit?${query}`, {})
  await engineCall(socketPath, 'DELETE', `/v1.41/containers/${Id}?force=1`)
  const pushed = await call(socketPath, 'POST', `/v1.41/images/${repository}/push?tag=suite`)
  assert.ok(!pushed.includes('"error"'), pushed)
  // Podman notes only the digest of its local copy at the push: what the registry holds it learns by pulling.
  await engineCall(socketPath, 'DELETE', `/v1.41/images/${repository}:suite?force=1`)
  await call(socketPath, 'POST', `/v1.41/images/create?fromImage=${repository}&tag=suite`)
  const pulled = await engineCall(socketPath, 'GET', `/v1.41/images/${repository}:suite/json`)
  const { RepoDigests } = pulled as { RepoDigests: string[] }
  const reference = RepoDigests.find((name) => name.startsWith(`${repository}@`))
  assert.ok(reference, `the engine knows the digest of what it pushed: ${RepoDigests}`)
  await engineCall(socketPath, 'DELETE', `/v1.41/images/${repository}:suite?force=1`)
  return reference
}

/** The same, for answers that are no JSON. */
function call(socketOrHost: string, method: string, path: string, body?: unknown): Promise<string> {
  return new Promise((resolve, reject) => {
    // A push wants credentials, be they empty.
    const headers = {
      'x-registry-auth': Buffer.from('{}').toString('base64'),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    }
    const { hostname, port } = socketOrHost.startsWith('/')
      ? { hostname: undefined, port: undefined }
      : new URL(socketOrHost)
    const address = hostname === undefined ? { socketPath: socketOrHost } : { hostname, port }
    const sent = httpRequest({ ...address, method, path, headers, agent: false }, (answer) => {
      let text = ''
      answer.setEncoding('utf8')
      answer.on('data', (chunk: string) => {
        text += chunk
      })
      answer.on('end', () => {
        if ((answer.statusCode ?? 500) < 400) resolve(text)
        else reject(new Error(`${method} ${path}: ${answer.statusCode} ${text}`))
      })
    })
    sent.on('error', reject)
    sent.end(body === undefined ? undefined : JSON.stringify(body))
  })
}
