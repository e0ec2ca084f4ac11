/** Reads the provider's answers (L1 protocol) and writes them as text that a model can act on. */
import { Failure } from '../../src/core/failure.js'

type Fields = Record<string, unknown>

export interface Container extends Fields {
  id?: string
  name?: string
  image?: string
  image_id?: string
}

/** The list in an answer, under its own key or `data`. A missing list is an error: "none" would be a claim. */
export function readList(answer: unknown, key: string): Fields[] {
  const list = [fieldsOf(answer)[key], fieldsOf(answer).data, answer].find(Array.isArray)
  if (list !== undefined) return list.filter(isFields)
  throw malformed(`a list of ${key}`)
}

export const readContainer = (answer: unknown): Container =>
  readObject(answer, 'container', ['id', 'name']) as Container

export const readStats = (answer: unknown): Fields => readObject(answer, 'stats', ['cpu_percent', 'memory_usage'])

/** The object under its own key or `data`, or the answer itself where it has one of the fields that tell it. */
function readObject(answer: unknown, key: string, telling: string[]): Fields {
  const fields = fieldsOf(answer)
  const bare = telling.some((field) => fields[field] !== undefined) ? fields : undefined
  const object = [fields[key], fields.data, bare].find(isFields)
  if (object !== undefined) return object
  throw malformed(`the ${key}`)
}

export function readLogs(answer: unknown): string {
  const { logs, output } = fieldsOf(answer)
  const found = logs ?? output ?? (typeof answer === 'string' ? answer : undefined)
  if (found === undefined) throw malformed('logs')
  return typeof found === 'string' ? found : JSON.stringify(found)
}

export const containerRow = (container: Container): string =>
  `${shown(container.name ?? container.id ?? 'unnamed')} [${shown(container.status ?? container.state ?? 'unknown')}]`

export function containerText(container: Container): string {
  const { id, name, image, status, state, created } = container
  const title = `Container: ${shown(name ?? id ?? 'unnamed')}`
  return lines(title, [
    ['ID', id],
    ['Image', image],
    ['Status', status],
    ['State', state],
    ['Created', created],
  ])
}

export function imageRow(image: Fields): string {
  const size = image.size === undefined ? '' : ` (${bytes(image.size)})`
  return `${imageName(image) ?? shown(image.id ?? 'unnamed')}${size}`
}

export function imageName({ repository, tag, digest }: Fields): string | undefined {
  if (typeof repository !== 'string' || repository === '<none>') return undefined
  if (typeof tag === 'string' && tag !== '<none>') return `${repository}:${tag}`
  return typeof digest === 'string' ? `${repository}@${digest}` : repository
}

export function statsText(containerId: string, stats: Fields): string {
  const { cpu_percent, memory_usage, memory_limit, network_rx, network_tx, block_read, block_write, pids } = stats
  return lines(`Stats for container ${containerId}`, [
    ['CPU', typeof cpu_percent === 'number' ? `${Math.round(cpu_percent * 100) / 100}%` : cpu_percent],
    ['Memory', bytes(memory_usage)],
    ['Memory Limit', bytes(memory_limit)],
    ['Network RX', bytes(network_rx)],
    ['Network TX', bytes(network_tx)],
    ['Block Read', bytes(block_read)],
    ['Block Write', bytes(block_write)],
    ['PIDs', pids],
  ])
}

/** Bytes as Docker prints sizes: decimal units, three significant digits. Strings stay as the provider sent them. */
function bytes(value: unknown): unknown {
  if (typeof value !== 'number' || !Number.isFinite(value)) return value
  let size = value
  let unit = 0
  while (size >= 1000 && unit < UNITS.length - 1) {
    size /= 1000
    unit++
  }
  return `${Number(size.toPrecision(3))}${UNITS[unit]}`
}
const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']

const lines = (title: string, fields: [label: string, value: unknown][]): string =>
  [title, ...fields.filter(([, value]) => value != null).map(([label, value]) => `${label}: ${shown(value)}`)].join(
    '\n',
  )

const shown = (value: unknown): string => (typeof value === 'object' ? JSON.stringify(value) : String(value))

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const fieldsOf = (value: unknown): Fields => (isFields(value) ? value : {})

const malformed = (what: string): Failure =>
  new Failure(
    'UPSTREAM_ERROR',
    `The provider's answer holds no ${what.replace(/^(a|the) /, '')}. Check that the client speaks the L1 protocol.`,
    {
      retriable: false,
    },
  )
