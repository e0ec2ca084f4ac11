/** The host's own secrets, removed wherever they appear and however they were written down on the way. */
import { type Automaton, createAutomaton } from './automaton.js'
import type { Found } from './boundary.js'

const MIN_REGISTERED = 8

interface Form {
  written: string
  /** Lower-cased already, and so compared. */
  folded: boolean
  /** Characters on either side that carry bits of the secret: base64 packs three bytes in four. */
  before: number
  after: number
}

interface Table {
  automaton: Automaton
  /** The index among all heads of its first. */
  offset: number
}

interface Match {
  start: number
  form?: Form
}

export interface Registered {
  /** Answers, in ascending order of `from`, the next stretch there or behind that is one of the secrets. */
  read(text: string): (from: number, floor: number) => Found | undefined
  /** The first index at or behind `from` at which the text ends within what may become one of the secrets. */
  pending(text: string, from: number): number
}

/** Undefined when none is long enough. Of forms that begin alike the longest is taken. */
export function createRegistered(secrets: readonly string[]): Registered | undefined {
  const forms = new Map<string, Form>()
  for (const secret of secrets.filter((value) => value.length >= MIN_REGISTERED)) {
    for (const form of formsOf(secret)) forms.set(`${form.folded}${form.written}`, form)
  }
  if (forms.size === 0) return undefined
  const byHead = new Map<string, Form[]>()
  for (const form of [...forms.values()].sort((a, b) => b.written.length - a.written.length)) {
    const head = fold(form.written.slice(0, MIN_REGISTERED))
    byHead.set(head, [...(byHead.get(head) ?? []), form])
  }
  const heads = [...byHead.keys()]
  const lists = [...byHead.values()]
  const longest = Math.max(...[...forms.values()].map(({ written }) => written.length)) + 4
  const all = [...forms.values()]
  const automata = inGroups(heads)

  function nextIn({ automaton, offset }: Table, text: string, from: number): Match | undefined {
    for (
      let end = automaton.next(text, from, text.length);
      end !== -1;
      end = automaton.next(text, end - MIN_REGISTERED + 1, text.length)
    ) {
      const start = end - MIN_REGISTERED
      const form = automaton
        .words()
        .map((word) => matchAt(text, start, lists[word + offset] ?? []))
        .find((found) => found !== undefined)
      if (form !== undefined) return { start, form }
    }
    return undefined
  }

  function matchAt(text: string, start: number, candidates: readonly Form[]): Form | undefined {
    return candidates.find(({ written, folded }) =>
      folded ? text.slice(start, start + written.length).toLowerCase() === written : text.startsWith(written, start),
    )
  }

  return {
    read(text) {
      // Each table reads the text once: what it found further ahead is kept.
      const ahead = automata.map((): Match | undefined => ({ start: -1 }))
      return (from, floor) => {
        let best: Found | undefined
        for (const [index, table] of automata.entries()) {
          let match = ahead[index]
          if (match !== undefined && match.start < from) ahead[index] = match = nextIn(table, text, from)
          if (match?.form === undefined) continue
          const found = widened(text, match.start, match.form, floor)
          if (best === undefined || found.start < best.start) best = found
        }
        return best
      }
    },
    pending(text, from) {
      for (let index = Math.max(from, text.length - longest); index < text.length; index++) {
        const tail = text.slice(index)
        const small = tail.toLowerCase()
        if (
          all.some(
            ({ written, folded, after }) =>
              (tail.length < written.length + after + 3 &&
                (folded ? small : tail).startsWith(written.slice(0, tail.length))) ||
              (tail.length < written.length && written.startsWith(folded ? small : tail)),
          )
        )
          return Math.max(from, index - 1)
      }
      return text.length
    },
  }
}

/** ASCII only, as the automaton folds. */
const fold = (text: string): string => text.replace(/[A-Z]/g, (letter) => letter.toLowerCase())

const GROUP = 4_000

