/** The inputs of the docker-api actions: bounds, lenient readers for what models send, and the helpers hosts import. */
import { z } from 'zod'
import { describe } from '../../src/core/failure.js'

export const DEFAULT_LIMIT = 25
export const MIN_LIMIT = 1
export const MAX_LIMIT = 100
export const DEFAULT_STOP_TIMEOUT = 10
export const MIN_STOP_TIMEOUT = 0
export const MAX_STOP_TIMEOUT = 300
export const DEFAULT_TAIL = 100
export const MIN_TAIL = 1
export const MAX_TAIL = 1000
export const MAX_CONTAINER_ID_LENGTH = 128

/** Models send integers as numbers and as decimal digits; nothing else is an integer. */
const fromDigits = (value: unknown): unknown =>
  typeof value === 'string' && /^\d{1,300}$/.test(value) ? Number(value) : value

const integer = (min: number, max: number) => z.int(`it must be an integer from ${min} to ${max}`).min(min).max(max)

const lowered = (value: unknown): unknown => {
  const read = fromDigits(value)
  return Number.isInteger(read) ? Math.min(read as number, MAX_LIMIT) : read
}

const limit = (what: string) =>
  z
    .preprocess(lowered, integer(MIN_LIMIT, MAX_LIMIT))
    .default(DEFAULT_LIMIT)
    .describe(`Number of ${what} to return (${MIN_LIMIT}-${MAX_LIMIT})`)

const flag = (byDefault: boolean, description: string) =>
  z
    .preprocess(
      (value) => (value === 'true' ? true : value === 'false' ? false : value),
      z.boolean('it must be true or false'),
    )
    .default(byDefault)
    .describe(description)

export const All = flag(false, 'Include stopped containers')
export const Timestamps = flag(true, 'Include timestamps in output')
export const ContainerLimit = limit('containers')
export const ImageLimit = limit('images')

export const StopTimeout = z
  .preprocess(fromDigits, integer(MIN_STOP_TIMEOUT, MAX_STOP_TIMEOUT))
  .default(DEFAULT_STOP_TIMEOUT)
  .describe(`Seconds to wait before killing (${MIN_STOP_TIMEOUT}-${MAX_STOP_TIMEOUT})`)

export const Tail = z
  .preprocess(fromDigits, integer(MIN_TAIL, MAX_TAIL))
  .default(DEFAULT_TAIL)
  .describe(`Number of log lines (${MIN_TAIL}-${MAX_TAIL})`)

/**
 * The first character is a letter or digit, so that `.`, `..` and `-rf` are no ids although every character of theirs
 * is allowed: they are path segments and flags. Only ASCII blanks are trimmed.
 */
export const ContainerId = z
  .string('it must be a string')
  .overwrite((value) => (/^[ \t\r\n\f\v]|[ \t\r\n\f\v]$/.test(value) ? withoutBlanks(value) : value))
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/,
    `it must be 1-${MAX_CONTAINER_ID_LENGTH} letters, digits, hyphens, underscores and dots, beginning with a letter or digit`,
  )
  .describe('Container ID or name')

function withoutBlanks(value: string): string {
  return value.replace(/^[ \t\r\n\f\v]+|[ \t\r\n\f\v]+$/g, '')
}

type Checked<K extends string, T> = ({ valid: true } & Record<K, T>) | { valid: false; error: string }

const check = <K extends string, T>(schema: z.ZodType<T>, name: string, key: K) => {
  return (value?: unknown): Checked<K, T> => {
    // Every right value is a primitive, and a hostile object could make even looking at it throw.
    const parsed = schema.safeParse(value === null ? undefined : typeof value === 'object' ? {} : value)
    if (parsed.success) return { valid: true, [key]: parsed.data } as Checked<K, T>
    const problem =
      value == null ? 'is missing' : `is not valid: ${parsed.error.issues[0]?.message}, got ${describe(value)}`
    return { valid: false, error: `${name} ${problem}. ${name}: ${schema.description}.` }
  }
}

/** `{ valid: true, sanitized }` with the surrounding blanks gone, or `{ valid: false, error }`. Never throws. */
export const sanitizeContainerId = check(ContainerId, 'containerId', 'sanitized')
/** `{ valid: true, value }` (25 when absent, 100 when above), or `{ valid: false, error }`. */
export const validateLimit = check(ContainerLimit, 'limit', 'value')
/** `{ valid: true, value }` in seconds (10 when absent), or `{ valid: false, error }`. */
export const validateStopTimeout = check(StopTimeout, 'timeout', 'value')
/** `{ valid: true, value }` in lines (100 when absent), or `{ valid: false, error }`. */
export const validateTail = check(Tail, 'tail', 'value')
