/** What a command of the command line is: a name, what its help says, and what it does. */
import type { ParseArgsConfig } from 'node:util'

export interface Command {
  /** One word, or two for a command of a group: `audit export`. */
  name: string
  summary: string
  /** Shown below the usage: options, and the environment as lines of `  NAME   what it is`. */
  help: string
  options?: NonNullable<ParseArgsConfig['options']>
  /** How its positional arguments are shown; absent when it takes none. */
  operands?: string
  /** Resolves when it has begun to serve, or is over; `process.exitCode` is its answer where that is not 0. */
  run(input: CommandInput): Promise<void>
}

export interface CommandInput {
  values: Readonly<Record<string, unknown>>
  operands: readonly string[]
}

/** The arguments were not understood: the message goes out with the usage, and the exit code is 2. */
export class UsageError extends Error {}
