/** `skillgate doctor`: which engine and store the environment leads to, how well that engine is confined, and what to mend. */
import { Failure, isFailure } from '../core/failure.js'
import { createStop } from '../core/stop.js'
import { createCaller } from '../docker/call.js'
import { type Endpoint, parseEndpoint } from '../docker/connect.js'
import { createEngine, type EngineIdentity } from '../docker/engine.js'
import type { EnginePosture } from '../docker/preflight.js'
import { createGatewayClient } from '../gateway/index.js'
import { type KeySettings, parseKeySettings } from '../http/settings.js'
import { createRedactor } from '../redaction/index.js'
import type { Command } from './command.js'
import { checkSigningKey, parseStoreSettings, type StoreSettings } from './store.js'

type Env = Readonly<Record<string, string | undefined>>

interface Diagnosis {
  /** Whether tools would work. */
  ok: boolean
  engine?: { address: string; source: string } & Partial<EngineIdentity>
  posture?: EnginePosture
  gateway?: { url: string }
  store?: string
  /** What keeps tools from working. */
  problems: string[]
  /** What could be better, and stops nothing. */
  advice: string[]
}

const CHECK_MS = 10_000

export const doctor: Command = {
  name: 'doctor',
  summary: 'tell which engine and store would be used, and what to mend; exit code 1 when tools would not work',
  help: `Options of doctor:
  --json           one JSON document, for programs

Environment of doctor: as for serve. Nothing is changed, and nothing is run.
`,
  options: { json: { type: 'boolean' } },
  async run({ values }) {
    const diagnosis = await diagnose(process.env)
    const told = values.json ? JSON.stringify(diagnosis, undefined, 2) : textOf(diagnosis)
    process.stdout.write(`${told}\n`)
    process.exitCode = diagnosis.ok ? 0 : 1
  },
}

async function diagnose(env: Env): Promise<Diagnosis> {
  const diagnosis: Diagnosis = { ok: false, problems: [], advice: [] }
  const redactor = createRedactor({ registered: [env.GATEWAY_CREDENTIAL ?? ''] })
  const attempt = async (look: () => unknown): Promise<void> => {
    try {
      await look()
    } catch (error) {
      const problem = isFailure(error) ? error.message : 'Something went wrong that has no name here.'
      diagnosis.problems.push(redactor.text(problem))
    }
  }
  let store: StoreSettings | undefined
  await attempt(() => {
    store = parseStoreSettings(env)
    diagnosis.store = storeText(store)
  })
  let settings: KeySettings | undefined
  await attempt(() => {
    settings = parseKeySettings(env)
    checkSigningKey(store, settings.signingKey)
  })
  const { gateway } = settings ?? {}
  if (gateway !== undefined) await attempt(() => lookAtGateway(gateway, diagnosis))
  else if (settings !== undefined) await attempt(() => lookAtEngine(parseEndpoint({ env }), diagnosis))
  diagnosis.ok = diagnosis.problems.length === 0
  return diagnosis
}

async function lookAtEngine(endpoint: Endpoint, diagnosis: Diagnosis): Promise<void> {
  const { address, source } = endpoint
  diagnosis.engine = { address, source }
  const stop = createStop()
  const timer = setTimeout(() => stop.abort(slow(address)), CHECK_MS)
  const caller = createCaller({ endpoint, onLost: () => {} })
  try {
    const engine = createEngine(caller, address)
    diagnosis.engine = { address, source, ...(await engine.identity(stop.signal)) }
    diagnosis.posture = await engine.posture(stop.signal)
    diagnosis.advice.push(...adviceOf(diagnosis.posture, endpoint))
  } finally {
    clearTimeout(timer)
    await caller.close()
  }
}

async function lookAtGateway(gateway: { url: string; credential: string }, diagnosis: Diagnosis): Promise<void> {
  diagnosis.gateway = { url: gateway.url }
  const client = createGatewayClient(gateway)
  try {
    await client.request('GET', '/containers?limit=1', undefined, { timeoutMs: CHECK_MS })
  } catch (error) {
    if (!isFailure(error) || error.code !== 'DENIED') throw error
    diagnosis.advice.push(
      'The gateway’s key may not list containers, so nothing more can be told of the engine behind it.',
    )
  } finally {
    await client.close()
  }
}

/** Without a database's password. */
function storeText(store: StoreSettings): string {
  if (store.kind === 'embedded') return `directory ${store.directory}`
  const { host, pathname } = new URL(store.connectionString)
  return `PostgreSQL ${host}${pathname}`
}

function adviceOf(posture: EnginePosture, { connect, origin, connector }: Endpoint): string[] {
  const isPlain = connector === undefined && connect.socketPath === undefined && origin.startsWith('http:')
  const cases: [applies: boolean, advice: string][] = [
    [
      isPlain,
      'The engine is reached without TLS: whoever reaches its port rules its machine. Use TLS, ssh:// or a gateway.',
    ],
    [
      posture.unmended.length > 0,
      `By its version ${posture.runtime} may have ${posture.unmended.join(', ')}. Upgrade it, unless your distribution mended it.`,
    ],
    [
      !posture.userns && !posture.rootless,
      'Root in a container is root on its host. A rootless engine, or userns-remap, makes an escape worth less.',
    ],
    [!posture.apparmor && !posture.selinux, 'No security module (AppArmor, SELinux) confines containers.'],
    [!posture.swap_limit, 'Memory limits do not count swap. Enable swap accounting (swapaccount=1).'],
  ]
  return cases.filter(([applies]) => applies).map(([, advice]) => advice)
}

function textOf({ ok, engine, posture, gateway, store, problems, advice }: Diagnosis): string {
  const { apparmor, selinux, userns, rootless, cgroup_version, swap_limit } = posture ?? {}
  const kept = Object.entries({ apparmor, selinux, userns, rootless, swap_limit }).flatMap(([name, is]) =>
    is ? [name] : [],
  )
  const rows: [string, string | undefined][] = [
    [
      'engine',
      engine?.version && `${engine.name} ${engine.version} (${engine.os}/${engine.arch}), API ${engine.apiVersion}`,
    ],
    ['address', engine && `${engine.address}, from ${engine.source}`],
    ['gateway', gateway?.url],
    ['posture', posture && [`cgroup v${cgroup_version}`, 'seccomp', ...kept].join(', ')],
    ['runtime', posture && `${posture.runtime}, kernel ${posture.kernel}`],
    ['store', store],
  ]
  return [
    ...rows.flatMap(([name, text]) => (text ? [`${name.padEnd(10)}${text}`] : [])),
    ...problems.map((problem) => `mend      ${problem}`),
    ...advice.map((text) => `consider  ${text}`),
    ok ? 'Tools would work.' : 'Tools would not work.',
  ].join('\n')
}

const slow = (address: string): Failure =>
  new Failure(
    'TIMEOUT',
    `${address} did not answer within ${CHECK_MS} ms. Look whether it hangs, or something stands before it.`,
  )
