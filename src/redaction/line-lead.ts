/** What a log, a console or a JSON document puts in front of a line that it passes on. */
// biome-ignore-all lint/suspicious/noControlCharactersInRegex: control characters are part of what is sought
import { lineStart, type Source } from './boundary.js'

/** `api-1  | `, `2024-05-20T08:34:37.450Z `, `[INFO] `, `Mar 24 06:11:43 node-3 auth[7572]: `, `#16 0.361 `, `$ `, colours. */
const PREFIX =
  /^(?:\x1b\[[\d;]{0,16}[A-Za-z]|[ \t]*[\w.-]{1,60} {0,20}\| ?|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S{0,16} |[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S{1,60} [^\s:]{1,60}: |\[[^\]\n]{1,60}\]:? ?|(?:TRACE|DEBUG|INFO|WARN|WARNING|ERROR|FATAL|NOTICE)\b[: ]?|std(?:out|err) [FP] |#\d{1,4} \d{1,5}\.\d{1,4} |[\w.-]{1,40}: |[$+>%#] )/
/** A member of a JSON document that holds what was printed. */
const MESSAGE =
  /^.*"(?:log|msg|message|MESSAGE|output|line|text|stdout|stderr|body|script|event|content|data)"\s?:\s?\[?"/s

export interface Lead {
  /** What stands on the line itself, before the index. */
  text: string
  /** The line stands in a text of JSON. */
  isQuoted: boolean
}

/** What stands before `index` on its line, without what was put in front of the line; undefined when that is long. */
export function leadOf(source: Source, index: number): Lead | undefined {
  const start = lineStart(source, index)
  if (start === -1) return undefined
  let text = source.text.slice(start, index)
  const message = text.charCodeAt(0) === 123 || text.includes('":') ? MESSAGE.exec(text)?.[0] : undefined
  if (message !== undefined) text = text.slice(message.length)
  const line = text.lastIndexOf('\\n')
  if (line !== -1 && (message !== undefined || text.includes('"'))) text = text.slice(line + 2)
  return { text: text.slice(leadLength(text)), isQuoted: message !== undefined || line !== -1 }
}

/** How much of a line was put in front of it. */
export function leadLength(line: string): number {
  let length = 0
  for (let prefixes = 0; prefixes < 8; prefixes++) {
    const prefix = PREFIX.exec(line.slice(length))?.[0]
    if (prefix === undefined) break
    length += prefix.length
  }
  return length
}
