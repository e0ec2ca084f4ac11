/** What a redactor makes of the corpora: recall, partial leaks and harmless lines left alone. */
import type { Negative } from './negatives.js'
import type { Positive } from './positives.js'

export interface Score {
  total: number
  found: number
  /** Part of the secret is left: 5 characters or more of it in a row, where the whole is gone. */
  partial: number
  missed: Map<string, string[]>
}

export function scorePositives(cases: readonly Positive[], redact: (text: string) => string): Score {
  const score: Score = { total: cases.length, found: 0, partial: 0, missed: new Map() }
  for (const { family, form, text, secret } of cases) {
    const output = redact(text)
    const rest = output.replaceAll(/\[REDACTED(?::[a-z0-9-]+)?\]/g, '\0')
    const whole = rest.includes(secret)
    const part = !whole && leavesPart(rest, secret)
    if (!whole && !part) score.found += 1
    else {
      if (part) score.partial += 1
      const key = `${form}${part ? ' (part)' : ''}`
      score.missed.set(key, [
        ...(score.missed.get(key) ?? []),
        `${family}: ${JSON.stringify(text)} -> ${JSON.stringify(output)}`,
      ])
    }
  }
  return score
}

/** Random characters in a row are no coincidence; the mark that a provider puts first is no secret. */
function leavesPart(rest: string, secret: string): boolean {
  for (let at = 12; at + 6 <= secret.length; at++) if (rest.includes(secret.slice(at, at + 6))) return true
  return secret.length < 18 && rest.includes(secret.slice(-5))
}

export interface Cleanliness {
  total: number
  unchanged: number
  changed: Map<string, string[]>
}

export function scoreNegatives(cases: readonly Negative[], redact: (text: string) => string): Cleanliness {
  const score: Cleanliness = { total: cases.length, unchanged: 0, changed: new Map() }
  for (const { category, text } of cases) {
    const output = redact(text)
    if (output === text) score.unchanged += 1
    else score.changed.set(category, [...(score.changed.get(category) ?? []), `${text} -> ${output}`])
  }
  return score
}
