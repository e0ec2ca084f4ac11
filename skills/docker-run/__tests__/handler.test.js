/** The documented behaviour of the docker-run skill, against the built package, on plain Node. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Failure } from 'skillgate'
import { dockerRun, execute, meta, validate } from 'skillgate/skills/docker-run'
import { DIGEST, IMAGE, OUTCOME, recordingClient, SPEC } from './fixture.js'

describe('a run', () => {
  it('sends one hardened run spec and answers what the program printed', async () => {
    const providerClient = recordingClient()
    const { result, metadata } = await execute({ image: IMAGE }, { providerClient })
    const { timestamp, ...rest } = metadata
    assert.equal(result, 'Exit code 0 after 118 ms\n\nstdout:\nHello\n')
    assert.deepEqual(rest, { untrusted: true, success: true, action: 'run', layer: 'L1', run: OUTCOME })
    assert.equal(new Date(timestamp).toISOString(), timestamp)
    const [{ method, path, body, options }, ...more] = providerClient.requests
    assert.deepEqual([method, path, body, more], ['POST', '/containers/run', SPEC, []])
    assert.ok(options.timeoutMs > 39_000 && options.timeoutMs <= 40_000, 'the ending gets 10 s more than the program')
  })

  it('may be named by its action, alone in its skill', async () => {
    assert.deepEqual(meta.actions, ['run'])
    assert.equal(meta.tools[0].name, 'docker.run')
    assert.equal(meta.tools[0].risk, 'write')
    assert.deepEqual(validate({ action: 'run', image: IMAGE }), { valid: true })
    assert.equal(validate({ action: 'exec', image: IMAGE }).code, 'INVALID_ACTION')
  })

  const PARAMS = [
    [{ image: DIGEST }, { image: DIGEST }],
    [{ image: `docker.io/library/${IMAGE}` }, { image: IMAGE }],
    [{ cmd: ['-c', 'echo', ''] }, { cmd: ['-c', 'echo', ''] }],
    [{ entrypoint: ['/bin/sh'] }, { entrypoint: ['/bin/sh'] }],
    [{ env: { A: '1', _b2: '' } }, { env: { A: '1', _b2: '' } }],
    [{ stdin: '' }, { stdin: '' }],
    [{ workdir: '/tmp' }, { workdir: '/tmp' }],
    [
      { timeout_ms: 100, memory_mb: 6, cpus: 0.1 },
      { timeout_ms: 100, memory_mb: 6, cpus: 0.1 },
    ],
    [
      { timeout_ms: 600_000, memory_mb: 4096, cpus: 16 },
      { timeout_ms: 600_000, memory_mb: 4096, cpus: 16 },
    ],
    [{ network: false, mounts: [], stdin: null }, {}],
  ]
  for (const [params, spec] of PARAMS) {
    it(`${JSON.stringify(params).slice(0, 60)} asks for exactly that`, async () => {
      const providerClient = recordingClient()
      const { metadata } = await execute({ image: IMAGE, ...params }, { providerClient })
      assert.equal(metadata.success, true, metadata.error?.message)
      assert.deepEqual(providerClient.requests[0].body, { ...SPEC, ...spec })
    })
  }

  const TEXTS = [
    [{ stdout: '', stderr: '' }, 'Exit code 0 after 118 ms\n\n(no output)'],
    [{ stdout: 'a', stderr: 'b' }, 'Exit code 0 after 118 ms\n\nstdout:\na\nstderr:\nb'],
    [
      { output: { bytes_total: 90, bytes_kept: 6, truncated: true } },
      'Exit code 0 after 118 ms (6 of 90 bytes of output kept)\n\nstdout:\nHello\n',
    ],
  ]
  for (const [outcome, text] of TEXTS) {
    it(`shows ${JSON.stringify(outcome)}`, async () => {
      const { result } = await execute(
        { image: IMAGE },
        { providerClient: recordingClient({ run: { ...OUTCOME, ...outcome } }) },
      )
      assert.equal(result, text)
    })
  }
})

describe('a program that does not end well', () => {
  const ENDINGS = [
    [
      { exit_code: 3, stderr: 'boom' },
      'EXIT_NONZERO',
      false,
      'The program exited with code 3. See metadata.run.stderr.',
      { exit_code: 3 },
    ],
    [{ exit_code: 137, oom_killed: true }, 'EXIT_NONZERO', false, /137\. .*out of memory/, { exit_code: 137 }],
    [{ exit_code: null, timed_out: true }, 'TIMEOUT', true, /killed after 30000 ms/, { timeout_ms: 30_000 }],
    [
      { exit_code: 137, output: { ...OUTCOME.output, limit_exceeded: true } },
      'OUTPUT_LIMIT',
      false,
      /after printing 6/,
    ],
    [{ exit_code: null }, 'UPSTREAM_ERROR', false, /could not tell/],
  ]
  for (const [outcome, code, retriable, message, details] of ENDINGS) {
    it(`${JSON.stringify(outcome)} is ${code}, with the output so far`, async () => {
      const run = { ...OUTCOME, ...outcome }
      const { result, metadata } = await execute({ image: IMAGE }, { providerClient: recordingClient({ run }) })
      assert.equal(metadata.success, false)
      assert.equal(metadata.error.code, code)
      assert.equal(metadata.error.retriable, retriable)
      if (typeof message === 'string') assert.equal(metadata.error.message, message)
      else assert.match(metadata.error.message, message)
      for (const [key, value] of Object.entries(details ?? {})) assert.equal(metadata.error.details[key], value)
      assert.deepEqual(metadata.run, run)
      assert.ok(result.startsWith(`Error: ${metadata.error.message}\n\nstdout:\nHello\n`), result)
    })
  }

  const failure = (code) => Object.assign(new Error('why'), { name: 'Failure', code, retriable: false })
  const REJECTIONS = [
    ...['IMAGE_NOT_FOUND', 'PLATFORM_MISMATCH', 'POSTURE_MISMATCH', 'ENGINE_UNSUITABLE', 'ABORTED'].map((code) => [
      failure(code),
      code,
    ]),
    [failure('CONFLICT'), 'UPSTREAM_ERROR', 409],
    [Object.assign(new Error('no'), { status: 500 }), 'UPSTREAM_ERROR', 500],
    [Object.assign(new Error('no'), { name: 'AbortError' }), 'TIMEOUT'],
  ]
  for (const [error, code, status] of REJECTIONS) {
    it(`the provider's ${error.code ?? error.name} arrives as ${code}`, async () => {
      const { metadata } = await execute({ image: IMAGE }, { providerClient: recordingClient(error) })
      assert.equal(metadata.error.code, code)
      if (status !== undefined) assert.equal(metadata.error.details.status, status)
      assert.equal(metadata.run, undefined, 'nothing was started')
    })
  }

  for (const answer of [undefined, null, {}, { run: null }, { run: 'done' }, { run: {} }, [OUTCOME]]) {
    it(`an answer of ${JSON.stringify(answer)?.slice(0, 30)} is no run`, async () => {
      const { metadata } = await execute({ image: IMAGE }, { providerClient: recordingClient(() => answer) })
      assert.equal(metadata.error.code, 'UPSTREAM_ERROR')
      assert.equal(metadata.error.retriable, false)
    })
  }

  it('is cancelled by the host: the client gets time to end it, and none when it had not begun', async () => {
    const controller = new AbortController()
    const ending = recordingClient(({ options: { signal } }) => {
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve(failure('ABORTED'))))
    })
    const call = execute({ image: IMAGE }, { providerClient: ending, signal: controller.signal })
    controller.abort()
    const { error } = (await call).metadata
    assert.deepEqual([error.code, error.details.in_progress], ['ABORTED', true])
    const late = recordingClient()
    const { metadata } = await execute({ image: IMAGE }, { providerClient: late, signal: controller.signal })
    assert.equal(metadata.error.code, 'ABORTED')
    assert.equal(late.requests.length, 0)
  })
})

describe('input that is refused, with 0 requests [S5] [S14]', () => {
  const hex = 'ab'.repeat(32)
  const TAGS = ['hello-world', 'hello-world:latest', `hello-world:1@${DIGEST}`, `${IMAGE}@${DIGEST}`, `x@sha512:${hex}`]
  const BAD_DIGESTS = [`x@sha256:${hex.toUpperCase()}`, `x@sha256:${hex}0`, `x@sha256:${hex.slice(1)}`, `@${DIGEST}`]
  const BAD_NAMES = [`../x@${DIGEST}`, `X@${DIGEST}`, `x @${DIGEST}`, ` ${IMAGE}`, `${IMAGE}\n`, `-x@${DIGEST}`, '']
  const rows = [
    ...[...TAGS, ...BAD_DIGESTS, ...BAD_NAMES, 7, ['x'], {}, null, undefined].map((image) => ['image', { image }]),
    ...['echo', [1], [null], ['a\0b'], Array(257).fill('a'), ['a'.repeat(131_073)]].map((cmd) => ['cmd', { cmd }]),
    ...[[], 'sh', [1], ['\0']].map((entrypoint) => ['entrypoint', { entrypoint }]),
    ...[{ '1A': 'x' }, { 'A=B': 'x' }, { A: 1 }, { A: 'a\0' }, [], 'A=1'].map((env) => ['env', { env }]),
    ['env', { env: Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`A${index}`, ''])) }],
    ...[7, [], 'x'.repeat(1024 ** 2 + 1)].map((stdin) => ['stdin', { stdin }]),
    ...[99, 600_001, 100.5, '30000', true].map((timeout_ms) => ['timeout_ms', { timeout_ms }]),
    ...[5, 4097, 6.5, '256'].map((memory_mb) => ['memory_mb', { memory_mb }]),
    ...[0, 0.09, 16.1, -1, '1'].map((cpus) => ['cpus', { cpus }]),
    ...[
      'true',
      'False',
      1,
      {},
      [],
      '',
      'a',
      'host',
      'bridge',
      'none',
      'container:x',
      '../x',
      'a b',
      'x'.repeat(65),
    ].map((network) => ['network', { network }]),
    ...['/a', [{}], [{ source: 'a', target: '/b' }], [{ source: '/a/../b', target: '/b' }]].map((mounts) => [
      'mounts',
      { mounts },
    ]),
    ['mounts', { mounts: [{ source: '/a:b', target: '/b' }] }],
    ...['/', '/etc', '/var/run/docker.sock', '/proc/1/root', '/root', '/home/me', '/srv/.ssh'].map((source) => [
      'mounts',
      { mounts: [{ source, target: '/in' }] },
    ]),
    ...['/', '/proc', '/sys/kernel', '/dev/shm', '/tmp', '/etc'].map((target) => [
      'mounts',
      { mounts: [{ source: '/a', target }] },
    ]),
    [
      'mounts',
      {
        mounts: [
          { source: '/a', target: '/in' },
          { source: '/b', target: '/in//' },
        ],
      },
    ],
    ['mounts', { mounts: [{ source: '/a', target: '/b', propagation: 'shared' }] }],
    ...['tmp', '/a/../b', '/\0', ''].map((workdir) => ['workdir', { workdir }]),
    ...['privileged', 'user', 'capabilities', 'pids'].map((field) => [field, { [field]: true }]),
  ]
  for (const [field, params] of rows) {
    it(`${field}: ${(JSON.stringify(params[field]) ?? 'nothing').slice(0, 60)}`, async () => {
      const providerClient = recordingClient()
      const given = { image: IMAGE, ...params }
      const { metadata } = await execute(given, { providerClient })
      assert.equal(metadata.success, false)
      assert.equal(metadata.error.code, 'INVALID_INPUT')
      assert.match(metadata.error.details.field, new RegExp(`^${field}\\b`))
      assert.equal(providerClient.requests.length, 0)
      const { valid, code, field: named } = validate(given)
      assert.deepEqual([valid, code, named], [false, 'INVALID_INPUT', metadata.error.details.field])
      assert.ok(metadata.error.message.length < 1_000)
    })
  }
})

describe('recovery', () => {
  const recover = (answer, context = {}) => {
    const tool = dockerRun.tools.get('docker.run')
    const providerClient = recordingClient(answer)
    const told = tool.recover(tool.parse({ image: IMAGE }), { providerClient, runId: 'run_1/s1', ...context })
    return { told, requests: providerClient.requests }
  }

  it('asks what became of the run, with the spec it was begun with, and judges it like a live one', async () => {
    const { told, requests } = recover({ run: OUTCOME, engine_id: 'x' })
    const { timestamp, ...metadata } = (await told).metadata
    assert.deepEqual(metadata, { untrusted: true, success: true, action: 'run', layer: 'L1', run: OUTCOME })
    const [{ method, path, body }, ...more] = requests
    assert.deepEqual([method, path, more], ['POST', '/containers/run/collect', []])
    assert.deepEqual(body, { run_id: 'run_1/s1', spec: SPEC })
  })

  const ENDS = [
    [{ run: { ...OUTCOME, exit_code: 3 } }, 'EXIT_NONZERO'],
    [{ run: { ...OUTCOME, exit_code: null, timed_out: true } }, 'TIMEOUT'],
    [new Failure('ABORTED', 'Cancelled.', { partial: { data: { run: OUTCOME } } }), 'ABORTED'],
  ]
  for (const [answer, code] of ENDS) {
    it(`a program that ended with ${code} is told, with what it printed`, async () => {
      const { metadata } = await recover(answer).told
      assert.equal(metadata.error.code, code)
      assert.equal(metadata.run.stdout, OUTCOME.stdout)
    })
  }

  it('"not started" is only what the provider says so of', async () => {
    assert.equal(await recover({ run: null }).told, 'not_started')
    await assert.rejects(recover({ run: null, started: true }).told, {
      retriable: false,
      details: { may_have_run: true },
    })
    for (const answer of [null, {}, { run: 7 }, new Error('away'), new Failure('CONFLICT', 'under way')]) {
      await assert.rejects(recover(answer).told, { name: 'Failure', code: 'UPSTREAM_ERROR' })
    }
  })
})
