/** The engine's JSON as the protocol's rows: names, tags, times and states. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { containerDetails, containerRows } from '../containers.js'
import { humanState } from '../human-state.js'
import { imageRows } from '../images.js'

const DIGEST = `sha256:${'a'.repeat(64)}`
const now = new Date('2026-01-10T12:00:00Z')
const ago = (seconds: number) => new Date(now.getTime() - seconds * 1000).toISOString()

for (const [name, image, expected] of [
  ['a tag and a digest', { RepoTags: ['nginx:1'], RepoDigests: [`nginx@${DIGEST}`] }, [['nginx', '1', DIGEST]]],
  [
    'two tags',
    { RepoTags: ['a:1', 'b:2'], RepoDigests: [`b@${DIGEST}`] },
    [
      ['a', '1', undefined],
      ['b', '2', DIGEST],
    ],
  ],
  ['a registry’s port', { RepoTags: ['r:5000/a/b:v1'] }, [['r:5000/a/b', 'v1', undefined]]],
  ['a digest only', { RepoTags: null, RepoDigests: [`r:5000/a@${DIGEST}`] }, [['r:5000/a', '<none>', DIGEST]]],
  ['no name at all', { RepoTags: null, RepoDigests: null }, [['<none>', '<none>', undefined]]],
  [
    '<none> as Docker writes it',
    { RepoTags: ['<none>:<none>'], RepoDigests: ['<none>@<none>'] },
    [['<none>', '<none>', undefined]],
  ],
] as const) {
  test(`an image with ${name}`, () => {
    const rows = imageRows([{ Id: 'sha256:1', Created: 0, Size: 5, ...image }], 10)
    assert.deepEqual(
      rows.map(({ repository, tag, digest }) => [repository, tag, digest]),
      expected,
    )
  })
}

test('images come newest first, and limit counts rows', () => {
  const images = [1, 3, 2].map((Created) => ({ Id: `${Created}`, Created, RepoTags: [`a:${Created}`, `b:${Created}`] }))
  assert.deepEqual(
    imageRows(images, 3).map(({ tag }) => tag),
    ['3', '3', '2'],
  )
})

test('a container’s own name is the one without a further slash', () => {
  const [row] = containerRows([{ Id: '1', Names: ['/other/alias', '/own'], Created: 0 }], 10)
  assert.deepEqual([row?.name, row?.created], ['own', '1970-01-01T00:00:00.000Z'])
})

test('variables are told by name: their values are secrets more often than not', () => {
  const details = containerDetails({ Config: { Env: ['PASSWORD=hunter2', 'EMPTY='] } }, now)
  assert.deepEqual(details.env_names, ['PASSWORD', 'EMPTY'])
  assert.ok(!JSON.stringify(details).includes('hunter2'))
})

for (const [state, expected] of [
  [{ Status: 'running', StartedAt: ago(0) }, 'Up Less than a second'],
  [{ Status: 'running', StartedAt: ago(59) }, 'Up 59 seconds'],
  [{ Status: 'running', StartedAt: ago(61) }, 'Up About a minute'],
  [{ Status: 'running', StartedAt: ago(7200), Health: { Status: 'healthy' } }, 'Up 2 hours (healthy)'],
  [{ Status: 'paused', StartedAt: ago(3600) }, 'Up About an hour (Paused)'],
  [{ Status: 'exited', ExitCode: 137, FinishedAt: ago(86_400 * 3) }, 'Exited (137) 3 days ago'],
  [{ Status: 'restarting', ExitCode: 1, FinishedAt: ago(86_400 * 20) }, 'Restarting (1) 2 weeks ago'],
  [{ Status: 'created', StartedAt: '0001-01-01T00:00:00Z' }, 'Created'],
  [{ Status: 'running', StartedAt: 'nonsense' }, 'Up an unknown time'],
] as const) {
  test(`${JSON.stringify(state)} reads ${expected}`, () => {
    assert.equal(humanState(state, now), expected)
  })
}
