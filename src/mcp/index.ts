/** Published as `skillgate/mcp`: a session as an MCP server, and a gate as an MCP endpoint over HTTP. */
export { createMcpEndpoint, type McpEndpoint, type McpEndpointOptions } from './http.js'
export { createMcpServer, type McpServerOptions } from './server.js'
