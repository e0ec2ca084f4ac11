/** The probes outside of skillgate: in a container that has none of its controls, or just one of them. */
import { askEngine } from '../../../../scripts/engine.js'

export interface ProbeLine {
  name: string
  verdict: 'blocked' | 'ESCAPED' | 'broken'
  detail: string
}

/** What the probe program printed. Lines of other kinds are not the program's, and are thrown. */
export function parseLines(output: string): ProbeLine[] {
  return output
    .split(/\r?\n/)
    .filter((line) => line !== '')
    .map((line) => {
      const [, name, verdict, detail] = /^([a-z0-9-]+) (blocked|ESCAPED|broken) (.*)$/.exec(line) ?? []
      if (!name || !verdict || detail === undefined) throw new Error(`not a probe's line: ${JSON.stringify(line)}`)
      return { name, verdict: verdict as ProbeLine['verdict'], detail }
    })
}

export interface Body {
  Env?: string[]
  HostConfig: Record<string, unknown> & { SecurityOpt: string[] }
  [field: string]: unknown
}

/** Each control, as the change that takes it away. */
const WITHOUT: Record<string, (body: Body) => void> = {
  user: (body) => Object.assign(body, { User: '0:0' }),
  // A container that runs an engine may lack this one itself, and then it has none to give.
  capabilities: ({ HostConfig }) => Object.assign(HostConfig, { CapDrop: ['SYS_RESOURCE'], CapAdd: ['ALL'] }),
  seccomp: ({ HostConfig }) => {
    HostConfig.SecurityOpt = [
      ...HostConfig.SecurityOpt.filter((one) => !/^seccomp[=:]/.test(one)),
      'seccomp=unconfined',
    ]
  },
  'no-new-privileges': ({ HostConfig }) => {
    HostConfig.SecurityOpt = HostConfig.SecurityOpt.filter((one) => !one.startsWith('no-new-privileges'))
  },
  'read-only root': ({ HostConfig }) => Object.assign(HostConfig, { ReadonlyRootfs: false }),
  tmpfs: ({ HostConfig }) => Object.assign(HostConfig, { Tmpfs: {} }),
  'no network': (body) => {
    body.NetworkDisabled = false
    body.HostConfig.NetworkMode = 'bridge'
  },
  'no IPC': ({ HostConfig }) => Object.assign(HostConfig, { IpcMode: 'private' }),
  'masked paths': ({ HostConfig }) => Object.assign(HostConfig, { MaskedPaths: [], ReadonlyPaths: [] }),
  'process namespace': ({ HostConfig }) => Object.assign(HostConfig, { PidMode: 'host' }),
  'device rules': ({ HostConfig }) => Object.assign(HostConfig, { DeviceCgroupRules: ['a *:* rwm'] }),
  'memory limit': ({ HostConfig }) => Object.assign(HostConfig, { Memory: 0, MemorySwap: 0 }),
  'pids limit': ({ HostConfig }) => Object.assign(HostConfig, { PidsLimit: 0 }),
  'CPU limit': ({ HostConfig }) => Object.assign(HostConfig, { NanoCpus: 0 }),
  ulimits: ({ HostConfig }) => Object.assign(HostConfig, { Ulimits: [] }),
  'no terminal': (body) => Object.assign(body, { Tty: true }),
  'no healthcheck': (body) => delete body.Healthcheck,
  environment: (body) => delete body.Env,
}

export const CONTROLS: readonly string[] = Object.keys(WITHOUT)

/** The body without any control, or with `kept` alone. */
export function permissive(body: Body, kept?: string): Body {
  const changed = structuredClone(body)
  for (const [name, remove] of Object.entries(WITHOUT)) if (name !== kept) remove(changed)
  return changed
}

/** Runs a container made just as `body` says, with no help of the library, and removes it with its volumes. */
export async function runBare(host: string, body: Body): Promise<string> {
  const create = { headers: { 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify(body)) }
  const { Id } = JSON.parse(await askEngine(host, 'POST', '/v1.41/containers/create', create)) as { Id: string }
  try {
    await askEngine(host, 'POST', `/v1.41/containers/${Id}/start`)
    await askEngine(host, 'POST', `/v1.41/containers/${Id}/wait`)
    const text = await askEngine(host, 'GET', `/v1.41/containers/${Id}/logs?stdout=1&stderr=1`)
    // Without a terminal each line has a frame's header of eight bytes before it.
    return body.Tty ? text : text.replaceAll(/^[\s\S]{8}(?=[a-z])/gm, '')
  } finally {
    await askEngine(host, 'DELETE', `/v1.41/containers/${Id}?force=1&v=1`)
  }
}
