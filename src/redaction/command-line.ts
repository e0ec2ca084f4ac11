/** Secrets among the arguments of known programs, where no name says so: `mysql -pX`, `curl -u user:X`, `docker login -p X`. */
import { type Detection, type Found, lineStart, type Source } from './boundary.js'
import { closingQuote } from './extent.js'
import { looksMixed } from './plausible.js'
import { SECRET_ARGUMENTS, type SecretArgument } from './program-arguments.js'

const RULE = 'cli-argument'
/** No argument is sought further behind its program. */
const WINDOW = 600

export const PROGRAM_NAMES: readonly string[] = [...SECRET_ARGUMENTS.keys(), 'chpasswd']

const CHANGED = /\b(?:echo|printf) (?:-[ne]{1,2} )?["']?[\w.-]{1,40}:([^\s"'|]{1,200}?)(?:\\n)?["']? ?\|/

/** The first secret behind the program's name on its line; the scan comes back for the next. */
export function detectArgument(source: Source, start: number, end: number): Detection {
  const { text } = source
  const after = text.charCodeAt(end)
  const before = text.charCodeAt(start - 1)
  if (start > 0 && /[\w.-]/.test(String.fromCharCode(before))) return undefined
  if (
    end < text.length &&
    after !== 32 &&
    after !== 9 &&
    after !== 34 &&
    after !== 39 &&
    text.slice(start, end) !== 'chpasswd'
  )
    return undefined
  const name = text.slice(start, end).toLowerCase()
  source.looks += 1
  if (
    name === 'login' &&
    !/(?:docker|podman|helm registry|registry|az|oc|nerdctl|buildah|skopeo|oras|crane|cf|vault) $/.test(
      text.slice(Math.max(0, start - 20), start),
    )
  )
    return undefined
  if (name === 'chpasswd') {
    const line = lineStart(source, start)
    if (line === -1) return undefined
    const from = Math.max(source.floor, line)
    return givenBefore(CHANGED, text.slice(from, start), from) ?? hereString(source, end)
  }
  let first: Found | undefined
  for (const argument of SECRET_ARGUMENTS.get(name) ?? []) {
    const found = argumentBehind(source, end, argument)
    if (found !== undefined && (first === undefined || found.start < first.start)) first = found
  }
  return first
}

