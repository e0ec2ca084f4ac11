/** The store of a host without a database server: one directory with a SQLite file in it. */
import { chmodSync, closeSync, existsSync, mkdirSync, openSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Failure, isFailure } from '../core/failure.js'
import type { Store } from '../core/store.js'
import { createSqlStore } from './sql.js'
import { type Connection, createSqliteDatabase, type Driver, findDriver } from './sqlite.js'

export interface EmbeddedStoreOptions {
  /** Where the log is kept; it is made when it is not there. */
  directory?: string
  /** For reading beside the process that writes: nothing is changed, and `append` rejects with UNAVAILABLE. */
  readOnly?: boolean
  /** Which SQLite; without it Node's own, where it has one, and `libsql` elsewhere. */
  driver?: 'node:sqlite' | 'libsql'
}

/**
 * Opens the log in a directory. What it acknowledged survives a crash of the process and of the machine. One process at
 * a time may write. Throws a Failure UNAVAILABLE when another one does, or when the files are damaged.
 *
 * @example
 * ```ts
 * import { createGate } from 'skillgate'
 * import { createEmbeddedStore } from 'skillgate/stores/embedded'
 *
 * const gate = createGate({ skills: [], store: await createEmbeddedStore({ directory: './.skillgate' }) })
 * ```
 */
export async function createEmbeddedStore({
  directory = './.skillgate',
  readOnly = false,
  driver: name,
}: EmbeddedStoreOptions = {}): Promise<Store> {
  const driver = await findDriver(name)
  const place = resolve(directory)
  const file = join(place, 'log.db')
  if (!readOnly) mkdirSync(place, { recursive: true, mode: 0o700 })
  // SQLite would make it.
  else if (!existsSync(file)) {
    const message = `There is no log in ${place}. Name the directory that its host writes to.`
    throw new Failure('UNAVAILABLE', message, { retriable: false })
  }
  const lock = readOnly ? undefined : lockDirectory(driver, place)
  let connection: Connection | undefined
  try {
    if (!readOnly) makePrivate(file)
    connection = driver(file, { readOnly })
    connection.exec('PRAGMA busy_timeout = 5000')
    if (!readOnly) prepareForWriting(connection)
    const store = await createSqlStore(createSqliteDatabase(connection), { readOnly })
    const { close } = store
    return {
      ...store,
      async close() {
        await close?.()
        lock?.close()
      },
    }
  } catch (error) {
    connection?.close()
    lock?.close()
    if (isFailure(error)) throw error
    throw new Failure(
      'UNAVAILABLE',
      `The log in ${file} cannot be opened: ${(error as Error).message}. Nothing was changed. Restore it from a copy, or give another directory.`,
      { retriable: false, cause: error },
    )
  }
}

function prepareForWriting(connection: Connection): void {
  // Events are about a kilobyte: larger pages hold them with less waste, and a commit writes fewer. A file keeps its size.
  const pragmas = ['page_size = 8192', 'journal_mode = WAL', 'synchronous = FULL', 'cache_size = -4000']
  for (const pragma of pragmas) connection.prepare(`PRAGMA ${pragma}`)([])
}

/** Files are made before SQLite would make them: it gives those beside it the mode of the first. */
function makePrivate(file: string): void {
  closeSync(openSync(file, 'a', 0o600))
  chmodSync(file, 0o600)
}

/** A second file, locked by SQLite as long as this process lives, so that the log itself can be read beside it. */
function lockDirectory(driver: Driver, place: string): Connection {
  const file = join(place, 'lock.db')
  makePrivate(file)
  const lock = driver(file)
  try {
    lock.exec('PRAGMA busy_timeout = 0')
    lock.exec('BEGIN EXCLUSIVE')
    return lock
  } catch (error) {
    lock.close()
    throw new Failure(
      'UNAVAILABLE',
      `Another process writes to ${place}. Stop it first, or give this one a directory of its own.`,
      { retriable: false, cause: error },
    )
  }
}
