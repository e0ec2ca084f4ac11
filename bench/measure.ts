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
 * Runs every contender `rounds` times, one after the other in each round. Before that each runs back to back for
 * `warmupMs`, so that what a long-running host would have compiled is compiled. `restMs` pass before every call.
 */
export async function measure(
  contenders: readonly Contender[],
  { rounds, warmupMs = 0, restMs = 0 }: { rounds: number; warmupMs?: number; restMs?: number },
): Promise<Measured[]> {
  const samples = contenders.map((): number[] => [])
  for (const { run } of contenders) {
    const until = performance.now() + warmupMs
    do await run()
    while (performance.now() < until)
  }
  for (let round = 0; round < rounds; round++) {
    // In random order: who runs behind whom decides whose garbage is collected in whose time.
    for (const index of shuffled(contenders.length)) {
      if (restMs > 0) await delay(restMs)
      const started = performance.now()
      await contenders[index]?.run()
      samples[index]?.push(performance.now() - started)
    }
  }
  return contenders.map(({ name }, index) => ({
    name,
    p50: quantile(samples[index] ?? [], 0.5),
    p95: quantile(samples[index] ?? [], 0.95),
  }))
}

function shuffled(length: number): number[] {
  const keyed = Array.from({ length }, (_, index) => ({ index, key: Math.random() }))
  return keyed.sort((a, b) => a.key - b.key).map(({ index }) => index)
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
