/** What `node --import` is given: hooks in the thread itself where Node has that, which is faster. */
import module from 'node:module'
import * as hooks from './hooks.mjs'

if (module.registerHooks) module.registerHooks(hooks)
else module.register('./hooks.mjs', import.meta.url)
