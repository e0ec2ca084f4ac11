/** SQLite behind the seam: `node:sqlite` where Node has it, `libsql` elsewhere. Every call is synchronous inside. */
import { Failure } from '../core/failure.js'
import type { Database, Query, Row, Value } from './sql-database.js'

/** One connection, as both libraries can be used. */
export interface Connection {
  exec(sql: string): void
  prepare(sql: string): (values: readonly Value[]) => Row[]
  close(): void
}

export type Driver = (path: string, options?: { readOnly?: boolean }) => Connection

interface NodeSqlite {
  DatabaseSync: new (
    path: string,
    options: { readOnly: boolean },
  ) => {
    exec(sql: string): void
    prepare(sql: string): { all(...values: Value[]): Row[] }
    close(): void
  }
}

interface Libsql {
  default: new (
    path: string,
  ) => {
    exec(sql: string): void
    prepare(sql: string): {
      readonly reader: boolean
      all(values: readonly Value[]): Row[]
      run(values: readonly Value[]): unknown
    }
    close(): void
  }
}

/** The library of this Node, or that which is named. Throws when there is none, and says what to install. */
export async function findDriver(name: 'node:sqlite' | 'libsql' | 'any' = 'any'): Promise<Driver> {
  const failures: unknown[] = []
  if (name !== 'libsql') {
    try {
      return nodeDriver(await importNodeSqlite())
    } catch (error) {
      failures.push(error)
    }
  }
  if (name !== 'node:sqlite') {
    try {
      const library: string = 'libsql'
      return libsqlDriver((await import(library)) as Libsql)
    } catch (error) {
      failures.push(error)
    }
  }
  throw new Failure(
    'UNAVAILABLE',
    `The embedded store needs SQLite, and Node ${process.versions.node} has none that can be used. Install the package libsql (npm install libsql), or use Node 22.13 or newer.`,
    { retriable: false, cause: new AggregateError(failures) },
  )
}

/** Node says on every import that its SQLite is experimental. That is for us to know, not for who reads the output. */
async function importNodeSqlite(): Promise<NodeSqlite> {
  const { emitWarning } = process
  process.emitWarning = ((warning: string | Error, ...rest: never[]) => {
    if (!String(warning).includes('SQLite is an experimental feature')) emitWarning.call(process, warning, ...rest)
  }) as typeof process.emitWarning
  try {
    const library: string = 'node:sqlite'
    return (await import(library)) as NodeSqlite
  } finally {
    process.emitWarning = emitWarning
  }
}

const nodeDriver =
  ({ DatabaseSync }: NodeSqlite): Driver =>
  (path, { readOnly = false } = {}) => {
    const connection = new DatabaseSync(path, { readOnly })
    return {
      exec: (sql) => connection.exec(sql),
      prepare(sql) {
        const statement = connection.prepare(sql)
        return (values) => statement.all(...values)
      },
      close: () => connection.close(),
    }
  }

const libsqlDriver =
  ({ default: Connection }: Libsql): Driver =>
  (path, { readOnly = false } = {}) => {
    const connection = new Connection(path)
    if (readOnly) connection.exec('PRAGMA query_only = 1')
    return {
      exec: (sql) => connection.exec(sql),
      prepare(sql) {
        const statement = connection.prepare(sql)
        if (statement.reader) return (values) => statement.all(values).map(withBytes)
        return (values) => {
          statement.run(values)
          return []
        }
      },
      close: () => connection.close(),
    }
  }

/** libsql answers bytes as bare buffers. */
function withBytes(row: Row): Row {
  for (const [column, value] of Object.entries(row))
    if (value instanceof ArrayBuffer) row[column] = new Uint8Array(value)
  return row
}

const MAX_STATEMENTS = 500

/** A database of one connection: transactions follow each other, and reads wait for them. */
export function createSqliteDatabase(connection: Connection): Database {
  const statements = new Map<string, (values: readonly Value[]) => Row[]>()
  let transaction: Promise<unknown> = Promise.resolve()
  let inTransaction = false

  function run(sql: string, values: readonly Value[]): Row[] {
    let statement = statements.get(sql)
    if (statement === undefined) {
      if (statements.size >= MAX_STATEMENTS) statements.clear()
      statement = connection.prepare(sql)
      statements.set(sql, statement)
    }
    return statement(values)
  }

  const ask: Query = async (sql, values = []) => run(sql, values)

  async function transact<T>(work: (query: Query) => Promise<T>): Promise<T> {
    inTransaction = true
    try {
      run('BEGIN IMMEDIATE', [])
      try {
        const result = await work(ask)
        commit()
        return result
      } catch (error) {
        rollBack()
        throw error
      }
    } finally {
      inTransaction = false
    }
  }

  function commit(): void {
    try {
      run('COMMIT', [])
    } catch (cause) {
      // It is rolled back here, but what a failing disk has of it may be found when the log is opened again.
      throw new Failure('UNAVAILABLE', 'The log could not be written, and whether it was is unknown. Check the disk.', {
        details: { applied: 'unknown' },
        cause,
      })
    }
  }

  function rollBack(): void {
    try {
      run('ROLLBACK', [])
    } catch {
      // SQLite rolls back by itself after some errors, and then there is nothing to roll back.
    }
  }

  return {
    dialect: { integer: 'integer', text: 'text', bytes: 'blob', keyOnly: 'WITHOUT ROWID' },
    exclusive: true,
    async query(sql, values = []) {
      // On this connection a read would see what a transaction has not committed.
      while (inTransaction) await transaction
      return run(sql, values)
    },
    transaction(work) {
      const mine = transaction.then(() => transact(work))
      transaction = mine.catch(() => {})
      return mine
    },
    async close() {
      await transaction
      statements.clear()
      connection.close()
    },
  }
}
