/** Module hooks: the project's TypeScript as `translate.ts` left it in SKILLGATE_TRANSLATED; everything else as Node does. */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = pathToFileURL(`${process.cwd()}/`).href
const translated = pathToFileURL(`${process.env.SKILLGATE_TRANSLATED}/`).href

/** Where the translation of a module lies; undefined for what has none. */
function translationOf(url) {
  if (!url.startsWith(root) || !url.endsWith('.ts')) return undefined
  const place = fileURLToPath(url.replace(root, translated).replace(/ts$/, 'js'))
  return existsSync(place) ? place : undefined
}

export function resolve(specifier, context, next) {
  if (/^\.{1,2}\/.*\.js$/.test(specifier) && context.parentURL?.endsWith('.ts')) {
    const { href } = new URL(specifier.replace(/js$/, 'ts'), context.parentURL)
    if (translationOf(href) !== undefined) return { url: href, format: 'module', shortCircuit: true }
  }
  return next(specifier, context)
}

export function load(url, context, next) {
  const place = translationOf(url)
  return place === undefined
    ? next(url, context)
    : { format: 'module', source: readFileSync(place), shortCircuit: true }
}
