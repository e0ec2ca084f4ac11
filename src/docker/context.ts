/** Docker contexts: the engine that `docker context use` or DOCKER_CONTEXT chose, read from the docker command's own files. */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, Failure } from '../core/failure.js'
import type { EngineTls } from './connect.js'
import { fieldsOf, textOf } from './wire.js'

export interface DockerContext {
  name: string
  /** As DOCKER_HOST would have it. */
  host: string
  tls: EngineTls | undefined
  /** What chose it: `DOCKER_CONTEXT`, or the path of the configuration. */
  chosenBy: string
}

type Env = Record<string, string | undefined>

/** The context in force, undefined for `default` and where there is none. Throws INVALID_INPUT for one that cannot be read. */
export function findContext(env: Env): DockerContext | undefined {
  const directory = env.DOCKER_CONFIG || (env.HOME && join(env.HOME, '.docker'))
  if (!directory && !env.DOCKER_CONTEXT) return undefined
  if (!directory) throw refused('DOCKER_CONTEXT is set, and neither DOCKER_CONFIG nor HOME says where contexts are.')
  const path = join(directory, 'config.json')
  const fromEnv = env.DOCKER_CONTEXT || undefined
  const configured = () => (existsSync(path) ? textOf(readJson(path).currentContext) : undefined)
  const name = fromEnv ?? configured()
  if (!name || name === 'default') return undefined
  return readContext(directory, name, fromEnv === undefined ? path : 'DOCKER_CONTEXT')
}

/** The docker command names the directories of a context by the SHA-256 of its name. */
function readContext(directory: string, name: string, chosenBy: string): DockerContext {
  const digest = createHash('sha256').update(name).digest('hex')
  const path = join(directory, 'contexts', 'meta', digest, 'meta.json')
  if (!existsSync(path)) {
    throw refused(
      `Docker context ${describe(name)} (${chosenBy}) does not exist: ${path} is not there. “docker context ls” lists those that do.`,
    )
  }
  const { docker } = fieldsOf(readJson(path).Endpoints)
  const { Host, SkipTLSVerify } = fieldsOf(docker)
  if (SkipTLSVerify) {
    throw refused(
      `Docker context ${describe(name)} skips the check of the engine’s certificate, which would trust any engine. Give it a ca: docker context update.`,
    )
  }
  if (textOf(Host) === '') throw refused(`Docker context ${describe(name)} names no engine: ${path} has no Host.`)
  return { name, host: textOf(Host), tls: readTls(join(directory, 'contexts', 'tls', digest, 'docker')), chosenBy }
}

function readTls(directory: string): EngineTls | undefined {
  const files = (['ca', 'cert', 'key'] as const).flatMap((name) => {
    const path = join(directory, `${name}.pem`)
    return existsSync(path) ? [[name, readBytes(path)] as const] : []
  })
  return files.length === 0 ? undefined : Object.fromEntries(files)
}

function readJson(path: string): Record<string, unknown> {
  const text = readBytes(path).toString('utf8')
  try {
    return fieldsOf(JSON.parse(text))
  } catch (cause) {
    throw refused(`${path} is not JSON, as the docker command writes it.`, cause)
  }
}

function readBytes(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (cause) {
    throw refused(`${path} cannot be read (${(cause as NodeJS.ErrnoException).code}).`, cause)
  }
}

const refused = (message: string, cause?: unknown): Failure =>
  new Failure('INVALID_INPUT', `${message} Or set DOCKER_HOST, which comes first.`, {
    details: { field: 'DOCKER_CONTEXT' },
    cause,
  })
