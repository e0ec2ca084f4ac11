/** What a provider's format is: a mark that an automaton can seek, and what stands around it. */

/**
 * Marks without blanks between them, and the whole token from its mark on. Case matters only in the pattern. A rule's name
 * must not repeat its marks: a placeholder that holds a part of what it hides would look like a leak.
 */
export type Format = readonly [rule: string, marks: string, token: RegExp]

/** A mark behind its secret: what the part before it consists of, its least and greatest length, and what follows. */
export type TailedFormat = readonly [
  rule: string,
  mark: string,
  of: RegExp,
  least: number,
  most: number,
  behind: RegExp,
]

/** An address that is secret from a place behind its mark on: the group. */
export type SecretAddress = readonly [rule: string, mark: string, secret: RegExp]
