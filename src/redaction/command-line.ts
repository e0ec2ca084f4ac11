/** Secrets among the arguments of known programs, where no name says so: `mysql -pX`, `curl -u user:X`, `docker login -p X`. */
import { type ArgumentLine, argumentLine } from './argument-line.js'
import { type Detection, lineStart, type Source, STARVED, startsToken } from './boundary.js'
import { chained } from './call.js'
import { closingQuote } from './extent.js'
import { looksGiven, looksMixed } from './plausible.js'
import { SECRET_ARGUMENTS } from './program-arguments.js'

const RULE = 'cli-argument'

export const PROGRAM_NAMES: readonly string[] = [...SECRET_ARGUMENTS.keys(), 'chpasswd']

const CHANGED = /\b(?:echo|printf) (?:-[ne]{1,2} )?["']?[\w.-]{1,40}:([^\s"'|]{1,200}?)(?:\\n)?["']? ?\|/

/** Programs whose `login` takes a password or a token. */
const REGISTRY =
  /(?:docker|podman|helm registry|registry|az|oc|nerdctl|buildah|skopeo|oras|crane|cf|vault)(?:\\{0,3}["'])?,?\s{0,4}(?:\\\s{1,40})?(?:- )?(?:\\{0,3}["'])?$/

/** A program's name stands alone; behind `chpasswd` anything may follow. */
export function mayBeProgram(text: string, start: number, end: number): boolean {
  const before = text.charCodeAt(start - 1)
  if (start > 0 && (before === 46 || before === 45 || before === 95 || !startsToken(text, start))) return false
  return end >= text.length || /[\s"'\\]/.test(text.charAt(end)) || text.slice(start, end).toLowerCase() === 'chpasswd'
}

/** The secrets behind the program's name. */
export function detectArgument(source: Source, start: number, end: number): Detection {
  const { text } = source
  if (!mayBeProgram(text, start, end)) return undefined
  const name = text.slice(start, end).toLowerCase()
  source.looks += 1
  if (name === 'login' && !REGISTRY.test(text.slice(Math.max(0, start - 70), start))) return undefined
  if (name === 'chpasswd') {
    const line = lineStart(source, start)
    if (line === -1) return undefined
    const from = Math.max(source.floor, line)
    return givenBefore(CHANGED, text.slice(from, start), from) ?? hereString(source, end)
  }
  const line = argumentLine(source, end)
  if (line === STARVED) return line
  const secrets = secretsIn(line.text, name, line.isList ? undefined : (index) => shellWordOf(source, line, index))
  // No program is given many.
  source.looks += Math.max(0, secrets.length - 1)
  const found = secrets
    .map(({ start: from, end: to }) => ({ rule: RULE, start: line.at(from), end: line.at(to - 1) + 1 }))
    .filter((secret) => secret.start >= source.floor)
  return chained(found)
}

/** The word of a shell at an index of its line; what stands in quotes begins behind them. */
function shellWordOf(source: Source, line: ArgumentLine, index: number): Stretch | undefined {
  const start = line.at(index)
  const word = shellWord(source, start, line.end)
  if (word === undefined) return undefined
  return { start: index + word.start - start, end: index + word.end - start }
}

interface Stretch {
  start: number
  end: number
}

/** The secrets among the arguments of a program, in ascending order; `wordAt` tells words that may have quotes. */
function secretsIn(
  line: string,
  name: string,
  wordAt: (index: number) => Stretch | undefined = (start) => {
    const blank = line.indexOf(' ', start)
    return { start, end: blank === -1 ? line.length : blank }
  },
): Stretch[] {
  const found: Stretch[] = []
  for (const { before, upToHost, mixed } of SECRET_ARGUMENTS.get(name) ?? []) {
    before.lastIndex = 0
    for (let match = before.exec(line); match !== null; match = before.exec(line)) {
      const word = wordAt(match.index + match[0].length)
      if (word === undefined || word.start >= word.end) continue
      const { start } = word
      if (line.slice(Math.max(0, start - 10), start) === '[REDACTED:') continue
      let written = line.slice(start, word.end)
      const host = upToHost === true ? written.lastIndexOf('@') : -1
      if (host > 0) written = written.slice(0, host)
      if (/^(?:\[REDACTED|\$[\w{(]|<|\*{2,}$|%[A-Za-z_]+%$|-\S*$)/.test(written) || written === '') continue
      if (mixed === true && !looksMixed(written) && !looksGiven(written)) continue
      found.push({ start, end: start + written.length })
      before.lastIndex = Math.max(before.lastIndex, start + written.length)
    }
  }
  found.sort((one, other) => one.start - other.start)
  return found.filter(({ start }, index) => index === 0 || start >= (found[index - 1]?.end ?? 0))
}

/** The word of a shell that begins at `start`, without its quotes, to its true end. */
export function shellWord(source: Source, start: number, last = Number.POSITIVE_INFINITY): Stretch | undefined {
  const { text } = source
  const end = Math.min(source.lineEnd(start), last)
  const open = /^\$?(["'])/.exec(text.slice(start, start + 2))
  if (open?.[1] !== undefined) {
    const from = start + open[0].length
    const closing = closingQuote(text, from, end, open[1])
    return { start: from, end: closing === -1 ? end : closing }
  }
  let stop = start
  for (; stop < end; stop++) {
    const code = text.charCodeAt(stop)
    if (code === 92 && text.charCodeAt(stop + 1) > 32) stop++
    else if (code <= 32 || code === 34 || (code === 39 && isInQuote(text, start))) break
    else if (isCommandEnd(text, stop, end)) break
  }
  return stop > start ? { start, end: stop } : undefined
}

/** A quote that was opened before the value closes behind it. */
const isInQuote = (text: string, start: number): boolean =>
  /(["'])[^\s"']{0,100}$/.exec(text.slice(Math.max(0, start - 101), start))?.[1] === "'"

/** `;`, `|`, `&` and `)` end a command when nothing of a word follows. */
function isCommandEnd(text: string, index: number, end: number): boolean {
  const code = text.charCodeAt(index)
  if (code === 39 || code === 96) return !(text.charCodeAt(index + 1) > 32) || index + 1 >= end
  if (code !== 59 && code !== 124 && code !== 38 && code !== 41) return false
  const next = text.charCodeAt(index + 1)
  return index + 1 >= end || next <= 32 || next === code
}

const PIPED =
  /(?:\b|m)(?:echo|printf)(?: -[neE]{1,3})?(?: ["']?%s(?:\\n)?["']?)? {1,4}(\\?"[^"\n]{1,400}"|'[^'\n]{1,400}'|[^\s"'|;&)]{1,400})(?:; ?echo [^|\n]{1,200})?\)? {0,4}\|[^|\n]{0,120}$/

/** `echo x | sudo -S …`, `echo x | docker login --password-stdin`: what a program reads from its input. */
export function detectPiped(source: Source, start: number, end: number): Detection {
  const { text } = source
  if (/[\w-]/.test(text[end] ?? '')) return undefined
  source.looks += 1
  const from = Math.max(source.floor, start - 240)
  return givenBefore(PIPED, text.slice(from, text[start] === '|' ? start + 1 : start), from) ?? hereString(source, end)
}

function givenBefore(given: RegExp, window: string, offset: number): Detection {
  const match = given.exec(window)
  const written = match?.[1]
  if (match === null || written === undefined) return undefined
  const bare = (/^(\\?["'])(.*)\1$/.exec(written)?.[2] ?? written).replace(/\\n$/, '')
  if (/^(?:\[REDACTED|\$[\w{(]|<|%[A-Za-z_]+%$|-|\*{2,}$)/.test(bare) || bare === '') return undefined
  const at = offset + window.indexOf(bare, match.index + 4)
  return { rule: RULE, start: at, end: at + bare.length }
}

/** `docker login --password-stdin <<< x`. */
function hereString(source: Source, end: number): Detection {
  const { text } = source
  const ahead = /^[^<\n]{0,120}<<< ?/.exec(text.slice(end, Math.min(source.lineEnd(end), end + 124)))
  const word = ahead === null ? undefined : shellWord(source, end + ahead[0].length)
  if (word === undefined) return undefined
  const account =
    text.slice(end - 8, end) === 'chpasswd' ? /^[\w.-]{1,40}:/.exec(text.slice(word.start, word.start + 42)) : null
  const start = word.start + (account?.[0].length ?? 0)
  return /^(?:\[REDACTED|\$[\w{(])/.test(text.slice(start, start + 12))
    ? undefined
    : { rule: RULE, start, end: word.end }
}

/** Words that say: the secret comes through a pipe. */
export const PIPE_WORDS: readonly string[] = [
  'sudo -s',
  '-stdin',
  '--with-token',
  '--passphrase-fd',
  'passwd -s',
  'passwd -f',
  ...['kinit', 'passwd', 'smbpasswd', 'cryptsetup', 'wg set', 'su -', 'openssl', 'gpg', 'pkexec'].map(
    (name) => `| ${name}`,
  ),
  ...['docker secret', 'podman secret', 'gh secret', 'vault', 'pass insert', 'ansible-vault'].map(
    (name) => `| ${name}`,
  ),
]

/** Lists longer than this are no arguments of a program. */
const MAX_LISTED = 400
const NOTHING: ReadonlyMap<number, number> = new Map()

/** Where in a list of arguments secrets begin: what is kept of each of its items that holds one, by the index of the item. */
export function secretsInList(argv: readonly unknown[], program?: string): ReadonlyMap<number, number> {
  let kept: Map<number, number> | undefined
  for (let index = -1; index < argv.length && index < MAX_LISTED; index++) {
    const item = index === -1 ? program : argv[index]
    const name = typeof item === 'string' ? programName(item) : undefined
    if (name === undefined) continue
    const before = index === 0 ? program : argv[index - 1]
    if (name === 'login' && !(typeof before === 'string' && REGISTRY.test(`${before.slice(-40)} `))) continue
    kept ??= new Map()
    let line = ''
    const starts: number[] = []
    for (const argument of argv.slice(index + 1, index + 1 + MAX_LISTED)) {
      starts.push(line.length + 1)
      line += ` ${typeof argument === 'string' ? argument.slice(0, 400).replace(/\s/g, '_') : ''}`
    }
    for (const { start } of secretsIn(line, name)) {
      const at = starts.findLastIndex((from) => from <= start)
      kept.set(index + 1 + at, start - (starts[at] ?? 0))
    }
  }
  return kept ?? NOTHING
}

function programName(item: string): string | undefined {
  const name = item.slice(item.lastIndexOf('/') + 1)
  if (SECRET_ARGUMENTS.has(name)) return name
  if (!/\.(?:exe|py)$/i.test(name.slice(-4))) return undefined
  const plain = name.toLowerCase().replace(/\.exe$/, '')
  return SECRET_ARGUMENTS.has(plain) ? plain : undefined
}
