#!/usr/bin/env node
/** The command line: finds the command, parses its options, and says what was wrong. The commands compose the parts. */
import { parseArgs } from 'node:util'
import { auditExport, auditVerify } from './commands/audit.js'
import { type Command, UsageError } from './commands/command.js'
import { doctor } from './commands/doctor.js'
import { gateway } from './commands/gateway.js'
import { mcp } from './commands/mcp.js'
import { serve } from './commands/serve.js'
import { skills } from './commands/skills.js'
import { isFailure } from './core/failure.js'
import { VERSION } from './core/version.js'

const COMMANDS: readonly Command[] = [serve, mcp, gateway, skills, doctor, auditExport, auditVerify]
const FLAGS = { version: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } as const
const USAGE_ERROR = 2

async function main(args: string[]): Promise<void> {
  const command = findCommand(args)
  const words = command?.name.split(' ').length ?? 0
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { ...FLAGS, ...command?.options },
  })
  const operands = positionals.slice(words)
  if (values.help) process.stdout.write(help(command))
  else if (values.version) process.stdout.write(`${VERSION}\n`)
  else if (command === undefined) {
    throw new UsageError(positionals.length === 0 ? 'Say what to do.' : `Unknown command: ${positionals.join(' ')}`)
  } else if (operands.length > 0 && command.operands === undefined) {
    throw new UsageError(`Unknown command: ${positionals.join(' ')}`)
  } else await command.run({ values, operands })
}

/** The command that the first words name, of which an option may stand before. */
function findCommand(args: readonly string[]): Command | undefined {
  const words = args.filter((arg) => !arg.startsWith('-'))
  return COMMANDS.find(({ name }) => name.split(' ').every((word, index) => words[index] === word))
}

/** Of one command, or of all of them. */
function help(command: Command | undefined): string {
  const shown = command === undefined ? COMMANDS : [command]
  const usages = shown.map(({ name, operands = '', summary }) => [`skillgate ${name} ${operands}`.trimEnd(), summary])
  const rows = [...usages, ...(command === undefined ? [['skillgate --version'], ['skillgate --help']] : [])]
  const width = Math.max(...rows.map(([usage = '']) => usage.length))
  const lines = rows.map(([usage = '', summary = '']) => `  ${usage.padEnd(width + 3)}${summary}`.trimEnd())
  const details = shown.map((each) => each.help).filter((text) => text !== '')
  return [
    `skillgate ${VERSION}: run an agent's tool calls under a deny-by-default policy`,
    `Usage:\n${lines.join('\n')}`,
    ...details.map((text) => text.trimEnd()),
  ]
    .join('\n\n')
    .concat('\n')
}

const settingsOf = ({ help: text }: Command): string[] =>
  [...text.matchAll(/^ {2}([A-Z_]+) /gm)].map(([, name]) => name as string)

/** Why the arguments were not understood, if that is it. A flag that means a setting is answered with the variable it is. */
function usageProblem(error: NodeJS.ErrnoException, args: readonly string[]): string | undefined {
  if (error instanceof UsageError) return error.message
  if (error.code !== 'ERR_PARSE_ARGS_UNKNOWN_OPTION') {
    return error.code?.startsWith('ERR_PARSE_ARGS') ? error.message : undefined
  }
  const command = findCommand(args) ?? serve
  const known = ['--help', '-h', '--version', ...Object.keys(command.options ?? {}).map((name) => `--${name}`)]
  const at = args.findIndex((arg) => arg.startsWith('-') && !known.includes(arg.split('=')[0] ?? ''))
  const [flag = '', ...attached] = (args[at] ?? '').split('=')
  const name = flag.replace(/^-+/, '').replaceAll('-', '_').toUpperCase()
  const told = `Unknown option ${flag}. The settings of ${command.name} are environment variables`
  if (!settingsOf(command).includes(name)) return `${told}.`
  const given = attached.length > 0 ? attached.join('=') : args[at + 1]
  // A secret is not repeated: what is printed here may be kept by somebody.
  const isSecret = /TOKEN|KEY|URL/.test(name)
  const value = isSecret || given === undefined || given.startsWith('-') ? '...' : given
  return `${told}: ${name}=${value} skillgate ${command.name}`
}

main(process.argv.slice(2)).catch((error: NodeJS.ErrnoException) => {
  const usage = usageProblem(error, process.argv.slice(2))
  if (usage !== undefined) process.stderr.write(`skillgate: ${usage}\n\n${help(findCommand(process.argv.slice(2)))}`)
  else if (error.code === 'EADDRINUSE') {
    process.stderr.write(`skillgate: ${error.message}. Set PORT to another one, or 0 for a free one.\n`)
  } else process.stderr.write(`skillgate: ${error.message}\n`)
  process.exit(usage !== undefined || isFailure(error) ? USAGE_ERROR : 1)
})
