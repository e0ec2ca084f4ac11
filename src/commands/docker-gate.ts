/** The gate of a command: the installed skills, what they reach an engine through, its store, and what ends all in order. */
import { isFailure } from '../core/failure.js'
import { createGate, type Gate } from '../core/gate.js'
import type { Logger } from '../core/provider.js'
import type { KeySettings } from '../http/settings.js'
import { keepSigningKey } from '../http/signing-key.js'
import { createRedactor } from '../redaction/index.js'
import { createMemoryStore } from '../stores/memory.js'
import { INSTALLED_SKILLS } from './installed-skills.js'
import { createLineLogger } from './line-logger.js'
import { createSkillsClient } from './skills-client.js'
import { checkSigningKey, DEFAULT_DIRECTORY, openStore, passwordsOf, type StoreSettings } from './store.js'
import { startTelemetry } from './telemetry.js'

/** What runs at a shutdown has so long to end by itself. */
const GRACE_MS = 5_000
/** Shorter ones stand in harmless text too often to be removed from it. */
const MIN_SECRET = 8

export interface DockerGate {
  gate: Gate
  logger: Logger
  /** Says so when no engine answers, and begins to sweep what earlier processes left. */
  checkEngine(): Promise<void>
  /** Ends the runs, and removes their containers. */
  close(): Promise<void>
}

/** `secrets`: those of the command itself, beside the signing key and the database's password. */
export async function createDockerGate(
  { signingKey: given, publicKeys, gateway }: KeySettings,
  { secrets: own = [], store: settings }: { secrets?: readonly string[]; store: StoreSettings | undefined },
): Promise<DockerGate> {
  const { key: signingKey, problem } = findSigningKey(given, settings)
  const passwords = passwordsOf(settings, process.env)
  const secrets = [...own, signingKey ?? '', ...passwords, gateway?.credential ?? ''].filter(
    (secret) => secret.length >= MIN_SECRET,
  )
  const logger = createLineLogger(createRedactor({ registered: secrets }))
  if (problem !== undefined) {
    logger.warn(
      'No signing key can be kept, so containers that this process leaves when it is killed stay. Set SIGNING_KEY.',
      { cause: problem },
    )
  }
  const store = settings === undefined ? createMemoryStore() : await openStore(settings)
  const skills = createSkillsClient({
    gateway,
    logger,
    engine: {
      env: process.env,
      isRunOpen: (callId) => gate.isOpen(callId),
      // Only where another host may settle the run of one that was paused, that one could start it late.
      ...(settings?.kind !== 'postgres' && { fenceMs: 0 }),
      ...(signingKey && { signingKey }),
    },
  })
  const { telemetry, stop: stopTelemetry } = await startTelemetry(process.env, logger)
  const gate = createGate({
    skills: INSTALLED_SKILLS,
    store,
    providerClient: skills.client,
    secrets,
    publicKeys,
    logger,
    ...(signingKey && { signingKey }),
    ...(settings?.kind === 'postgres' && { concurrency: settings.concurrency }),
    ...(telemetry && { telemetry }),
  })
  let closing = false
  return {
    gate,
    logger,
    async checkEngine() {
      // What a run left behind is looked for before it could be swept.
      await gate.ready().catch(() => {})
      await skills.check(() => closing)
    },
    async close() {
      closing = true
      await gate.close({ graceMs: GRACE_MS })
      await skills.close()
      await stopTelemetry()
    },
  }
}

/** A key that outlives the process, and what was wrong when there is none. */
function findSigningKey(
  given: string | undefined,
  store: StoreSettings | undefined,
): { key?: string; problem?: unknown } {
  checkSigningKey(store, given)
  if (given !== undefined) return { key: given }
  try {
    return { key: keepSigningKey(store?.kind === 'embedded' ? store.directory : DEFAULT_DIRECTORY) }
  } catch (problem) {
    if (isFailure(problem)) throw problem
    return { problem }
  }
}
