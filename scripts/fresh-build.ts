/** Builds `dist` when it is missing or older than what it is made of. */
import { changedAt, findFiles } from './file-search.js'
import { progress } from './progress.js'
import { runTool } from './tool-run.js'

export async function buildIfStale(): Promise<void> {
  const isSource = (path: string) => /\.ts$/.test(path) && !path.includes('/__tests__/')
  const sources = ['src', 'skills'].flatMap((directory) => findFiles(directory, isSource))
  const newest = Math.max(...[...sources, 'tsup.config.ts', 'package.json'].map(changedAt))
  if (changedAt('dist/index.js') >= newest && changedAt('dist/index.d.ts') >= newest) return
  progress('building dist, which is missing or older than the sources')
  await runTool('tsup')
}
