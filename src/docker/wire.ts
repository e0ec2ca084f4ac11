/** Reads the engine's JSON without trusting it: every field is looked at before it is used. */

/** The fields of an object; of anything else, none. */
export function fieldsOf(value: unknown): Record<string, unknown> {
  return value instanceof Object && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
}

export function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : []
}

export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** 0 for whatever is not a finite number, so that no NaN travels on. */
export function numberOf(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0
}

export function textsOf(value: unknown): string[] {
  return listOf(value).filter((item) => typeof item === 'string')
}

/** What the engine writes: UTC with up to nine digits of a second. Of these, three are kept. */
const ENGINE_INSTANT = /^(?!0001)(\d{4}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-5]\d)(?:\.(\d{3})\d{0,6})?Z$/

const DAY_SECONDS = 86_400
const twoDigits = (value: number): string => (value < 10 ? `0${value}` : String(value))
let lastDay = { day: -1, date: '' }

/** Seconds of this century and a few more, the day of which a listing's rows share. */
function instantOfSeconds(seconds: number): string {
  const day = Math.floor(seconds / DAY_SECONDS)
  if (day !== lastDay.day) lastDay = { day, date: new Date(day * DAY_SECONDS * 1000).toISOString().slice(0, 11) }
  const [hours, minutes] = [Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60]
  return `${lastDay.date}${twoDigits(hours)}:${twoDigits(minutes)}:${twoDigits(seconds % 60)}.000Z`
}

/** ISO 8601 from the engine's seconds or RFC 3339 text; undefined for its zero time (year 1). */
export function instantOf(value: unknown): string | undefined {
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 33)
    return instantOfSeconds(value as number)
  const written = typeof value === 'string' ? ENGINE_INSTANT.exec(value) : null
  if (written) return `${written[1]}.${written[2] ?? '000'}Z`
  const date = typeof value === 'number' ? new Date(value * 1000) : new Date(textOf(value))
  return Number.isNaN(date.getTime()) || date.getUTCFullYear() <= 1 ? undefined : date.toISOString()
}