/** An automaton knows 63 characters and some thousand words; secrets may hold any, and be many. */
function inGroups(heads: readonly string[]): Table[] {
  const groups: Table[] = []
  let first = 0
  let signs = new Set<string>()
  heads.forEach((head, index) => {
    const joined = new Set([...signs, ...head.split('')])
    if (joined.size > 60 || index - first === GROUP) {
      groups.push({ automaton: createAutomaton(heads.slice(first, index)), offset: first })
      first = index
      signs = new Set(head.split(''))
    } else signs = joined
  })
  groups.push({ automaton: createAutomaton(heads.slice(first)), offset: first })
  return groups
}

const isBase64 = (code: number): boolean =>
  (code >= 48 && code <= 57) ||
  (code >= 65 && code <= 90) ||
  (code >= 97 && code <= 122) ||
  code === 43 ||
  code === 47 ||
  code === 45 ||
  code === 95

function widened(text: string, start: number, { written, before, after }: Form, floor: number): Found {
  let from = start
  let to = start + written.length
  if (before > 0 && from > floor && isBase64(text.charCodeAt(from - 1))) from--
  if (after > 0 && isBase64(text.charCodeAt(to))) to++
  while (after > 0 && to < start + written.length + 3 && text.charCodeAt(to) === 61) to++
  return { rule: 'registered', start: from, end: to }
}

function formsOf(secret: string): Form[] {
  const plain = new Set<string>()
  const json = (text: string): string => JSON.stringify(text).slice(1, -1)
  const url = encodeURIComponent(secret.toWellFormed())
  for (const text of [secret, secret.trim().length >= MIN_REGISTERED ? secret.trim() : secret]) {
    plain.add(text)
    plain.add(json(text))
    plain.add(json(json(text)))
    plain.add(json(text).replaceAll('/', '\\/'))
    plain.add(json(text).replace(/[^\x20-\x7e]/g, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`))
    plain.add(json(text).replace(/[<>&']/g, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`))
  }
  plain.add(url)
  plain.add(url.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()))
  plain.add(url.replaceAll('%20', '+'))
  plain.add(url.replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`))
  plain.add(
    url.replace(/[!'()*~]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`).replaceAll('%20', '+'),
  )
  plain.add(encodeURIComponent(url))
  const xml = secret.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
  plain.add(xml)
  plain.add(xml.replaceAll('"', '&quot;').replaceAll("'", '&apos;'))
  plain.add(xml.replaceAll('"', '&quot;').replaceAll("'", '&#39;'))
  plain.add(xml.replaceAll('"', '&#34;').replaceAll("'", '&#39;'))
  plain.add(xml.replaceAll('"', '&quot;').replaceAll("'", '&#x27;'))
  plain.add(secret.replaceAll("'", `'\\''`))
  const forms: Form[] = [...plain].map((written) => ({ written, folded: false, before: 0, after: 0 }))
  const bytes = Buffer.from(secret, 'utf8')
  const hex = bytes.toString('hex')
  forms.push({ written: hex, folded: true, before: 0, after: 0 })
  forms.push({ written: hex.replace(/../g, '\\x$&'), folded: true, before: 0, after: 0 })
  for (const separator of [':', ' '])
    forms.push({ written: hex.replace(/..(?=.)/g, `$&${separator}`), folded: true, before: 0, after: 0 })
  for (const shift of [0, 1, 2]) {
    const packed = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64')
    const whole = Math.floor(((shift + bytes.length) * 8) / 6)
    const written = packed.slice(shift === 0 ? 0 : shift + 1, whole)
    if (written.length < MIN_REGISTERED) continue
    const url64 = written.replaceAll('+', '-').replaceAll('/', '_')
    for (const form of new Set([written, url64])) forms.push({ written: form, folded: false, before: shift, after: 3 })
  }
  return forms.filter(({ written }) => written.length >= MIN_REGISTERED)
}
