/** The protocol's routes, parsed; and everything else, refused before anything is sent. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isFailure } from '../../core/failure.js'
import { parseL1Request } from '../../core/l1-request.js'
import { ENGINE_ROUTES, engineTarget } from '../engine-routes.js'

for (const [method, path, expected] of [
  ['GET', '/containers', { route: 'GET /containers', id: '', query: { all: false, limit: 25 } }],
  ['GET', '/containers?all=true&limit=100', { route: 'GET /containers', id: '', query: { all: true, limit: 100 } }],
  ['GET', '/containers/a.b-c_d', { route: 'GET /containers/{id}', id: 'a.b-c_d', query: {} }],
  ['GET', '/containers/run', { route: 'GET /containers/{id}', id: 'run', query: {} }],
  ['POST', '/containers/run', { route: 'POST /containers/run', id: '', query: {} }],
  ['POST', '/containers/x/stop?timeout=0', { route: 'POST /containers/{id}/stop', id: 'x', query: { timeout: 0 } }],
  [
    'GET',
    '/containers/x/logs?timestamps=false',
    { route: 'GET /containers/{id}/logs', id: 'x', query: { tail: 100, timestamps: false } },
  ],
  ['GET', '/images?limit=1', { route: 'GET /images', id: '', query: { limit: 1 } }],
] as const) {
  test(`${method} ${path} is understood`, () => {
    assert.deepEqual(parseL1Request(method, path), expected)
  })
}

for (const [method, path, code] of [
  ['GET', '/containers?limit=0', 'INVALID_INPUT'],
  ['GET', '/containers?limit=101', 'INVALID_INPUT'],
  ['GET', '/containers?limit=0x10', 'INVALID_INPUT'],
  ['GET', '/containers?limit=1.5', 'INVALID_INPUT'],
  ['GET', '/containers?limit=', 'INVALID_INPUT'],
  ['GET', '/containers?limit', 'INVALID_INPUT'],
  ['GET', '/containers?limit=1&limit=2', 'INVALID_INPUT'],
  ['GET', '/containers?all=1', 'INVALID_INPUT'],
  ['GET', '/containers?filters={}', 'INVALID_INPUT'],
  ['GET', '/containers?__proto__=1', 'INVALID_INPUT'],
  ['GET', '/containers/x/logs?tail=all', 'INVALID_INPUT'],
  ['GET', '/containers/x/logs?tail=1001', 'INVALID_INPUT'],
  ['GET', '/containers/x/logs?follow=true', 'INVALID_INPUT'],
  ['POST', '/containers/x/stop?timeout=301', 'INVALID_INPUT'],
  ['POST', '/containers/x/stop?timeout=-1', 'INVALID_INPUT'],
  ['GET', '/containers/', 'INVALID_INPUT'],
  ['GET', '/containers/.', 'INVALID_INPUT'],
  ['GET', '/containers/..', 'INVALID_INPUT'],
  ['GET', '/containers/_x', 'INVALID_INPUT'],
  ['GET', '/containers/-rf', 'INVALID_INPUT'],
  ['GET', '/containers/%2e%2e', 'INVALID_INPUT'],
  ['GET', '/containers/a%2Fb', 'INVALID_INPUT'],
  ['GET', '/containers/a\nb', 'INVALID_INPUT'],
  ['GET', '/containers/a\\b', 'INVALID_INPUT'],
  ['GET', '/containers/a#b', 'INVALID_INPUT'],
  ['GET', `/containers/${'a'.repeat(129)}`, 'INVALID_INPUT'],
  ['GET', '/containers/a/', 'NOT_FOUND'],
  ['GET', '/containers//json', 'NOT_FOUND'],
  ['GET', '/containers/a/archive?path=/', 'NOT_FOUND'],
  ['POST', '/containers/a/exec', 'NOT_FOUND'],
  ['POST', '/containers/a', 'NOT_FOUND'],
  ['DELETE', '/containers/a', 'NOT_FOUND'],
  ['get', '/containers', 'NOT_FOUND'],
  ['GET', 'containers', 'NOT_FOUND'],
  ['GET', 'http://elsewhere/containers', 'NOT_FOUND'],
  ['GET', '/v1.41/containers', 'NOT_FOUND'],
  ['GET', '/containers?limit=1?x', 'NOT_FOUND'],
  ['GET', `/containers?${'x'.repeat(1000)}`, 'NOT_FOUND'],
  ['GET', undefined, 'NOT_FOUND'],
  [7, '/containers', 'NOT_FOUND'],
] as const) {
  test(`${JSON.stringify(method)} ${JSON.stringify(path)?.slice(0, 60)} is ${code}`, () => {
    assert.throws(
      () => parseL1Request(method, path),
      (error) => isFailure(error) && error.code === code,
    )
  })
}

test('the engine is never asked for archive, exec, commit, build, export, or to make networks and volumes', () => {
  for (const [method, path] of Object.values(ENGINE_ROUTES)) {
    assert.doesNotMatch(path, /archive|exec|commit|build|export|load|push|volumes/)
    if (path.startsWith('/networks')) assert.equal(method, 'GET')
  }
})

for (const values of [{ id: '..' }, { id: 'a/b' }, { id: '' }, { id: 'a?b' }, {}]) {
  test(`a network's path is not built from ${JSON.stringify(values)}`, () => {
    assert.throws(() => engineTarget('networkInspect', '1.41', values), isFailure)
  })

  test(`a container path is not built from ${JSON.stringify(values)}`, () => {
    assert.throws(() => engineTarget('containerInspect', '1.41', values), isFailure)
  })
}

for (const image of ['..', '../x', 'a//b', '', 'a/./b']) {
  test(`an image path is not built from ${JSON.stringify(image)}`, () => {
    assert.throws(() => engineTarget('imageInspect', '1.41', { image }), isFailure)
  })
}

test('an image reference and a query reach the wire encoded', () => {
  assert.equal(
    engineTarget('imageInspect', '1.41', { image: '[::1]:5000/a/b@sha256:0' }).path,
    '/v1.41/images/%5B%3A%3A1%5D%3A5000/a/b%40sha256%3A0/json',
  )
  assert.equal(
    engineTarget('containerStop', '1.41', { id: 'x', query: { t: 10 } }).path,
    '/v1.41/containers/x/stop?t=10',
  )
})
