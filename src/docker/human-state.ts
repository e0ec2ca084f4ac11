/** A container's state as `docker ps` words it; the engine sends that line in listings only. */
import { fieldsOf, instantOf, numberOf, textOf } from './wire.js'

const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** `Up 2 hours (healthy)`, `Exited (137) 5 minutes ago`, `Created`. */
export function humanState(state: Record<string, unknown>, now: Date): string {
  const since = (value: unknown) => humanDuration((now.getTime() - Date.parse(instantOf(value) ?? '')) / 1000)
  switch (textOf(state.Status)) {
    case 'running': {
      const health = textOf(fieldsOf(state.Health).Status)
      return `Up ${since(state.StartedAt)}${health && health !== 'none' ? ` (${health})` : ''}`
    }
    case 'paused':
      return `Up ${since(state.StartedAt)} (Paused)`
    case 'restarting':
      return `Restarting (${numberOf(state.ExitCode)}) ${since(state.FinishedAt)} ago`
    case 'exited':
      return `Exited (${numberOf(state.ExitCode)}) ${since(state.FinishedAt)} ago`
    case 'created':
      return 'Created'
    case 'removing':
      return 'Removal In Progress'
    case 'dead':
      return 'Dead'
    default:
      return textOf(state.Status)
  }
}

/** The steps of Docker's own wording (docker/go-units, HumanDuration). */
function humanDuration(seconds: number): string {
  if (Number.isNaN(seconds)) return 'an unknown time'
  const whole = Math.floor(seconds)
  if (whole < 1) return 'Less than a second'
  if (whole === 1) return '1 second'
  if (whole < MINUTE) return `${whole} seconds`
  if (whole < 2 * MINUTE) return 'About a minute'
  if (whole < HOUR) return `${Math.floor(whole / MINUTE)} minutes`
  const hours = Math.round(whole / HOUR)
  if (hours === 1) return 'About an hour'
  if (hours < 48) return `${hours} hours`
  const days = Math.floor(whole / DAY)
  if (days < 14) return `${days} days`
  if (days < 60) return `${Math.floor(days / 7)} weeks`
  if (days < 730) return `${Math.floor(days / 30)} months`
  return `${Math.floor(days / 365)} years`
}
