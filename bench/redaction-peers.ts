/** What redaction finds and what it leaves alone, next to others in the same run, on the project's own corpora. */
import { DeepRedact } from '@hackylabs/deep-redact'
import { redactLog } from '@npmcli/redact'
import { redact as redactOnServer } from '@npmcli/redact/server'
import { lintSource } from '@secretlint/core'
import { creator } from '@secretlint/secretlint-rule-preset-recommend'
import { createRedactor } from 'skillgate/redaction'
import { type Negative, negatives } from '../src/redaction/__tests__/corpus/negatives.js'
import { type Positive, positives } from '../src/redaction/__tests__/corpus/positives.js'
import { scoreNegatives, scorePositives } from '../src/redaction/__tests__/corpus/score.js'
import { fieldHarmless, fieldSecrets, fieldTokens } from '../src/redaction/__tests__/field/field.js'
import { printTable } from './measure.js'

/** Neither the rules nor the corpora were made with this seed. */
const SEED = 99
const ONE_LINE = /(?:token|key|password|secret)["']?\s*[:=]\s*["']?\S+/gi
const PRESET = {
  id: '@secretlint/secretlint-rule-preset-recommend',
  rule: creator,
  options: {},
}

const own = positives(SEED)
const ownOf = (wanted: Positive['kind']): Positive[] => own.filter(({ kind }) => kind === wanted)
/** A further corpus is a line here, and one below for what is harmless in it. */
const SECRETS: readonly (readonly [corpus: string, cases: readonly Positive[]])[] = [
  ['first corpus, named', ownOf('named')],
  ['first corpus, provider tokens', ownOf('provider')],
  ['first corpus, others', ownOf('other')],
  ['field corpus, secrets', fieldSecrets(SEED)],
  ['field corpus, provider tokens', fieldTokens(SEED)],
]
const HARMLESS: readonly (readonly [corpus: string, lines: readonly Negative[]])[] = [
  ['first corpus, harmless', negatives(SEED)],
  ['field corpus, harmless', fieldHarmless(SEED)],
]

type Contender = readonly [name: string, redact: (text: string) => string | Promise<string>]

const redactor = createRedactor()
/** It takes secrets out of strings by the host's expressions; out of objects, JSON in strings included, by names. */
const deepRedact = new DeepRedact({
  blacklistedKeys: ['password', 'secret', 'token', 'apikey', 'authorization', 'cookie', 'privatekey', 'accesskey'],
  fuzzyKeyMatch: true,
  caseSensitiveKeyMatch: false,
})

const CONTENDERS: readonly Contender[] = [
  ['skillgate', redactor.text],
  ['secretlint', withoutFindings],
  ['deep-redact', throughObjects],
  // Each of its two ways takes what the other leaves: passwords of all URLs, and headers and JSON web tokens.
  ['@npmcli/redact', (text) => redactOnServer(redactLog(text))],
  ['one-line expression', (text) => text.replaceAll(ONE_LINE, '[REDACTED]')],
]

async function withoutFindings(content: string): Promise<string> {
  const { messages } = await lintSource({
    source: { filePath: 'container.log', content, ext: '.log', contentType: 'text' },
    options: { config: { rules: [PRESET] } },
  })
  let output = content
  for (const { range } of [...messages].sort((a, b) => b.range[0] - a.range[0])) {
    output = `${output.slice(0, range[0])}[REDACTED]${output.slice(range[1])}`
  }
  return output
}

function throughObjects(text: string): string {
  try {
    const parsed: unknown = JSON.parse(text)
    return JSON.stringify(deepRedact.redact(parsed)).includes('[REDACTED]')
      ? JSON.stringify(deepRedact.redact(parsed))
      : text
  } catch {
    return String(deepRedact.redact(text))
  }
}

/** The scores ask at once; some contenders answer later. */
async function answered(texts: readonly string[], redact: Contender[1]): Promise<(text: string) => string> {
  const outputs = new Map<string, string>()
  for (const text of texts) if (!outputs.has(text)) outputs.set(text, await redact(text))
  return (text) => outputs.get(text) ?? text
}

const percent = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(1)} %`

/** Prints recall by group, partial leaks, harmless lines unchanged, and recall by form. */
export async function benchPeers(): Promise<void> {
  const all = SECRETS.flatMap(([, cases]) => cases)
  const harmless = HARMLESS.flatMap(([, lines]) => lines)
  const forms = [...new Set(all.map(({ form }) => form))]
  const columns = await Promise.all(
    CONTENDERS.map(async ([, redact]) => {
      const texts = [...all, ...harmless].map(({ text }) => text)
      const known = await answered(texts, redact)
      const recall = (cases: readonly Positive[]): string => percent(scorePositives(cases, known).found, cases.length)
      return {
        groups: [
          ...SECRETS.map(([, cases]) => recall(cases)),
          String(scorePositives(all, known).partial),
          ...HARMLESS.map(([, lines]) => percent(scoreNegatives(lines, known).unchanged, lines.length)),
        ],
        forms: forms.map((form) => recall(all.filter((item) => item.form === form))),
      }
    }),
  )
  const names = CONTENDERS.map(([name]) => name)
  const labels = [
    ...SECRETS.map(([name, cases]) => `${name} (${cases.length})`),
    `partial leaks (${all.length})`,
    ...HARMLESS.map(([name, lines]) => `${name} (${lines.length})`),
  ]
  printTable(
    `Redaction: found, seed ${SEED}`,
    ['cases', ...names],
    labels.map((label, row) => [label, ...columns.map(({ groups }) => groups[row] ?? '')]),
  )
  printTable(
    'Redaction: found, by form',
    ['form', ...names],
    forms.map((form, row) => [form, ...columns.map((column) => column.forms[row] ?? '')]),
  )
}
