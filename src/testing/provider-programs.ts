/** The programs that the provider suite runs: each as a shell command for real engines, and as a function for the fake. */
import { once } from 'node:events'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { FakeProgram } from './fake-program.js'

export interface SuiteProgram {
  /** Needs an image with /bin/sh and the usual small commands, such as busybox. */
  cmd: string[]
  fake: FakeProgram
}

function shell(script: string, fake: FakeProgram): SuiteProgram {
  return { cmd: ['/bin/sh', '-c', script], fake }
}

async function untilTerminated({ terminated }: Parameters<FakeProgram>[0]): Promise<number> {
  await terminated
  return 0
}

/** What {@link providerPrograms}'s `logs` prints: three lines on standard output, one on standard error. */
export const LOG_LINES = ['line one', 'line two', 'Grüße 🚢 on stdout'] as const
export const LOG_ERROR_LINE = 'Fehler 🔥 on stderr'

export const providerPrograms = {
  /** Prints the log lines, then runs until it is stopped, and ends at once when it is. */
  logs: shell(
    `trap "exit 0" TERM; printf '%s\\n' '${LOG_LINES.join("' '")}'; printf '%s\\n' '${LOG_ERROR_LINE}' >&2; sleep 3600 & wait`,
    (process) => {
      for (const line of LOG_LINES) process.write('stdout', `${line}\n`)
      process.write('stderr', `${LOG_ERROR_LINE}\n`)
      return untilTerminated(process)
    },
  ),
  /** Runs until it is stopped, and prints nothing. */
  idle: shell('trap "exit 0" TERM; sleep 3600 & wait', untilTerminated),
  bothStreams: shell('echo out; echo err >&2; exit 3', ({ write }) => {
    write('stdout', 'out\n')
    write('stderr', 'err\n')
    return 3
  }),
  nothing: shell('exit 0', () => 0),
  echo: shell('cat', async ({ stdin, write }) => {
    for await (const chunk of stdin) write('stdout', chunk)
    return 0
  }),
  ignoreInput: shell('echo done', ({ write }) => {
    write('stdout', 'done\n')
    return 0
  }),
  printEnv: shell('printf "%s" "$GREETING"', ({ env, write }) => {
    write('stdout', env.GREETING ?? '')
    return 0
  }),
  unicode: shell("printf '%s' 'Grüße 🚢 漢字'", ({ write }) => {
    // A write for each byte, so that every character arrives in pieces.
    for (const byte of Buffer.from('Grüße 🚢 漢字')) write('stdout', Buffer.of(byte))
    return 0
  }),
  stubborn: shell('trap "" TERM; echo begun; sleep 3600', async ({ write, killed }) => {
    write('stdout', 'begun\n')
    await once(killed, 'abort')
    return 0
  }),
  /** 100 001 bytes: `a`, then zeros, then `z`. */
  longOutput: shell("printf a; head -c 99999 /dev/zero | tr '\\0' 0; printf z", ({ write }) => {
    write('stdout', `a${'0'.repeat(99_999)}z`)
    return 0
  }),
  endlessOutput: shell('yes', async ({ write, killed }) => {
    while (!killed.aborted) {
      write('stdout', 'y\n'.repeat(20))
      await nextTurn()
    }
    return 0
  }),
} satisfies Record<string, SuiteProgram>
