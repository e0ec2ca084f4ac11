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
  close?: () => Promise<void>
}

export async function openFixture({ host, image, close }: EngineUnderTest): Promise<ProviderFixture> {
  const socketPath = host.replace('unix://', '')
  const provider = createDockerProvider({ host, env: {}, timeoutMs: 60_000 })
  const suffix = randomUUID().slice(0, 8)
  const made: string[] = []

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

  async function remove(): Promise<void> {
    for (const name of made) await engineCall(socketPath, 'DELETE', `/v1.41/containers/${name}?force=1&v=1`)
    await provider.close()
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
    return { provider, image, containers: { running, stopped, terminal }, close: remove }
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
export function engineCall(socketOrHost: string, method: string, path: string, body?: unknown): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' }
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
        if ((answer.statusCode ?? 500) < 400) resolve(text === '' ? undefined : JSON.parse(text))
        else reject(new Error(`${method} ${path}: ${answer.statusCode} ${text}`))
      })
    })
    sent.on('error', reject)
    sent.end(body === undefined ? undefined : JSON.stringify(body))
  })
}
