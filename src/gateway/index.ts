/** Published as `skillgate/gateway`: the L1 protocol over HTTP, its client and its server. */
export { createGatewayApp, type GatewayApp, type GatewayAppOptions, type GatewayRequest } from './app.js'
export { createGatewayClient, type GatewayClient, type GatewayClientOptions } from './client.js'
export { type GatewayConfig, type GatewayConfigInput, readGatewayConfig } from './config.js'
export type { Credential } from './credential.js'
export type { GatewayTls } from './gateway-url.js'
