/** Published as `skillgate/http`: the HTTP view of a gate, and a server for it. */
export { createHttpApp, type HttpApp, type HttpAppOptions } from './app.js'
export { type RunningServer, type ServerOptions, startServer } from './server.js'
