/** A secret name and its value as two members, elements or items: JSON and YAML pairs, XML, property lists, arguments. */
import { type Detection, type Source, STARVED } from './boundary.js'
import type { KeyKind } from './key.js'
import { at, type Name, namedValue, plainValue, ruleOf } from './named-value.js'
import { isPlausible } from './plausible.js'

/** The value is another member, element or item: JSON and YAML pairs, XML attributes and elements, property lists, argv. */
const PAIRED =
  /\\?["']?[ \t]{0,2},?[ \t\r]{0,40}(?:\n(?:[^\n"'=]{0,60}[ \t|\]])?[ \t]{0,80})?\\?["']?(?:\w{1,20}\\?["']?[ \t]{0,2}[:=][ \t]{0,2}(?:\\?["'][^"'\n\\]{0,60}\\?["']|true|false|null|\d{1,10})[ \t]{0,2},?[ \t]{0,2}\\?["']?){0,3}(?:value|Value|VALUE|val|secretValue|stringValue|ParameterValue|parameterValue|content|Data|data)\\?["']?[ \t]{0,4}[:=][ \t]{0,4}(\\?["'])?/y
const LISTED = /(\\?["'])(?:[ \t]{0,8},[ \t\r]{0,24}(?:\n[ \t]{0,80})?|;s:\d{1,5}:|[ ]{1,2})(?:\\?["'])/y
/** What sets a variable or a property by its name, and what a list of headers looks like. */
const SETTING =
  /(?:\b|m)(?:define|putenv|setenv|set\w{0,24}(?:variable|property|header|env|secret|config)?|put|add\w{0,12}|header)\(\s*\\?["']$/i
const LIST_BEFORE = /\[\s*\\?["']$|\(\s*\\?["']$|;s:\d{1,4}:\\?["']$|\{s:\d{1,4}:\\?["']$/
const HEADER_NAME = /^(?:authorization|cookie|apikey|[a-z0-9]+(?:-[a-z0-9]+)+)$/i
const ELEMENT =
  /(?:["']?[^<>\n]{0,200})?>(?:[ \t]{0,2}<(?:string|value)>|(?:<!\[CDATA\[)|[ \t\r]{0,20}\n[ \t]{0,80}(?=[^\s<]))?|[ \t]?<\/(?:key|name|td|th|dt|b|strong|label|Name)>[:\s]{0,80}(?:[^\s<>]{5,40}[ \t]{1,8}(?:\|[ \t]{1,8})?)?(?:<(?:string|value|td|dd|code|tt|pre|span|Value)(?: [^<>\n]{0,80})?>(?:&quot;|")?){1,3}/y

export function detectPaired(source: Source, { name, from, to, kind, flag }: Name): Detection {
  const { text } = source
  const rule = ruleOf(kind)
  const code = text.charCodeAt(to)
  if (code === 34 || code === 39 || code === 92 || code === 44 || code === 10 || code === 13 || code === 32) {
    const isNamed = /(?:name|key|type)\\?["']?\s{0,4}[:=]\s{0,4}\\?["']?(?:\/?(?:[\w.-]{1,40}\/){0,6})$/i.test(
      text.slice(Math.max(0, from - 80), from),
    )
    if ((isNamed || flag) && awaitsLine(source, to)) return STARVED
    const paired = at(PAIRED, text, to)
    if (paired !== null && paired[1] === undefined && /[{[]/.test(text[to + paired[0].length] ?? '')) return undefined
    if (paired !== null && (isNamed || !paired[0].includes('\n'))) {
      return namedValue(source, {
        ...plainValue(rule, kind, to + paired[0].length, paired[1]),
        wholeLine: paired[1] === undefined && paired[0].includes('\n'),
      })
    }
    const earlier = isNamed && paired === null ? valueBefore(source, from, kind) : undefined
    if (earlier !== undefined) return { rule, ...earlier }
    const listed = at(LISTED, text, to)
    if (listed !== null && (flag || !listed[0].includes('\n'))) {
      const before = text.slice(Math.max(0, from - 40), from)
      const isSet = SETTING.test(before)
      // `"--token" "x"`, `"SET" "requirepass" "x"`.
      const isConfig = /^(?:requirepass|masterauth)$/i.test(name)
      if (!/[,;]/.test(listed[0]) && !flag && !isConfig) return undefined
      const isHeader = HEADER_NAME.test(name) && /['"]\s*,\s*\\?["']$/.test(before)
      if (!flag && !isSet && !isHeader && !isConfig && !LIST_BEFORE.test(before)) return undefined
      const isGiven = isSet || !listed[0].includes(',')
      return namedValue(source, {
        ...plainValue(
          rule,
          kind === 'authorization' || kind === 'cookie' || (isSet && kind === 'weak') ? 'secret' : kind,
          to + listed[0].length,
          listed[1],
        ),
        loose: true,
        mentioned: !flag && !isGiven && !isHeader,
      })
    }
  }
  // `{password, "x"}`, `{password,<<"x">>}`.
  const tuple = code === 44 && text[from - 1] === '{' ? /^,\s{0,4}(?:<<)?(")/.exec(text.slice(to, to + 10)) : null
  if (tuple !== null) return namedValue(source, plainValue(rule, kind, to + tuple[0].length, tuple[1]))
  // `<password>…</password>`, `<string name="api_key">…</string>`, `<key>Token</key><string>…</string>`.
  if (code !== 62 && code !== 34 && code !== 39 && code !== 60 && code !== 32) return undefined
  const opened = text.slice(Math.max(0, from - 40), from)
  if (!opened.includes('<')) return undefined
  if (
    !/<(?:[\w.-]+:)?$|<[^<>\n]{1,36}(?:name|key|id)\s?=\s?["']?$|<(?:key|name|td|th|dt|b|strong|label)(?: [^<>\n]{0,24})?>(?:[\w.-]{0,30})$/i.test(
      opened,
    )
  )
    return undefined
  if (awaitsLine(source, to)) return STARVED
  const element = at(ELEMENT, text, to)
  if (element === null || /\/>$/.test(element[0])) return undefined
  return namedValue(source, { ...plainValue(rule, kind, to + element[0].length, undefined), element: true })
}

/** True where the value stands on the next line, and that line has not come yet. */
function awaitsLine(source: Source, to: number): boolean {
  if (source.final) return false
  const end = source.lineEnd(to)
  if (
    end - to > 260 ||
    !/^(?:\\?["']?,?|<\/\w{1,8}>|(?:["']?[^<>\n]{0,200})?>)[ \t\r]{0,40}$/.test(source.text.slice(to, end))
  )
    return false
  return end >= source.text.length || source.text.indexOf('\n', end + 1) === -1
}

/** `{"value":"x","name":"DB_PASSWORD"}`, `<add value="x" key="DbPassword"/>`: at most 240 characters in front of the name. */
function valueBefore(source: Source, from: number, kind: KeyKind): { start: number; end: number } | undefined {
  const lowest = Math.max(source.floor, from - 240)
  const before = source.text.slice(lowest, from)
  const found =
    /(?:value|val)\\?["']?\s{0,4}[:=]\s{0,4}(\\?["'])((?:(?!\1)[^\n]){1,200})\1[\s,}]{1,8}(?:[\w:-]{1,20}=["'][^"'\n]{0,40}["']\s)?\\?["']?\w{0,20}(?:name|key|type)\\?["']?\s{0,4}[:=]\s{0,4}\\?["']?(?:[\w./-]{0,60})$/i.exec(
      before,
    )
  const written = found?.[2]
  if (found === null || written === undefined || written.startsWith('[REDACTED')) return undefined
  if (!isPlausible(written, kind, { quoted: true, loose: false, tight: false, mentioned: false })) return undefined
  const start = lowest + found.index + found[0].indexOf(written, 5)
  return { start, end: start + written.length }
}
