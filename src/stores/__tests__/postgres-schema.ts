/** Empty places in the PostgreSQL that the tests are given, one for each store, and connections to them. */
import pg from 'pg'

export const connectionString = process.env.SKILLGATE_TEST_POSTGRES

export const withoutPostgres =
  connectionString === undefined ? 'set SKILLGATE_TEST_POSTGRES to a connection string; npm test starts one' : undefined

/** A schema of its own. `pool()` answers a new pool whose connections see it alone. */
export async function createSchema(): Promise<{ pool(): pg.Pool; drop(): Promise<void> }> {
  const schema = `test_${process.pid}_${Math.random().toString(36).slice(2)}`
  const ask = async (sql: string): Promise<void> => {
    const client = new pg.Client({ connectionString })
    await client.connect()
    await client.query(sql)
    await client.end()
  }
  await ask(`CREATE SCHEMA ${schema}`)
  return {
    pool: () => new pg.Pool({ connectionString, options: `-c search_path=${schema}` }),
    drop: () => ask(`DROP SCHEMA ${schema} CASCADE`),
  }
}
