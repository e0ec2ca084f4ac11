/** The store that a command's environment names: a directory of its own, or a PostgreSQL that several hosts share. */
import { describe, Failure } from '../core/failure.js'
import type { Store } from '../core/store.js'
import { refused } from '../http/settings.js'
import { createEmbeddedStore } from '../stores/embedded.js'
import { createPostgresStore } from '../stores/postgres.js'

export const DEFAULT_DIRECTORY = './.skillgate'

/** For the help of a command. */
export const STORE_SETTINGS = `  DATA_DIR         directory of the log (${DEFAULT_DIRECTORY}); one process at a time writes to it
  DATABASE_URL     instead of a directory: a PostgreSQL that several hosts may share, postgres://user:password@host/database
`

export type StoreSettings =
  | { kind: 'embedded'; directory: string }
  | {
      kind: 'postgres'
      connectionString: string
      leaseMs: number
      /** Runs at a time of this host. */
      concurrency: number
      /** Runs at a time of all hosts together; as many as they perform when it is not set. */
      maxConcurrentRuns?: number
    }

/** Numbers that mean something on a shared store only, with what each is in words. */
const SHARED = {
  LEASE_MS: { unit: 'milliseconds', least: 1_000, most: 600_000 },
  CONCURRENCY: { unit: 'a number of runs', least: 1, most: 1_000 },
  MAX_CONCURRENT_RUNS: { unit: 'a number of runs', least: 1, most: 100_000 },
}

/** Reads the variables; an empty one counts as not set. Throws INVALID_INPUT that names the variable. */
export function parseStoreSettings(env: Readonly<Record<string, string | undefined>>): StoreSettings {
  const { DATA_DIR: directory, DATABASE_URL: connectionString } = env
  if (!connectionString) {
    const set = Object.keys(SHARED).find((name) => env[name])
    if (set) throw refused(set, 'is set, but it is for hosts on a shared store only. Set DATABASE_URL, or unset it')
    return { kind: 'embedded', directory: directory || DEFAULT_DIRECTORY }
  }
  if (directory) throw refused('DATA_DIR', 'and DATABASE_URL are both set. Unset one of them')
  if (!/^postgres(?:ql)?:\/\/./.test(connectionString)) {
    // Not shown: it may hold a password.
    throw refused(
      'DATABASE_URL',
      'is no address of a PostgreSQL. It looks like postgres://user:password@host:5432/database',
    )
  }
  if (!isUrl(connectionString)) {
    throw refused(
      'DATABASE_URL',
      'is no URL. Look at its port, and percent-encode what is special in user and password: %25 for %, %40 for @',
    )
  }
  const maxConcurrentRuns = parseNumber('MAX_CONCURRENT_RUNS', env)
  return {
    kind: 'postgres',
    connectionString,
    leaseMs: parseNumber('LEASE_MS', env) ?? 15_000,
    concurrency: parseNumber('CONCURRENCY', env) ?? 16,
    ...(maxConcurrentRuns !== undefined && { maxConcurrentRuns }),
  }
}

/** Throws INVALID_INPUT for a shared store without a key: its hosts read what the others sealed. */
export function checkSigningKey(settings: StoreSettings | undefined, signingKey: string | undefined): void {
  if (settings?.kind !== 'postgres' || signingKey !== undefined) return
  const reason = 'is not set, and the hosts on a shared store need the same. Make one with openssl rand -hex 32'
  throw refused('SIGNING_KEY', reason)
}

/** The passwords that the database's client may use: in the URL, in its query, or in PGPASSWORD. */
export function passwordsOf(settings: StoreSettings | undefined, env: Readonly<Record<string, string | undefined>>) {
  if (settings?.kind !== 'postgres') return []
  const { password, searchParams } = new URL(settings.connectionString)
  return [decodeURIComponent(password), searchParams.get('password') ?? '', env.PGPASSWORD ?? '']
}

function isUrl(text: string): boolean {
  try {
    decodeURIComponent(text)
  } catch {
    return false
  }
  return URL.canParse(text)
}

function parseNumber(name: keyof typeof SHARED, env: Readonly<Record<string, string | undefined>>): number | undefined {
  const { unit, least, most } = SHARED[name]
  const text = env[name]
  if (!text) return undefined
  const value = /^\d{1,6}$/.test(text) ? Number(text) : 0
  if (value >= least && value <= most) return value
  throw refused(name, `${describe(text)} cannot be used. Set ${unit} from ${least} to ${most}`)
}

/** `readOnly`: beside whoever writes, without being one of the hosts; nothing is changed, and nothing can be appended. */
export async function openStore(settings: StoreSettings, { readOnly = false } = {}): Promise<Store> {
  if (settings.kind === 'embedded') return createEmbeddedStore({ directory: settings.directory, readOnly })
  const { connectionString, leaseMs, maxConcurrentRuns } = settings
  if (readOnly) {
    const { default: pg } = await import('pg').catch((cause) => {
      throw new Failure('UNAVAILABLE', 'DATABASE_URL needs a package: npm install pg', { cause })
    })
    const pool = new pg.Pool({ connectionString, max: 2 })
    return createPostgresStore({ pool, readOnly }).catch(async (error) => {
      await pool.end()
      throw error
    })
  }
  const { createSharedPostgresStore } = await import('../stores/shared-postgres.js').catch((cause) => {
    throw new Failure('UNAVAILABLE', 'DATABASE_URL needs two packages: npm install pg graphile-worker', { cause })
  })
  return createSharedPostgresStore({
    connectionString,
    leaseMs,
    ...(maxConcurrentRuns !== undefined && { maxConcurrentRuns }),
  })
}
