/** Translates the project's TypeScript once, for the many processes that run tests: tsx looks at every file in each of them. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { transform } from 'esbuild'
import { findFiles } from '../file-search.js'
import { projectRoot } from '../tool-run.js'

/** What has tests, and what tests import. */
const DIRECTORIES = ['src', 'skills', '__tests__', 'scripts', 'examples']
const ROOT_FILES = ['tsup.config.ts']

/** The flags and the environment with which Node runs TypeScript of the project as it is now. */
export async function translate(): Promise<{ flags: string[]; env: Record<string, string> }> {
  const place = join(projectRoot, 'node_modules/.cache/skillgate')
  const isSource = (path: string) => path.endsWith('.ts') && !path.endsWith('.d.ts')
  const files = [...DIRECTORIES.flatMap((directory) => findFiles(directory, isSource)), ...ROOT_FILES]
  await Promise.all(
    files.map(async (path) => {
      const options = { loader: 'ts', format: 'esm', target: 'node20', sourcemap: 'inline' } as const
      // Named as seen from the module that the translation stands for.
      const sourcefile = basename(path)
      const { code } = await transform(readFileSync(join(projectRoot, path), 'utf8'), { ...options, sourcefile })
      const target = join(place, path.replace(/ts$/, 'js'))
      mkdirSync(dirname(target), { recursive: true })
      writeFileSync(target, code)
    }),
  )
  return {
    flags: ['--enable-source-maps', '--import', './scripts/translated/register.mjs'],
    // Node keeps there what it compiled, from 22.1 on.
    env: { SKILLGATE_TRANSLATED: place, NODE_COMPILE_CACHE: join(place, 'compiled') },
  }
}
