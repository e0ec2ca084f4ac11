/** Finds the project's own files, in a fixed order. */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { projectRoot } from './tool-run.js'

/** The paths below `directory`, relative to the project, that match; installed, built and hidden files never are among them. */
export function findFiles(directory: string, matches: (path: string) => boolean): string[] {
  if (!existsSync(join(projectRoot, directory))) return []
  return readdirSync(join(projectRoot, directory), { withFileTypes: true })
    .filter(({ name }) => name !== 'node_modules' && name !== 'dist' && !name.startsWith('.'))
    .flatMap((entry) => {
      const path = join(directory, entry.name)
      if (entry.isDirectory()) return findFiles(path, matches)
      return matches(path) ? [path] : []
    })
    .sort()
}

/** When the file was last changed; 0 for one that is not there. */
export function changedAt(path: string): number {
  return statSync(join(projectRoot, path), { throwIfNoEntry: false })?.mtimeMs ?? 0
}
