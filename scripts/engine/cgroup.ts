/** Removes the empty control groups that engines leave behind, whether the machine has cgroup v1 or v2. */
import { existsSync, readdirSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { until } from './until.js'

const ROOT = '/sys/fs/cgroup'

/** Removes a group and those below it; one that still holds a process is not ours to remove and stays. */
export async function removeCgroup(group: string): Promise<void> {
  for (const path of pathsOf(group)) await until(() => removeEmptyTree(path), 2_000)
}

/** Removes a group that other engines may use too: only when it is empty, and nothing below it. */
export function removeSharedCgroup(group: string): void {
  for (const path of pathsOf(group)) removeEmpty(path)
}

function pathsOf(group: string): string[] {
  if (!existsSync(ROOT)) return []
  const unified = existsSync(join(ROOT, 'cgroup.controllers'))
  const hierarchies = unified ? [ROOT] : readdirSync(ROOT).map((name) => join(ROOT, name))
  return hierarchies.map((hierarchy) => join(hierarchy, group)).filter((path) => existsSync(path))
}

function removeEmptyTree(path: string): boolean {
  if (!existsSync(path)) return true
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) removeEmptyTree(join(path, entry.name))
  }
  return removeEmpty(path)
}

function removeEmpty(path: string): boolean {
  try {
    rmdirSync(path)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT'
  }
}