function argumentBehind(source: Source, end: number, { before, upToHost, mixed }: SecretArgument): Found | undefined {
  const { text } = source
  const line = text.slice(end, Math.min(source.lineEnd(end), end + WINDOW))
  before.lastIndex = 0
  for (let match = before.exec(line); match !== null; match = before.exec(line)) {
    const word = shellWord(source, end + match.index + match[0].length, upToHost === true)
    if (word === undefined || word.start < source.floor) continue
    const written = text.slice(word.start, Math.min(word.end, word.start + 400))
    if (/^(?:\[REDACTED|\$[\w{(]|<|%[A-Za-z_]+%$|-\S*$)/.test(written) || written === '') continue
    if (mixed === true && !looksMixed(written)) continue
    return { rule: RULE, ...word }
  }
  return undefined
}

/** The word of a shell that begins at `start`, without its quotes, to its true end. */
export function shellWord(source: Source, start: number, upToHost = false): { start: number; end: number } | undefined {
  const { text } = source
  const end = source.lineEnd(start)
  const open = /^\$?(["'])/.exec(text.slice(start, start + 2))
  if (open?.[1] !== undefined) {
    const from = start + open[0].length
    const closing = closingQuote(text, from, end, open[1])
    return { start: from, end: closing === -1 ? end : closing }
  }
  // A quote that was opened before the value closes behind it.
  const quoted = /(["'])[^\s"']{0,100}$/.exec(text.slice(Math.max(0, start - 101), start))?.[1]
  let stop = start
  for (; stop < end; stop++) {
    const code = text.charCodeAt(stop)
    if (code === 92 && text.charCodeAt(stop + 1) > 32) stop++
    else if (code <= 32 || code === 34 || (code === 39 && quoted === "'")) break
    else if (isCommandEnd(text, stop, end)) break
  }
  if (upToHost) {
    const at = text.slice(start, stop).lastIndexOf('@')
    if (at > 0) return { start, end: start + at }
  }
  return stop > start ? { start, end: stop } : undefined
}

/** `;`, `|`, `&` and `)` end a command when nothing of a word follows. */
function isCommandEnd(text: string, index: number, end: number): boolean {
  const code = text.charCodeAt(index)
  if (code === 39 || code === 96) return !(text.charCodeAt(index + 1) > 32) || index + 1 >= end
  if (code !== 59 && code !== 124 && code !== 38 && code !== 41) return false
  const next = text.charCodeAt(index + 1)
  return index + 1 >= end || next <= 32 || next === code
}

const PIPED =
  /\b(?:echo|printf)(?: -[neE]{1,3})?(?: ["']?%s(?:\\n)?["']?)? {1,4}("[^"\n]{1,400}"|'[^'\n]{1,400}'|[^\s"'|;&)]{1,400})(?:; ?echo [^|\n]{1,200})?\)? {0,4}\|[^|\n]{0,120}$/

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
  const bare = (/^(["']).*\1$/.test(written) ? written.slice(1, -1) : written).replace(/\\n$/, '')
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
]

const KNOWN =
  /^(?:.*\/)?((?:mysql|maria|mycli|curl|redis-cli|valkey-cli|sshpass|mongo|sqlcmd|bcp|ldap|rabbitmqctl|login)[\w-]*)(?:\.exe)?$/

/** The program that the argument at `index` is for: the nearest before it, or the one that the list is kept apart from. */
function programAt(argv: readonly unknown[], index: number, program: string | undefined): string | undefined {
  for (let at = index - 1; at >= -1; at--) {
    const item = at === -1 ? program : argv[at]
    const known = typeof item === 'string' ? KNOWN.exec(item.slice(-80))?.[1] : undefined
    if (known !== undefined) return known
  }
  return undefined
}

/**
 * What an argument of a program in a list of arguments becomes: the length of what is kept, or -1 when it is no secret.
 * The program stands in the list, behind others (`CMD`, `sudo`) perhaps, or is `program`.
 */
export function secretInArgument(argv: readonly unknown[], index: number, program?: string): number {
  const item = argv[index]
  const previous = index === 0 ? '' : argv[index - 1]
  if (typeof item !== 'string' || typeof previous !== 'string') return -1
  const isUser = argv[index - 2] === 'add_user' || argv[index - 2] === 'change_password'
  if (item.charCodeAt(0) !== 45 && previous.charCodeAt(0) !== 45 && !isUser) return -1
  const known = programAt(argv, index, program)
  if (known === undefined) return -1
  if (/^(?:mysql|maria|mycli)/.test(known)) return /^-p[^\s-]/.test(item) && !/^-(?:port|prot)/.test(item) ? 2 : -1
  if (known === 'curl') {
    const attached = /^(?:-\w{0,5}u|--user=|--proxy-user=)[^\s:]{1,100}:(?=.)/.exec(item)?.[0].length
    if (attached !== undefined) return attached
    return /^(?:-\w{0,5}u|--user|--proxy-user|-U)$/.test(previous) ? item.indexOf(':') + 1 || -1 : -1
  }
  if (known === 'rabbitmqctl') return isUser ? 0 : -1
  if (known === 'sqlcmd' || known === 'bcp') return previous === '-P' ? 0 : -1
  if (known.startsWith('ldap')) return previous === '-w' ? 0 : -1
  if (known.endsWith('-cli')) return previous === '-a' ? 0 : -1
  if (known === 'sshpass' || known.startsWith('mongo'))
    return previous === '-p' ? 0 : /^-p./.test(item) && known === 'sshpass' ? 2 : -1
  return known === 'login' && previous === '-p' ? 0 : -1
}
