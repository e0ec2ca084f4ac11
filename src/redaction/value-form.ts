/** What may stand between a sign and its value, or around both: quotes, types, objects, what is taken when nothing was set. */
import { isNameCode, type Source } from './boundary.js'

/** `"--password=several words"`: the quote that the whole argument stands in. */
export function quoteAround(source: Source, from: number, start: number): string | undefined {
  const { text } = source
  let open = from
  while (open > from - 2 && text.charCodeAt(open - 1) === 45) open--
  const sign = text.charCodeAt(open - 1)
  if (sign !== 34 && sign !== 39) return undefined
  const quote = /(?:^|[\s,([=])((\\?)["'])$/.exec(text.slice(Math.max(0, open - 4), open))?.[1]
  if (quote === undefined) return undefined
  const line = text.slice(start, Math.min(source.lineEnd(start), start + 400))
  const end = line.indexOf(quote)
  return end > 0 &&
    !/[\s,;&][\w.-]{1,40}[=:]/.test(line.slice(0, end)) &&
    /^["'\\]+(?:[\s,\])};]|$)/.test(line.slice(end))
    ? quote
    : undefined
}

/** An identifier, and then what may call, index or choose. */
export function isCodeAhead(text: string, start: number): boolean {
  let end = start
  while (end < start + 60 && (isNameCode(text.charCodeAt(end)) || text.charCodeAt(end) === 36)) end++
  const sign = text.charCodeAt(end)
  const next = text.charCodeAt(end + 1)
  if (sign === 40 || sign === 91 || sign === 63 || sign === 124 || sign === 33) return end > start
  return sign === 32 && end > start && (next === 124 || next === 63 || next === 111)
}

/** `process.env.X || "x"`, `os.getenv("X", "x")`, `env('X') ?: 'x'`: what is taken when nothing was set. */
export const FALLBACK =
  /(?:[A-Za-z_$][\w.$]{0,60}(?:\[[^\][\n]{1,60}\]|\([^()\n]{0,60}\))?!? {0,2}(?:\|\||\?\?|\?:|\bor\b|\bor_else\b) {0,2}(\\?["'`])|[A-Za-z_][\w.:]{0,40}\(\s?(?:\\?["'])[\w.-]{1,60}(?:\\?["']) ?, ?(\\?["']))/y

/** `secret: &str = "x"`, `token: string = 'x'`: a type stands between. */
export const TYPED = /&?(?:'static )?[A-Za-z][\w.<>[\]|]{0,40}(?: \| \w{1,20})? = {0,2}[bBurR]?(\\?["'`])/y

/** `"password": { "type": …, "value": "x" }`, as Terraform prints its outputs. */
export const INNER =
  /\{(?:[^{}\n]{0,120}?\\?["']value\\?["'][ \t]{0,4}:[ \t]{0,4}(\\?["'])|[ \t]{0,4}["'][\w-]{1,40}(?:\.[\w-]{1,40}){1,5}["'][ \t]{0,4}[:=]>?[ \t]{0,4}(["']))/y
