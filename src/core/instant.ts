/** Moments as texts. */

let lastSecond = { second: Number.NaN, text: '' }

/** As `Date.toISOString`, which takes longer than most of what is told; much is told within one second. Throws as it does. */
export function instant(milliseconds: number): string {
  const second = Math.floor(milliseconds / 1000)
  if (second !== lastSecond.second) {
    lastSecond = { second, text: new Date(second * 1000).toISOString().slice(0, -4) }
  }
  return `${lastSecond.text}${String(milliseconds - second * 1000).padStart(3, '0')}Z`
}
