/** What leaves skillgate leaves through here. */
export { createRedactor, REDACTED, type Redactor } from './redactor.js'
