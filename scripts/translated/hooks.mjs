/** Module hooks: the project's TypeScript as `translate.ts` left it in SKILLGATE_TRANSLATED; everything else as Node does. */
import { existsSync, readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

const root = pathToFileURL(`${process.cwd()}/`).href
const translated = pathToFileURL(`${process.env.SKILLGATE_TRANSLATED}/`).href

export function resolve(specifier, context, next) {
  if (/^\.{1,2}\/.*\.js$/.test(specifier) && context.parentURL?.endsWith('.ts')) {
    // The source is looked for: a translation may be left of one that is gone.
    const url = new URL(specifier.replace(/js$/, 'ts'), context.parentURL)
    if (existsSync(url)) return { url: url.href, format: 'module', shortCircuit: true }
  }
  return next(specifier, context)
}

export function load(url, context, next) {
  if (!url.startsWith(root) || !url.endsWith('.ts')) return next(url, context)
  const source = readFileSync(new URL(url.replace(root, translated).replace(/ts$/, 'js')))
  return { format: 'module', source, shortCircuit: true }
}
