/** Empty places in the PostgreSQL that the tests are given, one for each store, and connections to them. */
import pg from 'pg'

export const connectionString = process.env.SKILLGATE_TEST_POSTGRES

export const withoutPostgres =
  connectionString === undefined ? 'set SKILLGATE_TEST_POSTGRES to a connection string; npm test starts one' : undefined

export interface Schema {
  /** A new pool whose connections see this schema alone. */
  pool(): pg.Pool
  /** For a connection of one's own: what makes it see this schema alone. */
  options: string
  drop(): Promise<void>
}

export async function createSchema(): Promise<Schema> {
  const name = `test_${crypto.randomUUID().replaceAll('-', '')}`
  const ask = async (sql: string): Promise<void> => {
    const client = new pg.Client({ connectionString })
    await client.connect()
    await client.query(sql)
    await client.end()
  }
  await ask(`CREATE SCHEMA ${name}`)
  const options = `-c search_path=${name} -c application_name=${name}`
  return {
    pool: () => new pg.Pool({ connectionString, options }),
    options,
    drop: () => ask(`DROP SCHEMA ${name} CASCADE`),
  }
}
