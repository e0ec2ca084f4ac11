/** The published entry points; `__tests__/house.test.ts` holds them against package.json's exports. */
import { defineConfig } from 'tsup'

export default defineConfig({
  entry: {
    index: 'src/index.ts',
    cli: 'src/cli.ts',
    'skills/docker-api/handler': 'skills/docker-api/handler.ts',
    'skills/docker-run/handler': 'skills/docker-run/handler.ts',
    'agents/ai-sdk': 'src/agents/ai-sdk.ts',
    'agents/functions': 'src/agents/functions.ts',
    'agents/langchain': 'src/agents/langchain.ts',
    'agents/openai-agents': 'src/agents/openai-agents.ts',
    'docker/index': 'src/docker/index.ts',
    'gateway/index': 'src/gateway/index.ts',
    'http/index': 'src/http/index.ts',
    'mcp/index': 'src/mcp/index.ts',
    'redaction/index': 'src/redaction/index.ts',
    'stores/embedded': 'src/stores/embedded.ts',
    'stores/memory': 'src/stores/memory.ts',
    'stores/postgres': 'src/stores/postgres.ts',
    'stores/shared-postgres': 'src/stores/shared-postgres.ts',
    'telemetry/index': 'src/telemetry/index.ts',
    'testing/index': 'src/testing/index.ts',
  },
  format: 'esm',
  target: 'node20',
  platform: 'node',
  // `node:test` has no other name.
  removeNodeProtocol: false,
  dts: true,
  sourcemap: true,
  splitting: true,
  clean: true,
  silent: true,
})
