/** Runs the project's development tools with the very Node that runs this. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

export const projectRoot = resolve(fileURLToPath(import.meta.url), '../..')

/** Starts a tool that is installed in node_modules; its output is this process's own. */
export function startTool(name: string, args: readonly string[]): ChildProcess {
  return startNode([join(projectRoot, 'node_modules/.bin', name), ...args])
}

export function startNode(args: readonly string[], env: NodeJS.ProcessEnv = process.env): ChildProcess {
  return spawn(process.execPath, args, { cwd: projectRoot, env, stdio: ['ignore', 'inherit', 'inherit'] })
}

/** The exit code of a child; one that a signal ended counts as a failure. */
export async function exitCode(child: ChildProcess): Promise<number> {
  const [code] = await once(child, 'exit')
  return code ?? 1
}

/** Runs a tool to its end and throws when it fails. */
export async function runTool(name: string, ...args: string[]): Promise<void> {
  const code = await exitCode(startTool(name, args))
  if (code !== 0) throw new Error(`${name} failed with exit code ${code}`)
}
