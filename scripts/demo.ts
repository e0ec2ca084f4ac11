/**
 * `npm run demo`: the whole path. Finds a Docker Engine or starts a private one, prepares an image, starts the server,
 * takes the five steps of examples/docker-skill against it, and leaves nothing behind.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { askEngine, ensurePackages, findEngine, startDocker } from './engine.js'
import { progress } from './progress.js'
import { exitCode, projectRoot, runTool, startNode } from './tool-run.js'

const PUBLIC_IMAGE = 'hello-world'

interface Prepared {
  host: string
  image: string
  stop(): Promise<void>
}

const stops: (() => Promise<void> | void)[] = []

/** The engine that is there, with an image that has a digest; else a private one where that is possible. */
async function prepare(): Promise<Prepared> {
  const found = await findEngine()
  if (found.found) {
    progress(`Docker Engine ${found.version} answers at ${found.host}`)
    const image = await publicImage(found.host)
    if (image !== undefined) return { host: found.host, image, stop: async () => {} }
    progress(`it has no ${PUBLIC_IMAGE} image with a digest and cannot pull it; a private engine is used instead`)
  } else progress(`${found.reason}; a private engine is used instead`)
  const { ready, reason } = ensurePackages({ install: true, kinds: ['docker'] })
  if (!ready.includes('docker')) {
    throw new Error(
      `${reason}.\nStart a Docker Engine (https://docs.docker.com/engine/install/) or set DOCKER_HOST to one, run "docker pull ${PUBLIC_IMAGE}", and try again.`,
    )
  }
  return startDocker()
}

async function publicImage(host: string): Promise<string | undefined> {
  const digest = async (): Promise<string | undefined> => {
    const { RepoDigests = [] }: { RepoDigests?: string[] } = JSON.parse(
      await askEngine(host, 'GET', `/images/${PUBLIC_IMAGE}/json`, { timeoutMs: 5_000 }),
    )
    return RepoDigests[0]
  }
  try {
    return await digest()
  } catch {
    progress(`pulling ${PUBLIC_IMAGE}, the one image that the demo runs`)
  }
  try {
    await askEngine(host, 'POST', `/images/create?fromImage=${PUBLIC_IMAGE}&tag=latest`, { timeoutMs: 120_000 })
    return await digest()
  } catch (error) {
    progress((error as Error).message)
    return undefined
  }
}

/** Starts the built command on a free port; resolves with its address once it listens. */
async function startServer(host: string, token: string): Promise<string> {
  const log = mkdtempSync(join(tmpdir(), 'skillgate-demo-'))
  stops.push(async () => rmSync(log, { recursive: true, force: true }))
  const server: ChildProcess = spawn(process.execPath, [join(projectRoot, 'dist/cli.js'), 'serve'], {
    env: { PATH: process.env.PATH, DOCKER_HOST: host, ADMIN_TOKEN: token, PORT: '0', DATA_DIR: log },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = exitCode(server)
  stops.push(async () => {
    server.kill('SIGTERM')
    await ended
  })
  for await (const line of createInterface({ input: server.stdout as NodeJS.ReadableStream })) {
    const address = /listening on (http:\S+)/.exec(line)?.[1]
    if (address !== undefined) return address
  }
  throw new Error(`the server ended with exit code ${await ended} before it listened`)
}

async function demo(): Promise<number> {
  if (!existsSync(join(projectRoot, 'dist/cli.js'))) {
    progress('building the package')
    await runTool('tsup')
  }
  const { host, image, stop } = await prepare()
  stops.push(stop)
  const token = randomBytes(24).toString('base64url')
  progress('starting skillgate serve')
  const address = await startServer(host, token)
  progress(`${address} is up; running examples/docker-skill/run.mjs`)
  const example = startNode(['examples/docker-skill/run.mjs'], {
    ...process.env,
    BASE_URL: address,
    ADMIN_TOKEN: token,
    IMAGE_DIGEST: image,
  })
  return exitCode(example)
}

async function stopAll(): Promise<void> {
  for (let stop = stops.pop(); stop !== undefined; stop = stops.pop()) await stop()
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    progress(`${signal}: stopping`)
    stopAll().finally(() => process.exit(130))
  })
}

try {
  const unknown = process.argv.slice(2)
  if (unknown.length > 0) throw new Error(`it takes no arguments, but was given ${unknown.join(' ')}`)
  process.exitCode = await demo()
} catch (error) {
  process.exitCode = 1
  progress(`the demo failed: ${(error as Error).message}`)
} finally {
  await stopAll()
  progress(process.exitCode === 0 ? 'done; nothing is left running' : 'ended; nothing is left running')
}
