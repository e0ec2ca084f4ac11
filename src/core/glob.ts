/** Wildcards in the names that a policy or a key covers: `*` for any characters, `?` for one. */

/** True when the whole value matches. In linear space and at most |value| × |glob| steps: a hostile name cannot make it slow. */
export function matchesGlob(value: string, glob: string): boolean {
  let at = 0
  let cursor = 0
  let star = -1
  let retry = 0
  while (at < value.length) {
    if (glob[cursor] === '*') {
      star = cursor++
      retry = at
    } else if (glob[cursor] === '?' || glob[cursor] === value[at]) {
      cursor++
      at++
    } else if (star >= 0) {
      cursor = star + 1
      at = ++retry
    } else return false
  }
  while (glob[cursor] === '*') cursor++
  return cursor === glob.length
}
