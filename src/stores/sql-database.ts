/** The seam between the SQL store and a database: one way to ask, alone or in a transaction. */

export type Value = string | number | Uint8Array | null
export type Row = Record<string, unknown>

/**
 * Runs one statement of the common subset of SQLite and PostgreSQL; each `?` stands for the next value. Statements that
 * are asked together are executed in the order in which they were asked.
 */
export type Query = (sql: string, values?: readonly Value[]) => Promise<Row[]>

export interface Database {
  /** What the two do not call the same. */
  dialect: {
    /** A type for whole numbers up to 2^53; for a primary key, the one that costs least. */
    integer: string
    /** A type for texts that are compared by their code points. */
    text: string
    bytes: string
    /** What follows a table that is only its primary key, so that it is kept once. */
    keyOnly: string
    /** A statement that waits until no other host migrates; not needed where transactions exclude each other anyway. */
    migrationLock?: string
  }
  /** No other process appends while this one has it open: what was read of it stays true. */
  exclusive?: true
  query: Query
  /**
   * All that `work` asks, or nothing; other transactions may not see it before it is durable. Rejects with what `work`
   * rejects with, then nothing is applied, or with a Failure that says in `details.applied` whether something may be.
   */
  transaction<T>(work: (query: Query) => Promise<T>): Promise<T>
  close(): Promise<void>
}

/** A list of `count` rows of `columns` placeholders for VALUES. */
export function placeholders(count: number, columns: number): string {
  const row = `(${Array(columns).fill('?').join(', ')})`
  return Array(count).fill(row).join(', ')
}

const LARGEST_CHUNK = 64

/** Cuts a list into chunks whose lengths are powers of two, so that few statements are enough for all lengths. */
export function* chunked<T>(list: readonly T[]): Generator<T[]> {
  for (let at = 0; at < list.length; ) {
    const size = Math.min(LARGEST_CHUNK, 2 ** Math.floor(Math.log2(list.length - at)))
    yield list.slice(at, at + size)
    at += size
  }
}

/** The rows for which a column has one of the values, asked in chunks. `sql` gets the list of placeholders. */
export async function selectIn(query: Query, values: readonly string[], sql: (list: string) => string): Promise<Row[]> {
  const found = [...chunked(values)].map((chunk) => query(sql(placeholders(chunk.length, 1)), chunk))
  return (await Promise.all(found)).flat()
}
