/** Mounts: only what really lies below its root, by its real path, and never a place of the host's own. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { isFailure } from '../../core/failure.js'
import { SYSTEM_PATHS } from '../../core/mount-path.js'
import { parseRunSpec, type RunMount } from '../../core/run-spec.js'
import { createFakeEngine, providerPrograms } from '../../testing/index.js'
import { rejection } from '../../testing/rejection.js'
import { createDockerProvider } from '../index.js'
import { resolveMounts } from '../run-mounts.js'
import { runSpec } from './run-fixture.js'

let dir: string
const local = { remote: false, socketPath: undefined }
const at = (...path: string[]) => join(dir, ...path)
const server = createServer()

before(async () => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'mounts-')))
  mkdirSync(at('root/below/deep'), { recursive: true })
  mkdirSync(at('rooted'))
  mkdirSync(at('root/.ssh'))
  writeFileSync(at('root/file'), 'x')
  for (const [name, target] of [
    ['in', 'below'],
    ['out', '../rooted'],
    ['up', '..'],
    ['etc', '/etc'],
    ['shadow', '/etc/passwd'],
    ['proc', '/proc/self/root'],
    ['keys', '.ssh'],
    ['nowhere', 'not-there'],
    ['loop', 'loop'],
    ['null', '/dev/null'],
  ] as const)
    symlinkSync(target, at('root', name))
  symlinkSync('root', at('linked-root'))
  symlinkSync('/etc', at('linked-etc'))
  execFileSync('/bin/sh', ['-c', 'mkfifo "$1"', 'sh', at('root/fifo')])
  await new Promise<void>((resolve) => server.listen(at('root/engine'), resolve))
})

after(async () => {
  await new Promise((resolve) => server.close(resolve))
  rmSync(dir, { recursive: true, force: true })
})

const mount = (source: string, root?: string): RunMount => ({
  source,
  target: '/in',
  read_only: true,
  ...(root !== undefined && { root }),
})

for (const [source, root, real] of [
  ['root', 'root', 'root'],
  ['root', undefined, 'root'],
  ['root/below', 'root', 'root/below'],
  ['root/below/deep', 'root', 'root/below/deep'],
  ['root/file', 'root', 'root/file'],
  ['root//./below/', 'root', 'root/below'],
  ['root/in', 'root', 'root/below'],
  ['root/in/deep', 'root', 'root/below/deep'],
  ['linked-root/below', 'linked-root', 'root/below'],
] as const) {
  test(`${source} of ${root ?? 'itself'} is mounted as ${real} [S24]`, async () => {
    const [resolved] = await resolveMounts([mount(`${dir}/${source}`, root && at(root))], local)
    assert.deepEqual(resolved, { source: at(real), target: '/in', read_only: true })
  })
}

for (const [source, root, code, message] of [
  ['root/out', 'root', 'DENIED', /leads out of/],
  ['root/up', 'root', 'DENIED', /leads out of/],
  ['root/etc', 'root', 'DENIED', /leads out of/],
  ['root/proc', 'root', 'DENIED', /leads out of/],
  ['root/etc', undefined, 'DENIED', /\/etc of the host/],
  ['root/shadow', undefined, 'DENIED', /\/etc of the host/],
  ['root/null', undefined, 'DENIED', /\/dev of the host/],
  ['linked-etc', undefined, 'DENIED', /\/etc of the host/],
  ['root/keys', 'root', 'DENIED', /credentials/],
  ['root/fifo', 'root', 'DENIED', /neither a directory nor/],
  ['root/engine', 'root', 'DENIED', /engine's own socket|neither a directory/],
  ['root/loop', 'root', 'DENIED', /cannot be looked at \(ELOOP\)/],
  ['root/nowhere', 'root', 'INVALID_INPUT', /not there/],
  ['root/absent', 'root', 'INVALID_INPUT', /not there/],
  ['root/file/x', 'root', 'INVALID_INPUT', /not there/],
] as const) {
  test(`${source} of ${root ?? 'itself'} is ${code} [S24]`, async () => {
    const error = await rejection(resolveMounts([mount(at(source), root && at(root))], local))
    assert.ok(isFailure(error), String(error))
    assert.deepEqual([error.code, error.details], [code, { field: 'mounts[0].source' }])
    assert.match(error.message, message)
    assert.ok(!error.message.includes(at('rooted')), 'where a link leads is not told')
  })
}

test('a directory that holds the engine’s own socket is refused, under whatever name it is listed', async () => {
  symlinkSync(at('root/engine'), at('engine-link'))
  for (const socketPath of [at('root/engine'), at('engine-link')]) {
    const error = await rejection(resolveMounts([mount(at('root'))], { remote: false, socketPath }))
    assert.match(error.message, /engine's own socket/)
  }
})

test('on a remote engine a source is its root, and nothing is looked at', async () => {
  const remote = { remote: true, socketPath: undefined }
  const { root: _, ...exact } = mount('/srv/data', '/srv//data/')
  assert.deepEqual(await resolveMounts([mount('/srv/data', '/srv//data/')], remote), [exact])
  assert.deepEqual(await resolveMounts([mount('/srv/data')], remote), [exact])
  const error = await rejection((async () => resolveMounts([mount('/srv/data/x', '/srv/data')], remote))())
  assert.ok(isFailure(error) && error.code === 'DENIED')
})

const spec = (mounts: unknown) => runSpec(`x@sha256:${'b5'.repeat(32)}`, providerPrograms.nothing.cmd, { mounts })

const OWN = [...SYSTEM_PATHS, '/', '/var', '/var/lib', '/home', '/home/me', '/Users/me', '/private']
const BELOW = SYSTEM_PATHS.map((path) => `${path}/x`)
const WORDS = ['/ETC', '//etc//passwd/', '/./etc', '/srv/docker.sock', '/srv/x.SOCK', '/home/me/.ssh', '/srv/.aws/x']
const MORE = ['/srv/.config/gcloud/x', '/srv/../etc', '/srv/a:b', '/srv/a,b', 'srv', '', '/srv/\0']
for (const source of [...OWN, ...BELOW, ...WORDS, ...MORE]) {
  test(`${JSON.stringify(source)} is neither a source nor a root [S5]`, () => {
    for (const [field, given] of [
      ['source', mount(source)],
      ['root', mount('/srv/data', source)],
    ] as const) {
      assert.throws(
        () => parseRunSpec(spec([given])),
        (error) =>
          isFailure(error) &&
          error.code === 'INVALID_INPUT' &&
          /^mounts\[0\]\.(source|root)$/.test(String(error.details?.field)),
        field,
      )
    }
  })
}

for (const source of ['/srv', '/etcetera', '/home/me/project', '/data/.sshd', '/var/lib/app', '/varnish', '/mnt/run']) {
  test(`${source} may be mounted`, () => {
    assert.equal(parseRunSpec(spec([mount(source, source)])).mounts[0]?.source, source)
  })
}

test('a source lies in its root by name already', () => {
  assert.throws(() => parseRunSpec(spec([mount('/srv/database', '/srv/data')])), isFailure)
})

const TARGETS = [
  '/',
  '//',
  '/.',
  '/proc',
  '/proc/1',
  '/sys/fs',
  '/dev',
  '/dev/shm',
  '/tmp',
  '/tmp/',
  '/tmp/../etc',
  '/etc',
]
for (const target of [...TARGETS, '/etc/hosts', '/sbin', '/sbin/docker-init', '/usr', '/a:b', 'in', '']) {
  test(`nothing is mounted over ${JSON.stringify(target)} [S5]`, () => {
    assert.throws(
      () => parseRunSpec(spec([{ source: '/srv', target, read_only: true }])),
      (error) => isFailure(error) && error.details?.field === 'mounts[0].target',
    )
  })
}

for (const [one, other] of [
  ['/in', '/in'],
  ['/in', '//in/.'],
  ['/in', '/in/deep'],
  ['/in/deep', '/in'],
] as const) {
  test(`${one} and ${other} are not both targets`, () => {
    const mounts = [one, other].map((target) => ({ source: '/srv', target, read_only: true }))
    assert.throws(
      () => parseRunSpec(spec(mounts)),
      (error) => isFailure(error) && error.details?.field === 'mounts[1].target',
    )
  })
}

test('targets side by side, also below /tmp, are fine', () => {
  const mounts = ['/in', '/inside', '/tmp/in'].map((target) => ({ source: '/srv', target, read_only: true }))
  assert.equal(parseRunSpec(spec(mounts)).mounts.length, 3)
})

test('a mount that is refused for where it leads reaches no engine [S24]', async (t) => {
  const fake = await createFakeEngine()
  const provider = createDockerProvider({ host: fake.host })
  t.after(async () => {
    await provider.close()
    await fake.close()
  })
  for (const source of ['root/out', 'root/etc', 'root/absent', 'root/fifo']) {
    await rejection(provider.request('POST', '/containers/run', spec([mount(at(source), at('root'))])))
  }
  assert.equal(fake.requests.length, 0)
})
