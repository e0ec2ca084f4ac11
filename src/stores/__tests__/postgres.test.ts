/** The PostgreSQL store passes the suite of all stores. */
import { after } from 'node:test'
import { testStore } from '../../testing/store-suite.js'
import { createPostgresStore } from '../postgres.js'
import { createSchema, withoutPostgres } from './postgres-schema.js'

const schemas: Awaited<ReturnType<typeof createSchema>>[] = []
after(() => Promise.all(schemas.map(({ drop }) => drop())))

testStore('PostgreSQL', {
  async open() {
    const schema = await createSchema()
    schemas.push(schema)
    return createPostgresStore({ pool: schema.pool() })
  },
  skip: withoutPostgres,
})
