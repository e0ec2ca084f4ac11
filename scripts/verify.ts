/**
 * `npm run verify`: everything that must hold before a change is taken, cheapest first; it stops at the first failure.
 * `npm run verify -- --no-tests` leaves the tests out, for a machine that runs them itself on several versions of Node.
 */

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildIfStale } from './fresh-build.js'
import { progress } from './progress.js'
import { exitCode, projectRoot, runTool, startNode } from './tool-run.js'

interface Step {
  name: string
  run(): Promise<void>
}

const STEPS: readonly Step[] = [
  { name: 'types', run: () => runTool('tsc', '--noEmit') },
  { name: 'lint and format', run: () => runTool('biome', 'check', '--error-on-warnings', '.') },
  { name: 'unused code', run: () => runTool('knip') },
  { name: 'build', run: buildIfStale },
  { name: 'package', run: checkPackage },
  { name: 'documents', run: () => runScript('scripts/docs-check.ts') },
  { name: 'tests', run: () => runScript('scripts/test.ts') },
]

/** Checks the very archive that would be published. */
async function checkPackage(): Promise<void> {
  const place = mkdtempSync(join(tmpdir(), 'skillgate-pack-'))
  try {
    // The build is a step of its own; npm would repeat it.
    const args = ['pack', '--ignore-scripts', '--pack-destination', place]
    const { status, stderr } = spawnSync('npm', args, { cwd: projectRoot, encoding: 'utf8' })
    if (status !== 0) throw new Error(`npm pack failed: ${stderr}`)
    const [archive] = readdirSync(place)
    if (!archive) throw new Error('npm pack made no archive')
    await runTool('publint', 'run', join(place, archive), '--strict')
    await runTool('attw', join(place, archive), '--profile', 'esm-only')
  } finally {
    rmSync(place, { recursive: true, force: true })
  }
}

async function runScript(path: string): Promise<void> {
  const code = await exitCode(startNode(['--import', 'tsx', path]))
  if (code !== 0) throw new Error(`${path} failed with exit code ${code}`)
}

async function main(): Promise<number> {
  const steps = STEPS.filter(({ name }) => name !== 'tests' || !process.argv.includes('--no-tests'))
  for (const [index, step] of steps.entries()) {
    const label = `${index + 1}/${steps.length} ${step.name}`
    progress(`${label} …`)
    const began = performance.now()
    try {
      await step.run()
    } catch (error) {
      progress(`${label}: FAILED: ${(error as Error).message}`)
      const rest = steps.slice(index + 1).map(({ name }) => name)
      if (rest.length > 0) progress(`not run: ${rest.join(', ')}`)
      return 1
    }
    progress(`${label}: passed in ${((performance.now() - began) / 1_000).toFixed(1)} s`)
  }
  return 0
}

main().then((code) => process.exit(code))
