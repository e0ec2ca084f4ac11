/**
 * Gives an engine the test image as if pulled: pushed to a registry inside the engine's cell, it has a real digest. The
 * registry stays, for tests that pull, and ends with the cell.
 */
import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { imageArchive, localLayer } from './busybox-image.js'
import { type CellState, childrenOf } from './cell.js'
import { askEngine } from './engine-call.js'
import { until } from './until.js'

// The cell has a network of its own, so this port is free whatever else runs on the machine.
export const REGISTRY = '127.0.0.1:5000'
const REPOSITORY = `${REGISTRY}/skillgate/busybox`

/** Loads the image into the cell's engine and answers its reference by digest. */
export async function pushImage(dir: string, cell: CellState): Promise<string> {
  const { host } = cell
  await startRegistry(dir, cell)
  const headers = { 'content-type': 'application/x-tar' }
  await askEngine(host, 'POST', '/images/load', { headers, body: imageArchive(localLayer(), `${REPOSITORY}:latest`) })
  const credentials = { 'x-registry-auth': Buffer.from('{}').toString('base64') }
  await askEngine(host, 'POST', `/images/${REPOSITORY}/push?tag=latest`, { headers: credentials })
  // Podman notes only the digest of its local copy at the push: what the registry holds it learns by pulling.
  await askEngine(host, 'DELETE', `/images/${REPOSITORY}:latest?force=1`)
  await askEngine(host, 'POST', `/images/create?fromImage=${REPOSITORY}&tag=latest`)
  const image: { RepoDigests: string[] } = JSON.parse(await askEngine(host, 'GET', `/images/${REPOSITORY}:latest/json`))
  const reference = image.RepoDigests.find((name) => name.startsWith(`${REPOSITORY}@sha256:`))
  if (!reference) throw new Error(`the engine knows no digest of ${REPOSITORY}: ${JSON.stringify(image.RepoDigests)}`)
  return reference
}

async function startRegistry(dir: string, cell: CellState): Promise<void> {
  const data = join(dir, 'registry')
  mkdirSync(data, { recursive: true })
  const config = join(dir, 'registry.json')
  const settings = {
    version: 0.1,
    log: { level: 'info' },
    storage: { filesystem: { rootdirectory: data } },
    http: { addr: REGISTRY },
  }
  writeFileSync(config, JSON.stringify(settings))
  const [inner] = childrenOf(cell.pid)
  if (inner === undefined) throw new Error('the engine ended before its image was loaded')
  const command = ['--target', String(inner), '--net', '--mount', '--pid', 'docker-registry', 'serve', config]
  const logFile = join(dir, 'registry.log')
  const log = openSync(logFile, 'w')
  const child = spawn('nsenter', command, { detached: true, stdio: ['ignore', log, log] })
  closeSync(log)
  child.unref()
  let ended = false
  child.once('error', () => {
    ended = true
  })
  child.once('close', () => {
    ended = true
  })
  const listens = () => readFileSync(logFile, 'utf8').includes('listening on')
  if (!(await until(() => ended || listens(), 30_000)) || ended) {
    throw new Error(`docker-registry did not start: ${readFileSync(logFile, 'utf8').slice(-4_000)}`)
  }
}
