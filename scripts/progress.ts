/** Tells how far a long job is: one line on standard error with the seconds since the program's start. */

export function progress(text: string): void {
  process.stderr.write(`[${(performance.now() / 1_000).toFixed(1)} s] ${text}\n`)
}
