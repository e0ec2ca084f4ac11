/** Where the engine is: every accepted form of DOCKER_HOST, and what is refused. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { isFailure } from '../../core/failure.js'
import { parseEndpoint } from '../connect.js'

const tls = { ca: 'CA', cert: 'CERT', key: 'KEY' }

for (const [options, origin, connect] of [
  [{}, 'http://docker', { socketPath: '/var/run/docker.sock' }],
  [{ env: { DOCKER_HOST: '' } }, 'http://docker', { socketPath: '/var/run/docker.sock' }],
  [{ env: { DOCKER_HOST: 'unix:///run/x.sock' } }, 'http://docker', { socketPath: '/run/x.sock' }],
  [{ host: 'unix:///a', env: { DOCKER_HOST: 'tcp://b:1' } }, 'http://docker', { socketPath: '/a' }],
  [{ host: 'unix:///a', env: { DOCKER_TLS_VERIFY: '1' } }, 'http://docker', { socketPath: '/a' }],
  [{ host: 'tcp://127.0.0.1' }, 'http://127.0.0.1:2375', {}],
  [{ host: 'tcp://127.0.0.1:99/' }, 'http://127.0.0.1:99', {}],
  [{ host: 'tcp://engine', tls }, 'https://engine:2376', tls],
  [{ host: 'tcp://[::1]:2375' }, 'http://[::1]:2375', {}],
  [{ host: 'http://engine:8080' }, 'http://engine:8080', {}],
  [{ host: 'https://engine:8443' }, 'https://engine:8443', {}],
  [{ host: 'https://engine:8443', tls }, 'https://engine:8443', tls],
] as const) {
  test(`${JSON.stringify(options)} is ${origin}`, () => {
    const endpoint = parseEndpoint(options)
    assert.equal(endpoint.origin, origin)
    assert.deepEqual(endpoint.connect, connect)
  })
}

for (const host of [
  'docker',
  '/var/run/docker.sock',
  'unix://relative.sock',
  'unix://',
  `unix:///${'x'.repeat(108)}`,
  'tcp://',
  'tcp://host:port',
  'tcp://host:99999',
  'tcp://user:secret@host:1',
  'tcp://host:1/path',
  'tcp://host:1?x',
  'tcp://ho st',
  'ftp://host',
  'npipe:////./pipe/docker_engine',
  'ssh://',
  'ssh://-oProxyCommand=x',
  'ssh://-l@host',
  'ssh://user@-host',
  'ssh://user:secret@host',
  'ssh://host/run/docker.sock',
  'ssh://host:0',
  'ssh://host:99999',
  'ssh://ho st',
  'ssh://host\n-oProxyCommand=x',
  'ssh://host;id',
]) {
  test(`${host.slice(0, 40)} is INVALID_INPUT, and the message says what to send`, () => {
    assert.throws(
      () => parseEndpoint({ host }),
      (error) => isFailure(error) && error.code === 'INVALID_INPUT' && /unix:\/\/\//.test(error.message),
    )
  })
}

test('plain http refuses certificates, which it would ignore', () => {
  assert.throws(() => parseEndpoint({ host: 'http://engine', tls }), isFailure)
})

test('DOCKER_CERT_PATH brings the three files, for TCP', () => {
  const directory = mkdtempSync(join(tmpdir(), 'certs-'))
  try {
    for (const name of ['ca', 'cert', 'key']) writeFileSync(join(directory, `${name}.pem`), name)
    const env = { DOCKER_HOST: 'tcp://engine', DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: directory }
    const { origin, connect } = parseEndpoint({ env })
    assert.equal(origin, 'https://engine:2376')
    assert.deepEqual([String(connect.ca), String(connect.cert), String(connect.key)], ['ca', 'cert', 'key'])
  } finally {
    rmSync(directory, { recursive: true })
  }
})

for (const [name, env, field] of [
  ['certificates without verification', { DOCKER_CERT_PATH: '/certs' }, 'DOCKER_TLS_VERIFY'],
  ['verification without certificates', { DOCKER_TLS_VERIFY: '1' }, 'DOCKER_CERT_PATH'],
  ['certificates that are not there', { DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: '/nowhere' }, 'DOCKER_CERT_PATH'],
] as const) {
  test(`${name} are refused, naming ${field}`, () => {
    assert.throws(
      () => parseEndpoint({ env: { DOCKER_HOST: 'tcp://engine', ...env } }),
      (error) => isFailure(error) && error.details?.field === field,
    )
  })
}
