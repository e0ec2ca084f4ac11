/** Published as `skillgate/redaction`: what leaves skillgate leaves through here. */
export { createRedactor, type Finding, type Redactor, type RedactorOptions } from './redactor.js'
export type { KeyNames, Rule } from './scan.js'
export type { RedactionStream } from './stream.js'
export { isSanitary, type Removed, sanitizeUntrusted, type UntrustedText } from './untrusted.js'
export type { ValueLimits } from './walk.js'
