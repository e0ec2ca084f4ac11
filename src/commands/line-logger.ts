/** The log of a command: one line of JSON for each entry, on standard error. */
import type { Logger } from '../core/provider.js'
import type { Redactor } from '../redaction/index.js'

export interface LineLogger extends Logger {
  info(message: string, fields?: Record<string, unknown>): void
}

export function createLineLogger(redactor: Redactor): LineLogger {
  const write = (level: string, message: string, fields: Record<string, unknown> = {}): void => {
    const plain = Object.entries(fields).map(([name, value]) => [name, value instanceof Error ? told(value) : value])
    const entry = redactor.value({ time: new Date(), level, message, ...Object.fromEntries(plain) })
    process.stderr.write(`${JSON.stringify(entry)}\n`)
  }
  return {
    info: (message, fields) => write('info', message, fields),
    warn: (message, fields) => write('warn', message, fields),
    error: (message, fields) => write('error', message, fields),
  }
}

const told = ({ stack, message, cause }: Error): Record<string, unknown> => ({
  error: stack ?? message,
  ...(cause instanceof Error && { cause: told(cause) }),
})
