/** Measures contenders in turn, so that what else the machine does falls on all of them, and prints their medians. */
import { setTimeout as delay } from 'node:timers/promises'

export interface Contender {
  name: string
  run(): Promise<unknown>
}

export interface Measured {
  name: string
  /** Median, milliseconds. */
  p50: number
  p95: number
}

/**
 * Runs every contender `rounds` times, one after the other in each round, after `warmup` rounds that do not count. With
 * `pauseMs` each call begins after a pause: back to back, an engine that has not gone to sleep yet answers sooner, and
 * who asks again soonest looks fastest.
 */
export async function measure(
  contenders: readonly Contender[],
  { rounds, warmup = 2, pauseMs = 0 }: { rounds: number; warmup?: number; pauseMs?: number },
): Promise<Measured[]> {
  const samples = contenders.map((): number[] => [])
  for (let round = -warmup; round < rounds; round++) {
    // Who goes first changes, because the first request after a pause is the slowest.
    for (let turn = 0; turn < contenders.length; turn++) {
      const index = (turn + Math.max(round, 0)) % contenders.length
      if (pauseMs > 0) await delay(pauseMs)
      const started = performance.now()
      await contenders[index]?.run()
      if (round >= 0) samples[index]?.push(performance.now() - started)
    }
  }
  return contenders.map(({ name }, index) => ({
    name,
    p50: quantile(samples[index] ?? [], 0.5),
    p95: quantile(samples[index] ?? [], 0.95),
  }))
}

export function quantile(samples: readonly number[], q: number): number {
  const sorted = [...samples].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN
}

export const ms = (value: number): string => `${value < 10 ? value.toFixed(2) : value.toFixed(0)} ms`
export const ratio = (value: number): string => `${value.toFixed(2)}×`

/** Prints a Markdown table. */
export function printTable(title: string, header: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = header.map((cell, column) => Math.max(cell.length, ...rows.map((row) => row[column]?.length ?? 0)))
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`
  console.log(
    `\n## ${title}\n\n${[line(header), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n')}`,
  )
}
