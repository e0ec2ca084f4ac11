/** The memory store passes the suite of all stores. */
import { testStore } from '../../testing/store-suite.js'
import { createMemoryStore } from '../memory.js'

testStore('memory', { open: createMemoryStore })
