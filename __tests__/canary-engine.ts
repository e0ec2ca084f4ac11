/** An engine, fake or real, with secrets planted on it: in an image, and in a container that somebody else made. */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { tar } from '../scripts/engine/tar.js'
import { askEngine, callEngine } from '../scripts/engine.js'
import { createFakeEngine, type FakeEngine, type FakeProgram } from '../src/testing/index.js'
import { CONTAINER, ERR, IMAGE, LATE, OUT, RUNS } from './canary-plants.js'

export interface CanaryEngine {
  host: string
  /** Pinned. */
  image: string
  /** Name of the planted container, which has run. */
  container: string
  fake?: FakeEngine
  /** What the engine tells whoever asks it without skillgate in between. */
  raw(): Promise<string>
  /** Resolves when a container of a run is running. */
  running(): Promise<void>
  close(): Promise<void>
}

type Call = (method: string, path: string, body?: unknown) => Promise<string>

const callerOf =
  (host: string): Call =>
  (method, path, body) =>
    askEngine(host, method, `/v1.41${path}`, {
      ...(body !== undefined && { body: Buffer.from(JSON.stringify(body)) }),
      headers: { 'content-type': 'application/json' },
    })

async function plant(host: string, image: string): Promise<Omit<CanaryEngine, 'close'>> {
  const call = callerOf(host)
  const container = `canaries-${randomUUID().slice(0, 8)}`
  const config = { ...CONTAINER, Image: image, HostConfig: { NetworkMode: 'none' } }
  await call('POST', `/containers/create?name=${container}`, config)
  await call('POST', `/containers/${container}/start`)
  await call('POST', `/containers/${container}/wait`)
  return {
    host,
    image,
    container,
    async raw() {
      const paths = [`/containers/${container}/json`, `/containers/${container}/logs?stdout=1&stderr=1`]
      const texts = await Promise.all([...paths, `/images/${image}/json`].map((path) => call('GET', path)))
      return texts.join('\n')
    },
    async running() {
      const filters = encodeURIComponent(JSON.stringify({ label: ['skillgate.run'], status: ['running'] }))
      while (!(await call('GET', `/containers/json?filters=${filters}`)).includes('skillgate.run')) await delay(50)
    },
  }
}

const prints: FakeProgram = async ({ write, env, stdin }) => {
  write('stdout', OUT)
  write('stderr', ERR)
  for (const [name, value] of Object.entries(env)) write('stdout', `${name}=${value}\n`)
  for await (const chunk of stdin) write('stdout', chunk)
  return 3
}

const lingers: FakeProgram = async ({ write, killed }) => {
  write('stdout', LATE)
  await Promise.race([delay(2_000, undefined, { ref: false }), once(killed, 'abort')])
  return 0
}

/** Its answers are cut into pieces, and so are the secrets in them. */
export async function fakeCanaryEngine(): Promise<CanaryEngine> {
  const printed = [CONTAINER.Cmd, RUNS.prints.cmd, RUNS.waits.cmd]
  const fake = await createFakeEngine({
    chunkBytes: 11,
    images: [{ reference: `canaries@sha256:${'c4'.repeat(32)}`, config: IMAGE }],
    programs: [...printed.map((argv) => ({ argv, program: prints })), { argv: RUNS.lingers.cmd, program: lingers }],
  })
  return { ...(await plant(fake.host, fake.image)), fake, close: () => fake.close() }
}

/** `base` becomes an image with what the programs print in files, and with secrets in its configuration. */
export async function realCanaryEngine(host: string, base: string): Promise<CanaryEngine> {
  const call = callerOf(host)
  const idOf = (text: string) => (JSON.parse(text) as { Id: string }).Id
  const made = idOf(await call('POST', '/containers/create', { Image: base, Cmd: ['x'] }))
  const files = [
    { path: 'canary', directory: true } as const,
    ...Object.entries({ out: OUT, err: ERR, late: LATE }).map(([name, content]) => ({
      path: `canary/${name}`,
      content,
    })),
  ]
  await askEngine(host, 'PUT', `/v1.41/containers/${made}/archive?path=/`, { body: tar(files) })
  const image = idOf(await call('POST', `/commit?container=${made}`, { ...IMAGE, Cmd: ['/bin/sh'] }))
  await call('DELETE', `/containers/${made}?force=1`)
  const planted = await plant(host, image)
  return {
    ...planted,
    async close() {
      await callEngine(host, 'DELETE', `/v1.41/containers/${planted.container}?force=1`)
      await call('DELETE', `/images/${image}?force=1`)
    },
  }
}
