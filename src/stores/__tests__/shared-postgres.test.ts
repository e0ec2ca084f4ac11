/** The PostgreSQL store of several hosts passes the suite of all stores. */
import { after } from 'node:test'
import { testStore } from '../../testing/store-suite.js'
import { createSharedPostgresStore } from '../shared-postgres.js'
import { withoutPostgres } from './postgres-schema.js'
import { createSite } from './postgres-site.js'

const site = createSite()
after(() => site.close())

testStore('PostgreSQL of several hosts', {
  async open() {
    const { url } = await site.database()
    return createSharedPostgresStore({ connectionString: url })
  },
  skip: withoutPostgres,
})
