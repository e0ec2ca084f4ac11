/** `skillgate serve` exports by OpenTelemetry's own environment variables, and says what is missing when it cannot. */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { describe, it } from 'node:test'
import { type Cli, expect, NO_ENGINE, startCli, stopCli, until } from './cli-process.js'

interface Received {
  path: string
  body: string
}

/** A collector that keeps what it is sent. */
async function collect() {
  const received: Received[] = []
  const server = createServer(async (request, response) => {
    received.push({ path: request.url ?? '', body: await text(request) })
    response.setHeader('content-type', 'application/json').end('{}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    received,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => new Promise((resolve) => server.close(resolve).closeAllConnections()),
  }
}

/** One run that is denied, and one whose tool finds no engine. */
async function makeRuns(cli: Cli): Promise<void> {
  const { id } = await expect<{ id: string }>(cli, 201, 'POST', '/v1/sessions', '{}')
  const overrides = [{ tool: 'docker-api.list_images', allow: true }]
  await expect(cli, 200, 'PUT', `/v1/sessions/${id}/policy`, JSON.stringify({ overrides }))
  for (const tool of ['docker-api.list_images', 'docker-api.list_containers']) {
    const message = JSON.stringify({ role: 'user', content: '', intents: [{ tool }] })
    const { run_id } = await expect<{ run_id: string }>(cli, 202, 'POST', `/v1/sessions/${id}/messages`, message)
    await until(
      async () => {
        const { status } = await expect<{ status: string }>(cli, 200, 'GET', `/v1/runs/${run_id}`)
        return status === 'failed' || status === 'denied' || undefined
      },
      () => `${tool}: ${JSON.stringify(cli.output)}`,
    )
  }
}

/** As on a machine where OpenTelemetry is not installed. */
const HOOK = `export const resolve = (name, context, next) => name.startsWith('@opentelemetry/')
  ? Promise.reject(Object.assign(new Error('Cannot find package ' + name), { code: 'ERR_MODULE_NOT_FOUND' })) : next(name, context)`
const WITHOUT = `import { register } from 'node:module'; register('data:text/javascript,' + ${JSON.stringify(encodeURIComponent(HOOK))})`
const NODE_OPTIONS = `--import data:text/javascript,${encodeURIComponent(WITHOUT)}`

describe('skillgate serve', () => {
  it('exports spans and metrics without code, also what came last before it was stopped', async (t) => {
    const collector = await collect()
    t.after(collector.close)
    const cli = await startCli({
      DOCKER_HOST: NO_ENGINE,
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_METRIC_EXPORT_INTERVAL: '200',
      OTEL_METRIC_EXPORT_TIMEOUT: '200',
    })
    t.after(() => stopCli(cli))
    await makeRuns(cli)
    const sent = (path: string) =>
      collector.received
        .filter((each) => each.path === path)
        .map(({ body }) => body)
        .join('\n')
    const runs = () => sent('/v1/metrics').includes('"skillgate.runs"') || undefined
    await until(runs, () => sent('/v1/metrics'))
    cli.process.kill('SIGTERM')
    assert.equal(await cli.exited, 0, JSON.stringify(cli.output))
    for (const part of [
      '"skillgate"',
      '"skillgate.run"',
      '"execute_tool docker-api.list_images"',
      '"UPSTREAM_ERROR"',
    ]) {
      assert.ok(sent('/v1/traces').includes(part), `${part} in ${sent('/v1/traces')}`)
    }
    for (const part of ['skillgate.decisions', 'skillgate.run.duration', 'skillgate.tool.duration']) {
      assert.ok(sent('/v1/metrics').includes(`"${part}"`), `${part} in ${sent('/v1/metrics')}`)
    }
    assert.doesNotMatch(sent('/v1/traces'), /nonexistent/, 'no message of an error')
  })

  it('ends in time when the collector does not answer', async (t) => {
    const silent = createServer(() => {})
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    t.after(() => silent.close().closeAllConnections())
    const { port } = silent.address() as AddressInfo
    const cli = await startCli({
      DOCKER_HOST: NO_ENGINE,
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      OTEL_EXPORTER_OTLP_TIMEOUT: '60000',
    })
    t.after(() => stopCli(cli))
    await makeRuns(cli)
    cli.process.kill('SIGTERM')
    assert.equal(await cli.exited, 0, JSON.stringify(cli.output))
    assert.match(cli.output.stderr, /The last telemetry was not sent/)
  })

  it('says what to install when telemetry is asked for and cannot be loaded, and serves all the same', async (t) => {
    const cli = await startCli({ DOCKER_HOST: NO_ENGINE, NODE_OPTIONS, OTEL_TRACES_EXPORTER: 'otlp' })
    t.after(() => stopCli(cli))
    const line = await until(
      () => cli.output.stderr.split('\n').find((each) => each.includes('OpenTelemetry')),
      () => JSON.stringify(cli.output),
    )
    const { level, message } = JSON.parse(line) as { level: string; message: string }
    assert.equal(level, 'warn')
    assert.match(message, /^OTEL_TRACES_EXPORTER asks .+ npm install @opentelemetry\/api @opentelemetry\/sdk-node$/)
    await makeRuns(cli)
  })

  it('does not look for OpenTelemetry when nobody asks for it', async (t) => {
    for (const env of [{}, { OTEL_SERVICE_NAME: 'x' }, { OTEL_TRACES_EXPORTER: 'otlp', OTEL_SDK_DISABLED: 'true' }]) {
      const cli = await startCli({ DOCKER_HOST: NO_ENGINE, NODE_OPTIONS, ...(env as Record<string, string>) })
      t.after(() => stopCli(cli))
      await makeRuns(cli)
      assert.doesNotMatch(cli.output.stderr, /OpenTelemetry/)
    }
  })
})
