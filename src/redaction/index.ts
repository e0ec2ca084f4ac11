/** What leaves skillgate leaves through here. */
export { createRedactor, type Redactor } from './redactor.js'
