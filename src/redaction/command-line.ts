/** Secrets among the arguments of known programs, where no name says so: `mysql -pX`, `curl -u user:X`, `docker login -p X`. */
import { type Detection, lineStart, type Source } from './boundary.js'

const RULE = 'cli-argument'
const VALUE = String.raw`("[^"\n]{1,200}"|'[^'\n]{1,200}'|[^\s"'|;&]{1,200})`
const pattern = (before: string): RegExp => new RegExp(`${before}${VALUE}`, 'g')

/** Program, and where its secret stands among its arguments; the last group is the secret. */
const PROGRAMS: readonly [names: string, arguments_: RegExp][] = [
  [
    'mysql mysqldump mysqladmin mariadb mariadb-dump mysqlimport mysqlshow mycli',
    /(?:^|[\s"',])-p(?!ort|rot)([^\s"',;|&-][^\s"',;|&]{0,200})/g,
  ],
  [
    'curl http https httpie xh',
    pattern(
      String.raw`(?:^|\s)(?:-[a-zA-Z]{0,6}u|--user|--proxy-user|-U|-a|--auth)(?:[= ]{1,4}|","|", ")["']?[^\s:"'@/]{0,100}:`,
    ),
  ],
  ['login', pattern(String.raw`\s(?:-p|--password)(?:[= ]{1,4})`)],
  ['sshpass', pattern(String.raw`\s-p ?`)],
  ['redis-cli valkey-cli', pattern(String.raw`\s(?:-a|--pass) `)],
  [
    'mongo mongosh mongodump mongorestore mongoexport cqlsh psql pgcli twine rabbitmqadmin influx',
    pattern(String.raw`\s-p `),
  ],
  ['ldapsearch ldapadd ldapmodify ldappasswd ldapwhoami', pattern(String.raw`\s-w `)],
  ['smbclient smbmap rpcclient', pattern(String.raw`\s-U ["']?[\w\\/.-]{1,60}%`)],
  ['sqlcmd bcp', pattern(String.raw`\s-P ?`)],
  ['7z 7za 7zr', pattern(String.raw`\s-p`)],
  ['zip unzip', pattern(String.raw`\s-P ?`)],
  ['skopeo buildah crane oras', pattern(String.raw`\s--(?:src-|dest-)?creds[= ]["']?[^\s:"']{1,60}:`)],
  ['htpasswd', pattern(String.raw`\s-[a-zA-Z]*b[a-zA-Z]*\s+\S+\s+\S+\s+`)],
  ['snmpwalk snmpget', pattern(String.raw`\s-[cAX] `)],
  ['ssh-keygen', pattern(String.raw`\s-[NP] `)],
  ['lftp', pattern(String.raw`\s-u ["']?[^\s,]{1,60},`)],
  ['ipmitool', pattern(String.raw`\s-P `)],
  ['useradd usermod', pattern(String.raw`\s(?:-p|--password)[ =]`)],
  ['openssl', pattern(String.raw`\s-(?:k|K|passin|passout|pass) (?:pass:)?(?!env:|file:|fd:|stdin|val\b)`)],
  ['xfreerdp wfreerdp', pattern(String.raw`\s/p:`)],
  ['vault', pattern(String.raw`\slogin (?=\S*\d)(?!-)`)],
  ['mc', pattern(String.raw`\s(?:alias|config host) (?:set|add) \S{1,80} \S{1,200} \S{1,80} `)],
  ['activate-refresh-token', pattern(String.raw`\s\S{1,80} `)],
  ['convertto-securestring', pattern(String.raw`\s(?:-String )?(?=["'])`)],
  ['sqlplus', pattern(String.raw`\s[\w$.-]{1,40}/`)],
  ['chpasswd', /\becho ["']?[\w.-]{1,40}:([^\s"'|]{1,200})["']? ?\|/g],
]

const ARGUMENTS = new Map(PROGRAMS.flatMap(([names, found]) => names.split(' ').map((name) => [name, found] as const)))
export const PROGRAM_NAMES: readonly string[] = [...ARGUMENTS.keys()]

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
  const found = ARGUMENTS.get(name)
  if (found === undefined) return undefined
  if (
    name === 'login' &&
    !/(?:docker|podman|helm registry|registry|az|oc|nerdctl|buildah|skopeo|oras|crane|cf|vault) $/.test(
      text.slice(Math.max(0, start - 20), start),
    )
  )
    return undefined
  if (name === 'chpasswd') {
    const line = lineStart(text, start)
    if (line === -1) return undefined
    const from = Math.max(source.floor, line)
    return argumentIn(found, text.slice(from, start), from)
  }
  const limit = Math.min(source.lineEnd(end), end + 600)
  return argumentIn(found, text.slice(end, limit), end)
}

const PIPED =
  /\b(?:echo|printf)(?: -[neE]{1,3})?(?: ["']?%s(?:\\n)?["']?)? {1,4}("[^"\n]{1,200}"|'[^'\n]{1,200}'|[^\s"'|;&]{1,200}) {0,4}\|[^|\n]{0,120}$/

/** `echo x | sudo -S …`, `echo x | docker login --password-stdin`: what a program reads from its input. */
export function detectPiped(source: Source, start: number, end: number): Detection {
  const { text } = source
  if (/[\w-]/.test(text[end] ?? '')) return undefined
  source.looks += 1
  const from = Math.max(source.floor, start - 240)
  return argumentIn(PIPED, text.slice(from, start), from, true)
}

function argumentIn(found: RegExp, window: string, offset: number, within = false): Detection {
  found.lastIndex = 0
  const match = found.exec(window)
  const written = match?.[1]
  if (match === null || written === undefined) return undefined
  const bare = /^(["']).*\1$/.test(written) ? written.slice(1, -1) : written
  if (/^(?:\[REDACTED|\$[\w{(]|<|%[A-Za-z_]+%$|-|\*{2,}$)/.test(bare) || bare === '') return undefined
  const last = match.index + match[0].length - written.length
  const at = (within ? window.indexOf(written, match.index + 4) : last) + (bare === written ? 0 : 1)
  return { rule: RULE, start: offset + at, end: offset + at + bare.length }
}

/** Words that say: the secret comes through a pipe. */
export const PIPE_WORDS: readonly string[] = ['sudo -s', '-stdin', '--with-token']

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
