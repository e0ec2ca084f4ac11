/** `NAME=value`, `name: value`, `"name": "value"`, flags, XML, YAML pairs: a secret name, and the value parsed by its context. */
// biome-ignore-all lint/suspicious/noControlCharactersInRegex: control characters are part of what is sought
import { type Detection, isBlank, isNameCode, nameEnd, nameStart, type Source, STARVED } from './boundary.js'
import { isDirective, isGivenQuoted, lineOfTwo, ownerOf, wordBefore } from './directive.js'
import { quotedEnd } from './extent.js'
import { cookieValue, headerValue } from './header-value.js'
import { saysLittle } from './key.js'
import { blockValue, isWholeLine, listValue } from './listed-value.js'
import { at, type Name, namedValue, plainValue, ruleOf } from './named-value.js'
import { changedTo, detectLongList, detectNested } from './nested-value.js'
import { detectPaired } from './paired-value.js'
import { looksGiven, looksMixed, looksRandom } from './plausible.js'
import { detectBelow, detectColumn } from './table.js'
import { type Assigned, isDigit, isLetter, mayBeTyped, usualForm } from './usual-form.js'
import { FALLBACK, INNER, isCodeAhead, quoteAround, TYPED } from './value-form.js'

const ANSI = String.raw`(?:\x1b\[[\d;]{0,16}[A-Za-z]|\\(?:u001[bB]|x1[bB]|033|e)\[[\d;]{0,16}m)`
const GAP = `(?:${ANSI}|[ \\t\\u00a0]|\\\\t){0,40}`
const QUOTE = String.raw`"""|'''|\\{0,7}["'${'`'}]|&quot;|&#3[49];|%22|%27|\\u0022|\\u0027`
/** What stands between a name and its value. Groups: the quote behind the name, the sign, the quote before the value. */
const ASSIGNED = new RegExp(
  `(?:${ANSI}){0,2}(${QUOTE})?(?::(?:[\\w\\\\]{1,60}:)?(?:protected|private)(?=\\]))?(?:\\]|%5[Dd])?(?: \\d{1,2}(?=[:=]))?(?:[*_]{0,2}(?=:))?(?:\\.{2,40}(?=:))?(?:\\(\\w{0,12}\\)|(?: \\([\\w -]{1,24}\\)| ?\\[(?!\\d{1,7}\\])[\\w *-]{1,24}\\])(?=:))?(?: \\{ get; (?:(?:private |protected |internal )?(?:set|init); )?\\}(?= =))?\\??${GAP}` +
    String.raw`(:=|[=-]>|={1,3}|::?|\.{3,60}(?=["'])|\.{8,60}(?=\w)|[?+]=|!={1,2}(?= ?\\?["'])|\|\|=|<-|to(?= ["'])|\.(?=[ \t]["'])|%3[Dd]|%3[Aa](?:%20|\+)?|\\u003[dDaA]|&#61;|\|(?=[ \t])|：|＝|→|&gt;)(?:[*_]{2}(?= ))?` +
    `${GAP}(?:Some\\(|!!?(?:unsafe|str|binary) (?=["'])|string(?:\\(\\d{1,5}\\))? (?=["'])|<<(?=")|\\[\\](?:string|byte)[{(]|\\(\\w{1,12}\\) (?:\\(len=\\d{1,5}\\) )?(?=")|[bBurRNELq@$](?=["']))?(?:[A-Z]\\w{2,20}\\((?=["']))?(${QUOTE})?`,
  'y',
)
const SPACED = new RegExp(`(?:${ANSI}){0,2}[ \\t]{1,8}(?:\\\\\\r?\\n[ \\t]{0,40})?(?:${ANSI}){0,2}(${QUOTE})?`, 'y')
/** A line that goes on below. */
const CONTINUED = /^[ \t]{1,8}\\\r?\n?[ \t]*$/
const SAID =
  /[ \t](?:for (?:user )?[\w.@-]{1,40} )?(?:is|was|are|lautet|ist|es|est|set to|equals|of|to|provided|given|used|found|with value|has value)(?::|[ \t]=)?[ \t](\\?["'`])?/y
/** `password for the new user is x`, `password is generated for root@localhost: x`, `password changed to x`. */
const ANNOUNCED =
  /(?:[ \t](?!(?:manager|hint|prompt|fail|invalid|incorrect|reject|auth|policy|hash|file|must|should|not|no)\w*\b)[\w.@'%*[\]\u00c0-\u024f-]{1,40}){1,8}?(?:[ \t]\([^()\n]{0,100}\))?(?::|[ \t](?:is|was|to|from|=|lautet|ist):?)[ \t](\\?["'`])?/y
/** Letters and most signs cannot begin what stands between a name and its value. */
const NOT_BEHIND_NAME = new Uint8Array(65_536)
for (let code = 33; code < 127; code++)
  if (!'=:"\'\\%&]([)?-|<>,`'.includes(String.fromCharCode(code))) NOT_BEHIND_NAME[code] = 1

/** `setPassword("x")`, `PASSWORD('x')`, `password[x]`, `PASSWORD FOR 'u'@'%' = 'x'`. */
const CALLED = /(?:[([](?:[ \t]{0,4}[bBurRNELq@$]{0,2}(\\?["'`]))?|[ \t]FOR [\w'`"@%.]{1,80} = ('))/y

const COMPARED = /^\s?[=!]==?\s?$/
const VARIABLE = /^[A-Za-z_$.]{1,60}(?:\(\))?(?:[\s);&|{]|$)/
const LIST_AHEAD = /^\\?["']?\s{0,4}[:=]>?\s{0,4}\[\s{0,4}\\?["']/

/** The detector behind every word that secret names are made of. */
export function detectAssignment(source: Source, start: number, end: number): Detection {
  const { text } = source
  if (start < source.judged) return undefined
  let first = start
  while (!isNameCode(text.charCodeAt(first))) first++
  let last = end
  while (!isNameCode(text.charCodeAt(last - 1))) last--
  let from = nameStart(text, first, source.floor)
  const to = nameEnd(text, last)
  source.judged = to
  while (from < first && (text.charCodeAt(from) === 45 || text.charCodeAt(from) === 46)) from++
  const flag = from > 0 && text.charCodeAt(from - 1) === 45
  let name = text.slice(from, to)
  const tail = text.charCodeAt(to - 1)
  if (tail === 45 || tail === 46) name = name.replace(/[.-]+$/, '')
  if (flag && /^[DP][a-z][\w-]*\./.test(name)) {
    from += 1
    name = name.slice(1)
  }
  // The shell's working directory, but for ODBC.
  let kind = name === 'PWD' && /[;&?]/.test(text[from - 1] ?? '') ? 'password' : source.judge(name)
  // `API key: …`, `Access Token: …`: the word before belongs to the name.
  if ((saysLittle(kind) || kind === 'none') && name.length < 5 && isKey(name.toLowerCase())) {
    const before = wordBefore(text, from)
    const owner = before === '' ? ownerOf(text, from) : before
    if (/cache\b[\w ]{0,24} $/i.test(text.slice(Math.max(0, from - 40), from))) kind = 'none'
    else if (owner !== '' && owner !== 'key') kind = source.judge(`${owner} ${name}`)
    if (kind === 'none') source.looks += 0.5
  }
  if (text.charCodeAt(from - 1) === 47 && (text.slice(from - 9, from) === 'checksum/' || text.startsWith(' HTTP/', to)))
    return undefined
  // `PyJWT-6.7.1`, `libsecret-1-0:amd64`: packages.
  if (isDigit(tail) && name.includes('-') && (/^lib[a-z]+-\d/.test(name) || /-\d+(?:\.\d+)+$/.test(name)))
    return undefined
  // `passwords: ["a", "b"]`.
  if (kind === 'none' && /s$/i.test(name) && LIST_AHEAD.test(text.slice(to, to + 16))) {
    kind = source.judge(name.slice(0, -1))
    if (kind !== 'password' && kind !== 'secret' && !/^keys$/i.test(name)) kind = 'none'
  }
  const code = text.charCodeAt(to)
  if (kind === 'none' || (NOT_BEHIND_NAME[code] === 1 && (code !== 46 || text.charCodeAt(to + 1) !== 46)))
    return undefined
  // `"auth": "dXNlcjpwYXNz"` of a registry's credentials.
  if (kind === 'weak' && name === 'auth' && /^\\?"/.test(text.slice(to, to + 2))) kind = 'secret'
  const found = read(source, { name, from, to: from + name.length, kind, flag })
  if (found === undefined || found === STARVED || found.next !== undefined || found.start < to) return found
  const changed = changedTo(source, found.end)
  return changed === undefined ? found : { ...found, next: { rule: found.rule, ...changed } }
}

function read(source: Source, named: Name): Detection {
  const { text } = source
  const { to, from, kind, flag } = named
  source.looks += 1
  if (text.charCodeAt(from - 1) === 123 && text.charCodeAt(from - 2) === 36) return defaultOf(text, named)
  const nested = detectNested(source, named)
  if (nested !== undefined) return nested
  const assigned = isWordAhead(text, to) ? undefined : assignedAt(text, to)
  if (assigned === undefined && saysLittle(kind) && text.charCodeAt(to) === 32) return undefined
  if (assigned !== undefined) {
    const { start, sign, quote, keyQuote } = assigned
    if (sign === 'to' && (keyQuote === undefined || quote === undefined)) return undefined
    if (sign === '|' && quote === undefined) {
      // `auth-1  | `: who printed the line.
      if (/[-_]\d{1,3}$/.test(named.name)) return undefined
      const column = detectColumn(source, named)
      if (column !== undefined) return column
      const word = text.slice(start, start + 80).split(/[\s|]/)[0] ?? ''
      if (!looksMixed(word) && !looksGiven(word)) return undefined
    }
    if (sign === ':' && quote === undefined && !flag && start >= source.lineEnd(start))
      return detectBelow(source, named)
    return assignedValue(source, named, assigned)
  }
  const rule = ruleOf(kind)
  const called = kind === 'none' || saysLittle(kind) ? null : at(CALLED, text, to)
  if (called !== null) return calledValue(source, named, to + called[0].length, called[1] ?? called[2])
  const spaced = at(SPACED, text, to)
  if (spaced !== null && /<(?:[\w.-]{1,20}:)?$/.test(text.slice(Math.max(0, from - 22), from))) {
    return detectPaired(source, named)
  }
  const alone = spaced === null || flag || saysLittle(kind) ? undefined : lineOfTwo(source, from, to)
  if (alone !== undefined && !isMentioned(text, from)) return { rule, ...alone }
  if (spaced?.[1] !== undefined && isGivenQuoted(text, named)) {
    return namedValue(source, plainValue(rule, kind, to + spaced[0].length, spaced[1]))
  }
  if (flag && !source.final && text.length - to < 60 && CONTINUED.test(text.slice(to))) return STARVED
  if (spaced !== null && (flag || isDirective(source, named))) {
    const start = to + spaced[0].length
    const quote = spaced[1]
    if (text.charCodeAt(start) === 45 && quote === undefined) return undefined
    return namedValue(source, { ...plainValue(rule, kind, start, quote), loose: true })
  }
  if (spaced !== null && (kind === 'password' || kind === 'secret')) {
    const announced = kind === 'password' && !isMentioned(text, from) ? at(ANNOUNCED, text, to) : null
    const begins = to + (announced?.[0].length ?? 0)
    if (announced !== null && !/^\w{1,20}\(["']/.test(text.slice(begins, begins + 24))) {
      const found = namedValue(source, {
        ...plainValue(rule, kind, begins, announced[1]),
        loose: true,
        mentioned: true,
      })
      if (found !== undefined) return found
    }
    const said = at(SAID, text, to)
    const start = said === null ? to + spaced[0].length : to + said[0].length
    const quote = said === null ? spaced[1] : said[1]
    const isBare = said === null && quote === undefined && kind === 'secret'
    if (!isBare || isToken(text.slice(start, start + 80))) {
      // In prose only what looks like one is taken for a secret.
      const told = namedValue(source, { ...plainValue(rule, kind, start, quote), loose: true, mentioned: true })
      if (told !== undefined) return told
    }
  }
  return detectPaired(source, named) ?? detectColumn(source, named) ?? detectBelow(source, named)
}

/** `${name:default}`, `${NAME:-default}`. */
function defaultOf(text: string, { to, kind }: Name): Detection {
  const found = /^:[-=]?([^\s{}?"'+][^\s{}"']{3,200})\}/.exec(text.slice(to, to + 206))
  const written = found?.[1]
  if (found === null || written === undefined || saysLittle(kind)) return undefined
  if (!looksMixed(written) && !looksGiven(written)) return undefined
  const start = to + found[0].length - 1 - written.length
  return written.startsWith('[REDACTED') ? undefined : { rule: ruleOf(kind), start, end: start + written.length }
}

function calledValue(source: Source, { name, kind }: Name, start: number, quote: string | undefined): Detection {
  const { text } = source
  if (kind !== 'password' && !/^(?:set|with)/i.test(name)) return undefined
  const bare =
    quote === undefined ? /^[^\s"'()[\]\\]{4,200}(?=[)\]])/.exec(text.slice(start, start + 204))?.[0] : undefined
  const end = quote === undefined ? start + (bare?.length ?? 0) : quotedEnd(source, start, quote)
  if (end === STARVED) return end
  const written = text.slice(start, end)
  if (end - start < 4 || /\s$|^\s/.test(written) || written.startsWith('[REDACTED') || /\.\w{1,6}:\d+$/.test(written))
    return undefined
  if (
    quote !== undefined &&
    !/^[\\"'`]+\s*[)\],;\\"]|^'\s*$/.test(text.slice(end, Math.min(source.lineEnd(end), end + 8)))
  )
    return undefined
  if (/^(?:0x[0-9a-f]{6,}|\.{3})/.test(written)) return undefined
  if (!looksMixed(written) && !(quote !== undefined && looksGiven(written))) return undefined
  return { rule: ruleOf(kind), start, end }
}

function assignedAt(text: string, to: number): Assigned | undefined {
  const usual = usualForm(text, to)
  if (usual !== undefined) return usual
  const found = at(ASSIGNED, text, to)
  if (found === null) return undefined
  return { start: to + found[0].length, sign: found[2] ?? '', quote: found[3], keyQuote: found[1] }
}

/** `arn:aws:secretsmanager:eu-west-1:1:` before a name: it is part of the name of a resource of AWS. */
const isResourceName = (before: string): boolean =>
  before.includes('arn:') && /(?:\b|m)arn:[\w-]*:\S{0,80}$/.test(before)

const isKey = (name: string): boolean => name === 'key' || name === 'keys'

/** A random word, or a long one in hex. */
const isToken = (text: string): boolean => {
  const word = /^[^\s,;]*/.exec(text)?.[0] ?? ''
  return looksRandom(word) || /^[0-9a-f]{40,}$/.test(word)
}

/** A blank and then a letter: nothing is assigned, though something may be said. */
function isWordAhead(text: string, to: number): boolean {
  if (text.charCodeAt(to) !== 32) return false
  const code = text.charCodeAt(to + 1)
  if (isDigit(code)) return !/^ \d{1,2}[:=]/.test(text.slice(to, to + 4))
  return isLetter(code)
}

function assignedValue(source: Source, named: Name, { start, sign, quote, keyQuote }: Assigned): Detection {
  const { text } = source
  const { name, from, to, kind } = named
  const rule = ruleOf(kind)
  const equals = sign !== ':' && (sign.includes('=') || /3[dD]|#61|＝/.test(sign))
  const option =
    sign === ':' && text.charCodeAt(from - 1) === 47 && /(?:^|[\s"'])\/$/.test(text.slice(Math.max(0, from - 2), from))
  const loose = !equals && !option
  const tight = sign === ':' && !option && quote === undefined && !isBlank(text.charCodeAt(start - 1))
  const short = name.length < 5 ? name.toLowerCase() : ''
  if (short === 'pin' && !/^["']?\d{4,8}(?!\w)/.test(text.slice(start, start + 12))) return undefined
  if (short === 'pass' && /^\d{1,9}[\s,]+fail/.test(text.slice(start, start + 20))) return undefined
  if (short === 'pass' && /^\d{1,4}(?!\w)/.test(text.slice(start, start + 6))) return undefined
  // `PWD={…}` of ODBC.
  const braced = text[from - 1] === ';' && equals ? /^\{([^{}\n]{1,200})\}/.exec(text.slice(start, start + 204)) : null
  if (braced !== null) return { rule, start: start + 1, end: start + braced[0].length - 1 }
  const around =
    sign === '=' && quote === undefined && text.charCodeAt(start - 1) === 61
      ? quoteAround(source, from, start)
      : undefined
  if (around !== undefined) return namedValue(source, plainValue(rule, kind, start, around))
  const inner = quote === undefined && text.charCodeAt(start) === 123 ? at(INNER, text, start) : null
  if (inner !== null) {
    return namedValue(source, plainValue(rule, kind, start + inner[0].length, inner[1] ?? inner[2]))
  }
  // An object has names of its own.
  if (quote === undefined && text.charCodeAt(start) === 123 && /[\s"'\\]/.test(text[start + 1] ?? '')) return undefined
  if (kind === 'password' && equals && text.startsWith('neo4j/', start))
    return namedValue(source, plainValue(rule, kind, start + 6, quote))
  if (tight && isResourceName(text.slice(Math.max(0, from - 100), from))) return undefined
  // `password === confirmation`: two variables.
  if (
    equals &&
    quote === undefined &&
    COMPARED.test(text.slice(to, start)) &&
    VARIABLE.test(text.slice(start, start + 80))
  )
    return undefined
  const typed = sign === ':' && quote === undefined && mayBeTyped(text, start) ? at(TYPED, text, start) : null
  if (typed !== null) return namedValue(source, plainValue(rule, kind, start + typed[0].length, typed[1]))
  const fallback =
    quote === undefined && !saysLittle(kind) && isCodeAhead(text, start) ? at(FALLBACK, text, start) : null
  if (fallback !== null && fallback[0].length > 1)
    return namedValue(source, plainValue(rule, kind, start + fallback[0].length, fallback[1] ?? fallback[2]))
  if (kind === 'authorization' && sign === ':' && start === to + 1 && text.charCodeAt(start) === 91) {
    // `Authorization:[Digest username="x"]`, as Go prints a map of lists.
    const line = text.slice(start, Math.min(source.lineEnd(start), start + 4_096))
    const end = line.search(/\](?:[ \]]|$)/)
    if (end > 8 && !line.startsWith('[[REDACTED')) return { rule, start: start + 1, end: start + end }
    // What was read in vain is read again behind the next name.
    source.looks += line.length >> 7
  }
  if (kind === 'authorization') return headerValue(source, { rule, start, quote, from, text })
  const mentioned =
    loose &&
    (quote === undefined || kind === 'secret') &&
    (keyQuote === undefined
      ? short === 'pass' || isMentioned(text, from)
      : isMentioned(text, from) && quote === undefined)
  if (kind === 'cookie') {
    return quote === undefined && text.charCodeAt(start) === 91
      ? listValue(source, rule, start, kind)
      : cookieValue(source, { rule, start, quote, from })
  }
  if (quote === undefined && text.charCodeAt(start) === 91)
    return detectLongList(source, rule, start) ?? listValue(source, rule, start, kind, sign === ':' && start === to + 1)
  if (quote === undefined && (text.charCodeAt(start) === 124 || text.charCodeAt(start) === 62)) {
    const block = blockValue(source, rule, from, start)
    if (block !== undefined) return block
  }
  if (quote === undefined && start >= source.lineEnd(start)) return undefined
  // `password= user=x`: nothing, and the next field.
  if (
    sign === '=' &&
    quote === undefined &&
    start === to + 2 &&
    /^[A-Za-z_][\w.-]{0,40}=/.test(text.slice(start, start + 44))
  )
    return undefined
  // `string password = 2;` numbers a field.
  if (
    equals &&
    quote === undefined &&
    isDigit(text.charCodeAt(start)) &&
    /^\d{1,3} ?[;[]/.test(text.slice(start, start + 5)) &&
    wordBefore(text, from) !== ''
  )
    return undefined
  // `{namespace="x",secret="db-credentials"}` names an object of Kubernetes.
  if (
    short === '' &&
    name === 'secret' &&
    quote !== undefined &&
    equals &&
    /[{,]/.test(text[from - 1] ?? '') &&
    /^[a-z]+(?:-[a-z]+){0,3}["'\\]/.test(text.slice(start, start + 80))
  )
    return undefined
  const previous = text[from - 1] ?? ''
  const isQuery = equals && (previous === '?' || previous === '&')
  if (named.flag && text.slice(start, start + name.length).toLowerCase() === name.toLowerCase()) return undefined
  return namedValue(source, {
    rule,
    kind: kind === 'weak' && isQuery && /sig(?:nature)?$/i.test(name) ? 'secret' : kind,
    start,
    quote,
    loose,
    tight: tight && !/^\d+$/.test(name),
    mentioned,
    query: isQuery && !sign.startsWith('%'),
    encoded: sign.charCodeAt(0) === 37,
    element: false,
    wholeLine: !saysLittle(kind) && quote === undefined && isWholeLine(source, from, start, equals),
    json: keyQuote !== undefined && quote === undefined && loose ? keyQuote : undefined,
  })
}

const MENTIONING = new Set(
  `unexpected invalid illegal missing expected unknown expired bad no wrong incorrect malformed parse next empty
  unsupported duplicate of for the a an volume claim field column parameter`.split(/\s+/),
)
const isMentioned = (text: string, from: number): boolean => MENTIONING.has(wordBefore(text, from))
