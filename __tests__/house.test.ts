/** The rules of docs/architecture.md and the tables of the documents, held against the code. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, normalize } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { dockerApi } from '../skills/docker-api/handler.js'
import { dockerRun } from '../skills/docker-run/handler.js'
import type { Skill } from '../src/index.js'
import tsup from '../tsup.config.js'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

function filesUnder(directory: string): string[] {
  if (!existsSync(join(ROOT, directory))) return []
  return readdirSync(join(ROOT, directory), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes('node_modules'))
    .map((entry) => normalize(join(entry.parentPath, entry.name)).slice(ROOT.length))
    .toSorted()
}

const code = ['src', 'skills', '__tests__', 'examples', 'bench', 'scripts']
  .flatMap(filesUnder)
  .filter((path) => /\.(ts|js)$/.test(path))
/** What is published; tests may import anything. */
const sources = code.filter((path) => /^(src|skills)\//.test(path) && !path.includes('/__tests__/'))
const tests = code.filter((path) => /\.test\.(ts|js)$/.test(path))

/** The modules a text imports; text in comments and strings is no import. */
function importsIn(text: string): string[] {
  const bare = text.replaceAll(/\/\*[\s\S]*?\*\//g, '')
  const found = bare.matchAll(
    /^(?:import|export)\b[^'"`;]*?from\s+'([^']+)'|^import\s+'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/gm,
  )
  return [...found].map(([, from, effect, dynamic]) => from ?? effect ?? dynamic ?? '')
}

const TYPE_IMPORT = /^(?:import|export) type [^'"`;]*?from\s+'[^']+'/gm

/** What the text of a file imports, with relative paths made those of source files. */
const resolved = (path: string, text: string): string[] =>
  importsIn(text).map((name) => (name.startsWith('.') ? join(dirname(path), name).replace(/\.js$/, '.ts') : name))

const imports = new Map(sources.map((path) => [path, resolved(path, read(path))]))

/** Room by room, what may be imported; `^node:` is allowed everywhere but in skills. */
const ROOMS: [room: RegExp, what: string, allowed: RegExp][] = [
  [/^src\/core\//, 'core imports zod, node: and redaction', /^(zod|node:.*|src\/core\/.*|src\/redaction\/index\.ts)$/],
  [/^src\/redaction\//, 'redaction imports node: and itself', /^(node:.*|src\/redaction\/.*)$/],
  [
    /^src\/stores\//,
    'stores import core, node: and the engine of a database',
    /^(pg|graphile-worker|node:.*|src\/core\/.*|src\/redaction\/index\.ts|src\/stores\/.*)$/,
  ],
  [
    /^src\/docker\//,
    'docker imports core, node: and undici',
    /^(undici|node:.*|src\/core\/.*|src\/redaction\/index\.ts|src\/docker\/.*)$/,
  ],
  [
    /^src\/http\//,
    'http imports core, the entry point, node:, zod and hono',
    /^(hono(\/.*)?|@hono\/node-server|zod|node:.*|src\/core\/.*|src\/redaction\/index\.ts|src\/http\/.*)$/,
  ],
  [
    /^src\/gateway\//,
    'the gateway imports core, node:, zod and undici',
    /^(undici|zod|node:.*|src\/core\/.*|src\/redaction\/index\.ts|src\/gateway\/.*)$/,
  ],
  [
    /^src\/mcp\//,
    'mcp imports core, redaction, node:, zod and the SDK of MCP servers',
    /^(@modelcontextprotocol\/server|zod|node:.*|src\/core\/.*|src\/redaction\/index\.ts|src\/mcp\/.*)$/,
  ],
  [
    /^src\/agents\//,
    'agents import core, and no SDK',
    /^(node:.*|src\/core\/.*|src\/redaction\/index\.ts|src\/agents\/.*)$/,
  ],
  [
    /^src\/telemetry\//,
    'telemetry imports core and the API of OpenTelemetry',
    /^(@opentelemetry\/api|node:.*|src\/core\/.*|src\/telemetry\/.*)$/,
  ],
  [
    /^src\/testing\//,
    'testing imports core, redaction, node: and itself',
    /^(node:.*|src\/core\/.*|src\/redaction\/index\.ts|src\/testing\/.*)$/,
  ],
  [/^src\/index\.ts$/, 'the entry point imports core and redaction', /^src\/(core\/.*|redaction\/index\.ts)$/],
  ...['docker-api', 'docker-run'].map((name): [RegExp, string, RegExp] => [
    new RegExp(`^skills/${name}/`),
    `skills/${name} imports the author's surface, zod and its own folder`,
    new RegExp(`^(zod|src/core/(skill|failure|glob|image|run-spec)\\.ts|src/redaction/index\\.ts|skills/${name}/.*)$`),
  ]),
]

describe('who may import whom', () => {
  for (const [room, what, allowed] of ROOMS) {
    it(what, () => {
      const inside = sources.filter((path) => room.test(path))
      assert.ok(inside.length > 0, 'the room is empty')
      const wrong = inside.flatMap((path) =>
        (imports.get(path) ?? []).filter((name) => !allowed.test(name)).map((name) => `${path} -> ${name}`),
      )
      assert.deepEqual(wrong, [])
    })
  }

  it('every source file belongs to a room or composes them', () => {
    const homeless = sources.filter((path) => !ROOMS.some(([room]) => room.test(path)))
    assert.deepEqual(
      homeless.filter((path) => !path.startsWith('src/commands/')),
      ['src/cli.ts'],
    )
  })

  it('nobody in src imports testing', () => {
    const wrong = [...imports].filter(
      ([path, names]) => !path.startsWith('src/testing/') && names.some((name) => name.startsWith('src/testing/')),
    )
    assert.deepEqual(wrong, [])
  })

  it('relative imports name files that are there', () => {
    const missing = [...imports.values()]
      .flat()
      .filter((name) => /^(src|skills)\//.test(name) && !existsSync(join(ROOT, name)))
    assert.deepEqual(missing, [])
    assert.ok([...imports.values()].flat().length > 200, 'imports are found')
  })

  it('there are no cycles among what runs; types alone may name each other', () => {
    const running = new Map(sources.map((path) => [path, resolved(path, read(path).replaceAll(TYPE_IMPORT, ''))]))
    const state = new Map<string, 'open' | 'done'>()
    const cycles: string[] = []
    const visit = (path: string, trail: string[]): void => {
      if (state.get(path) === 'open') cycles.push([...trail.slice(trail.indexOf(path)), path].join(' -> '))
      if (state.has(path)) return
      state.set(path, 'open')
      for (const name of running.get(path) ?? []) if (running.has(name)) visit(name, [...trail, path])
      state.set(path, 'done')
    }
    for (const path of sources) visit(path, [])
    assert.deepEqual(cycles, [])
  })

  it('skills hold no power of their own: no processes, sockets, environment, clock or evaluation [S13]', () => {
    const power =
      /\bfetch\s*\(|\bprocess\b|\bglobalThis\b|\beval\s*\(|\bnew Function\b|\bsetTimeout\b|\bDate\.now\b|\brequire\s*\(|\bimport\s*\(/
    const holding = sources
      .filter((path) => path.startsWith('skills/'))
      .filter((path) => {
        const bare = read(path).replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')
        return power.test(bare) || importsIn(read(path)).some((name) => name.startsWith('node:'))
      })
    assert.deepEqual(holding, [])
    assert.match('await fetch(url)', power)
  })
})

describe('files', () => {
  it('none is over 350 lines', () => {
    assert.deepEqual(
      code.filter((path) => read(path).split('\n').length - 1 > 350),
      [],
    )
  })

  it('none is named for nothing in particular', () => {
    assert.deepEqual(
      code.filter((path) => /^(utils?|helpers?|common|types|constants|misc)\b/.test(basename(path))),
      [],
    )
    assert.deepEqual(
      code.filter((path) => !/^[a-z0-9]+(-[a-z0-9]+)*(\.test|\.d)?\.(ts|js)$/.test(basename(path))),
      [],
    )
  })

  it('each begins with what it is responsible for', () => {
    const silent = code.filter((path) => !/^(#!.*\n)?\/\*\*?[\s*]*[\w`]/.test(read(path)))
    assert.deepEqual(silent, [])
  })

  it('no status number stands outside failure.ts', () => {
    const wrong = sources
      .filter((path) => path.startsWith('src/http/') || path.startsWith('src/core/') || path.startsWith('skills/'))
      .filter((path) => path !== 'src/core/failure.ts')
      .flatMap((path) =>
        [...read(path).matchAll(/\b(?:status|statusCode)\s*(?::|=(?!=)|\()\s*[45]\d\d\b/g)].map(
          ([text]) => `${path}: ${text}`,
        ),
      )
    assert.deepEqual(wrong, [])
  })
})

describe('what is published', () => {
  const { exports, bin, files } = JSON.parse(read('package.json'))
  const entries = Object.keys((tsup as unknown as { entry: Record<string, string> }).entry).toSorted()
  const exported = Object.values(exports as Record<string, string | { types: string; default: string }>)
    .filter((target) => typeof target !== 'string')
    .map((target) => (target as { default: string }).default.replace(/^\.\/dist\/(.*)\.js$/, '$1'))

  it("the exports and the binary are exactly the build's entries", () => {
    assert.deepEqual([...exported, bin.skillgate.replace(/^\.\/dist\/(.*)\.js$/, '$1')].toSorted(), entries)
    for (const target of Object.values(exports as Record<string, string | { types: string; default: string }>)) {
      if (typeof target !== 'string') assert.equal(target.types, target.default.replace(/\.js$/, '.d.ts'))
    }
  })

  it("the build's entries are there when it was built", {
    skip: existsSync(join(ROOT, 'dist/index.d.ts')) ? false : 'dist is not built',
  }, () => {
    for (const entry of entries) assert.ok(existsSync(join(ROOT, `dist/${entry}.js`)), entry)
    for (const entry of exported) assert.ok(existsSync(join(ROOT, `dist/${entry}.d.ts`)), entry)
  })

  it('what skills say of themselves is packed', () => {
    for (const pattern of ['skills/*/SKILL.md', 'skills/*/README.md']) assert.ok(files.includes(pattern), pattern)
  })
})

interface SkillDocument {
  name: string
  description: string
  license: string
  compatibility: string
  metadata: Record<string, unknown>
}

describe('the skills and their documents', () => {
  const skills: Skill[] = [dockerApi, dockerRun]
  it('every folder of skills is tested here', () => {
    const folders = readdirSync(join(ROOT, 'skills')).toSorted()
    assert.deepEqual(folders, skills.map(({ meta }) => meta.name).toSorted())
  })

  for (const { meta } of skills) {
    it(`${meta.name}: SKILL.md keeps the Agent Skills format`, () => {
      const [, frontmatter, body] = /^---\n([\s\S]*?)\n---\n([\s\S]*)$/.exec(read(`skills/${meta.name}/SKILL.md`)) ?? []
      const document = parse(frontmatter ?? '') as SkillDocument
      assert.deepEqual(Object.keys(document).toSorted(), [
        'compatibility',
        'description',
        'license',
        'metadata',
        'name',
      ])
      assert.equal(document.name, meta.name)
      assert.ok(document.description.length > 0 && document.description.length <= 1024)
      assert.ok(document.compatibility.length > 0 && document.compatibility.length <= 500)
      assert.equal(document.license, 'MIT')
      for (const value of Object.values(document.metadata)) assert.equal(typeof value, 'string')
      assert.equal(document.metadata.version, meta.version)
      assert.equal(document.metadata.layer, meta.layer)
      assert.ok((body ?? '').trim().length > 100 && (body ?? '').split('\n').length < 500)
    })

    it(`${meta.name}: README.md names every constraint`, () => {
      const readme = read(`skills/${meta.name}/README.md`).split('\n## Policy')[1] ?? ''
      const names = meta.tools.flatMap(({ constraints }) => Object.keys((constraints?.properties as object) ?? {}))
      assert.ok(names.length > 0)
      for (const name of new Set(names)) assert.match(readme, new RegExp(`\\b${name}\\b`))
    })
  }
})

describe('claims', () => {
  const claimed = [...read('docs/security.md').matchAll(/^- \*\*(S\d+)\*\*/gm)].map(([, id]) => id as string)
  const titles = tests.flatMap((path) =>
    [...read(path).matchAll(/(?:describe|suite|it|test)\(\s*(['"`])([\s\S]*?)\1/g)].map(
      ([, , title]) => title as string,
    ),
  )
  const proved = new Set(titles.flatMap((title) => [...title.matchAll(/\[(S\d+)\]/g)].map(([, id]) => id as string)))

  it('are numbered from S1 without gaps', () => {
    assert.deepEqual(
      claimed,
      claimed.map((_, index) => `S${index + 1}`),
    )
    assert.ok(claimed.length >= 10)
  })

  it('each is named by a test, and no test names one that is not made', () => {
    assert.deepEqual(
      [...proved].filter((id) => !claimed.includes(id)),
      [],
      'named by a test, but not claimed',
    )
    assert.deepEqual(
      claimed.filter((id) => !proved.has(id)),
      [],
      'claimed, but named by no test',
    )
  })
})
