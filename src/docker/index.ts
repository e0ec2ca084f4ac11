/** Published as `skillgate/docker`: a provider for Docker Engines and for Podman's compatible socket. */
export type { EngineCall } from './call.js'
export type { EndpointOptions, EngineTls } from './connect.js'
export type { EngineIdentity } from './engine.js'
export { createDockerProvider, type DockerProvider, type DockerProviderOptions } from './provider.js'
