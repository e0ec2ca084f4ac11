/** What a policy's constraints let by in docker.run, against the built package, on plain Node. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { dockerRun, execute } from 'skillgate/skills/docker-run'
import { DIGEST, IMAGE, recordingClient, SPEC } from './fixture.js'

describe('without a policy the strictest defaults hold, with one exactly its constraints', () => {
  const mount = { source: '/data/in', target: '/in', read_only: true }
  const LOADER_OR_PROXY = [
    ...['LD_PRELOAD', 'ld_audit', 'DYLD_INSERT_LIBRARIES', 'PATH', 'GCONV_PATH', 'GLIBC_TUNABLES', 'MALLOC_CONF'],
    ...['BASH_ENV', 'ENV', 'PS4', 'IFS', 'ZDOTDIR', 'PAGER', 'GIT_SSH_COMMAND', 'LESSOPEN', 'EDITOR', 'MANPAGER'],
    ...['NODE_OPTIONS', 'NODE_EXTRA_CA_CERTS', 'npm_config_registry', 'PYTHONPATH', 'PYTHONINSPECT', 'PIP_INDEX_URL'],
    ...['PERL5LIB', 'RUBYOPT', 'GEM_PATH', 'PHPRC', 'LUA_INIT', 'CLASSPATH', '_JAVA_OPTIONS', 'GOFLAGS'],
    ...['DOTNET_STARTUP_HOOKS', 'CORECLR_PROFILER', 'RUSTC_WRAPPER', 'OPENSSL_CONF', 'SSL_CERT_FILE', 'CURL_CA_BUNDLE'],
    ...[
      'http_proxy',
      'HTTPS_PROXY',
      'ALL_PROXY',
      'no_proxy',
      'SOCKS5_PROXY',
      'grpc_proxy',
      'HOSTALIASES',
      'RES_OPTIONS',
    ],
  ]
  const direct = [
    { network: true },
    { network: 'own' },
    { mounts: [mount] },
    ...LOADER_OR_PROXY.map((name) => ({ env: { [name]: 'x' } })),
  ]
  for (const params of direct) {
    it(`${JSON.stringify(params)} is DENIED when called directly`, async () => {
      const providerClient = recordingClient()
      const { metadata } = await execute({ image: IMAGE, ...params }, { providerClient })
      assert.equal(metadata.error.code, 'DENIED')
      assert.equal(providerClient.requests.length, 0)
    })
  }

  for (const name of [
    'A',
    'HOME',
    'LANG',
    'TZ',
    'NODE_ENV',
    'PYTHONUNBUFFERED',
    'PROXYING',
    'ENVIRONMENT',
    'MY_PATH',
  ]) {
    it(`${name} loads and reroutes nothing, and is let by`, async () => {
      const { metadata } = await execute({ image: IMAGE, env: { [name]: 'x' } }, { providerClient: recordingClient() })
      assert.equal(metadata.success, true, metadata.error?.message)
    })
  }

  it('what a policy demands of the engine goes along with the run', async () => {
    const providerClient = recordingClient()
    const constraints = { images: [IMAGE], require_posture: ['rootless', 'cgroup_v2'] }
    await execute({ image: IMAGE }, { providerClient, constraints })
    assert.deepEqual(providerClient.requests[0].body.require_posture, ['rootless', 'cgroup_v2'])
  })

  it('a pull gets its own time beside the program', async () => {
    const providerClient = recordingClient()
    const constraints = { images: [IMAGE], pull: 'if-missing', pull_timeout_ms: 5_000 }
    await execute({ image: IMAGE, timeout_ms: 1_000 }, { providerClient, constraints })
    const { timeoutMs } = providerClient.requests[0].options
    assert.ok(timeoutMs > 15_000 && timeoutMs <= 16_000, String(timeoutMs))
  })

  const writable = { mounts: [{ ...mount, read_only: false }] }
  const roots = { images: [IMAGE], mounts_allowed: true, mount_roots: ['/data'] }
  const CONSTRAINED = [
    [writable, roots, false],
    [writable, { ...roots, writable_mounts_allowed: true }, true],
    [{}, {}, false],
    [{}, { images: [IMAGE] }, true],
    [{}, { images: [`docker.io/library/${IMAGE}`] }, true],
    [{}, { images: [`other@${DIGEST}`] }, false],
    [{}, { repositories: ['hello-world'] }, true],
    [{}, { repositories: ['docker.io/library/hello-world'] }, true],
    [{}, { repositories: ['hello', 'hello-world/x', 'me/hello-world', 'ghcr.io/library/hello-world'] }, false],
    [{}, { registries: ['docker.io'] }, true],
    [{}, { registries: ['index.docker.io'] }, true],
    [{}, { registries: ['ghcr.io'] }, false],
    [{ image: `ghcr.io/acme/tool@${DIGEST}` }, { repositories: ['ghcr.io/acme'] }, false],
    [{ image: `ghcr.io/acme/tool@${DIGEST}` }, { repositories: ['ghcr.io/acme/tool'] }, true],
    [{ image: `ghcr.io/acme/tool2@${DIGEST}` }, { repositories: ['ghcr.io/acme/tool'] }, false],
    [{ image: `ghcr.io/acme/tool@${DIGEST}` }, { registries: ['GHCR.IO'] }, true],
    [{ image: `ghcr.io:444/acme/tool@${DIGEST}` }, { registries: ['ghcr.io'] }, false],
    [{ image: `ghcr.io.evil.example/acme/tool@${DIGEST}` }, { registries: ['ghcr.io'] }, false],
    [{ image: DIGEST }, { registries: ['docker.io'], repositories: ['hello-world'] }, false],
    [{ image: DIGEST }, { images: [DIGEST] }, true],
    [{}, { images: [], repositories: [], registries: [] }, false],
    [{}, { images: [IMAGE], pull: 'never' }, true, {}],
    [{}, { images: [IMAGE], pull: 'if-missing' }, true, { pull: 'if-missing', pull_timeout_ms: 300_000 }],
    [{ network: true }, { images: [IMAGE], network_allowed: true }, true, { network: 'open' }],
    [{ network: 'own' }, { images: [IMAGE], networks: ['own'] }, true, { network: { internal: 'own' } }],
    [{ network: 'own' }, { images: [IMAGE], network_allowed: true }, false],
    [{ network: 'own' }, { images: [IMAGE], networks: ['own2', 'ow'] }, false],
    [{ network: true }, { images: [IMAGE], networks: ['own'] }, false],
    [{ mounts: [mount] }, { images: [IMAGE], mounts_allowed: true }, false],
    [
      { mounts: [mount] },
      { images: [IMAGE], mounts_allowed: true, mount_roots: ['/data/in'] },
      true,
      { mounts: [{ ...mount, root: '/data/in' }] },
    ],
    [{ mounts: [mount] }, { images: [IMAGE], mounts_allowed: true, mount_roots: ['/data//./in/'] }, true],
    [
      { mounts: [mount] },
      { images: [IMAGE], mounts_allowed: true, mount_roots: ['/srv', '/data', '/data/inner'] },
      true,
      { mounts: [{ ...mount, root: '/data' }] },
    ],
    [
      { mounts: [{ ...mount, source: '/data/in/deep' }] },
      { images: [IMAGE], mounts_allowed: true, mount_roots: ['/data', '/data/in'] },
      true,
      { mounts: [{ ...mount, source: '/data/in/deep', root: '/data/in' }] },
    ],
    [
      { mounts: [mount, { ...mount, source: '/srv', target: '/srv' }] },
      { images: [IMAGE], mounts_allowed: true, mount_roots: ['/data/in'] },
      false,
    ],
    [{ mounts: [mount] }, { images: [IMAGE], mounts_allowed: true, mount_roots: ['/dat', '/data/i'] }, false],
    [{ mounts: [mount] }, { images: [IMAGE], mount_roots: ['/data/in'] }, false],
    [{ cmd: ['x'] }, { images: [IMAGE], cmd_allowed: false }, false],
    [{}, { images: [IMAGE], cmd_allowed: false }, true],
    [{ cmd: ['x'] }, { images: [IMAGE], cmd: ['x'] }, true, { cmd: ['x'] }],
    [{}, { images: [IMAGE], cmd: ['x'] }, false],
    [{ entrypoint: ['x'] }, { images: [IMAGE], entrypoint_allowed: false }, false],
    [{ env: { A: '1' } }, { images: [IMAGE], env: [] }, false],
    [{ env: { LD_PRELOAD: '1' } }, { images: [IMAGE], env: ['LD_PRELOAD'] }, true, { env: { LD_PRELOAD: '1' } }],
    [{ memory_mb: 300 }, { images: [IMAGE], max_memory_mb: 299 }, false],
    [{ cpus: 2 }, { images: [IMAGE], max_cpus: 1.5 }, false],
    [{ timeout_ms: 500 }, { images: [IMAGE], max_timeout_ms: 499 }, false],
    [{}, { images: [IMAGE], max_pids: 7 }, true, { pids: 7 }],
    [{}, { images: [IMAGE], max_output_bytes: 1024 }, true, { output: { keep_bytes: 1024, limit_bytes: 1024 } }],
  ]
  for (const [params, constraints, allowed, spec] of CONSTRAINED) {
    it(`${JSON.stringify(params)} under ${JSON.stringify(constraints).replaceAll(hexOf(DIGEST), '…')}`, async () => {
      const providerClient = recordingClient()
      const { metadata } = await execute({ image: IMAGE, ...params }, { providerClient, constraints })
      assert.equal(metadata.success, allowed, metadata.error?.message)
      if (!allowed) assert.equal(metadata.error.code, 'DENIED')
      assert.equal(providerClient.requests.length, allowed ? 1 : 0)
      if (spec !== undefined) assert.deepEqual(providerClient.requests[0].body, { ...SPEC, ...spec })
      const tool = dockerRun.tools.get('docker.run')
      const objection = tool.judge(tool.parse({ image: IMAGE, ...params }), tool.parseConstraints(constraints))
      assert.equal(objection === undefined, allowed, 'judge and execute must agree')
    })
  }

  const REFUSED = [
    ...[{ images: 'all' }, { network: true }, { max_pids: 0 }, { images: ['x:latest'] }, []],
    { require_signature: 'yes' },
    ...['ghcr.io/acme/tool:1', IMAGE, 'A', '../x', '', 7].map((repository) => ({ repositories: [repository] })),
    ...['ghcr', 'https://ghcr.io', 'ghcr.io/acme', '*.io', '', 7].map((registry) => ({ registries: [registry] })),
    ...['always', true, ''].map((pull) => ({ pull })),
    ...['host', 'bridge', '*', 'a b'].map((network) => ({ networks: [network] })),
    ...['/', '/etc', '/var', '/home/me', 'data', '/run/docker.sock'].map((root) => ({ mount_roots: [root] })),
  ]
  for (const constraints of REFUSED) {
    it(`constraints of ${JSON.stringify(constraints)} are refused, not ignored`, async () => {
      const providerClient = recordingClient()
      const { metadata } = await execute({ image: IMAGE }, { providerClient, constraints })
      assert.equal(metadata.error.code, 'INVALID_INPUT')
      assert.equal(providerClient.requests.length, 0)
    })
  }
})

function hexOf(digest) {
  return digest.slice('sha256:'.length)
}
