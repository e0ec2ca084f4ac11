/** What is written of skills from their definitions: docs/skills.md, and the tables in each skill's README. */
import type { SkillMeta, ToolMeta } from '../../src/index.js'

interface Field {
  type?: string
  enum?: string[]
  anyOf?: Field[]
  items?: Field
  default?: unknown
  description?: string
}
interface ObjectSchema {
  properties?: Record<string, Field>
  required?: string[]
}

/** The page of all skills. */
export function skillsPage(skills: readonly SkillMeta[]): string {
  const sections = skills.flatMap(({ name, version, layer, description, tools }) => [
    `## ${name}`,
    `${description} Version ${version}, layer ${layer}; more in [its README](../skills/${name}/README.md).`,
    table(
      ['Tool', 'Risk', 'Description'],
      tools.map((tool) => [code(tool.name), tool.risk, tool.description]),
    ),
    ...tools.flatMap((tool) => [`### ${code(tool.name)}`, parameters(tool)]),
    ...vocabularies(tools).flatMap(({ names, constraints }) => [
      `### Constraints of ${names}`,
      constraints ?? 'None: a policy allows or denies it as a whole.',
    ]),
  ])
  return [
    '# Skills',
    'Written from the definitions by `__tests__/skill-docs.test.ts` (`UPDATE_DOCS=1`); `skillgate skills` prints the same. An override of a policy names a tool, or `prefix.*` for all of a skill’s, and may set these constraints.',
    ...sections,
  ]
    .join('\n\n')
    .concat('\n')
}

/** The README with its generated tables: of each action's parameters, and of the constraints where it has such a table. */
export function withTables(readme: string, { tools }: SkillMeta): string {
  const written = tools.reduce(
    (text, tool) => replaceTable(text, `\n### \`${tool.action}\`\n`, 'Parameter', parameters(tool)),
    readme,
  )
  const [vocabulary] = vocabularies(tools)
  return replaceTable(written, '\n## Policy\n', 'Constraint', vocabulary?.constraints)
}

/** The table with this first column, in the section under the heading; what has none stays as it is. */
function replaceTable(text: string, heading: string, column: string, written: string | undefined): string {
  const begin = text.indexOf(heading)
  if (begin < 0) throw new Error(`the README has no section ${heading.trim()}`)
  const next = text.indexOf('\n#', begin + heading.length)
  const end = next < 0 ? text.length : next
  const section = text.slice(begin, end).replace(new RegExp(`^\\| ${column} .*(?:\\n\\|.*)+`, 'm'), () => written ?? '')
  return text.slice(0, begin) + section + text.slice(end)
}

/** Tools that share their constraints stand together. */
function vocabularies(tools: readonly ToolMeta[]): { names: string; constraints: string | undefined }[] {
  const groups = new Map<string, ToolMeta[]>()
  for (const tool of tools) {
    const key = JSON.stringify(tool.constraints)
    groups.set(key, [...(groups.get(key) ?? []), tool])
  }
  return [...groups.values()].map((same) => ({
    names:
      same.length === tools.length && same.length > 1 ? 'all of them' : same.map(({ name }) => code(name)).join(', '),
    constraints: same[0]?.constraints ? fields(same[0].constraints as ObjectSchema, 'Constraint') : undefined,
  }))
}

function parameters({ input }: ToolMeta): string {
  const { required = [] } = input as ObjectSchema
  return fields(input as ObjectSchema, 'Parameter', required)
}

function fields({ properties = {} }: ObjectSchema, kind: string, required?: readonly string[]): string {
  const rows = Object.entries(properties).map(([name, field]) => [
    name,
    typeName(field),
    ...(required ? [required.includes(name) ? 'Yes' : 'No'] : []),
    field.default === undefined ? '--' : code(JSON.stringify(field.default)),
    cell(field.description ?? ''),
  ])
  return table([kind, 'Type', ...(required ? ['Required'] : []), 'Default', 'Description'], rows)
}

const typeName = ({ type, enum: words, items, anyOf }: Field): string => {
  if (anyOf) return anyOf.map(typeName).join(' or ')
  if (words) return words.map((word) => code(word)).join(' or ')
  if (type === 'array') return items?.enum ? `(${typeName(items)})[]` : `${items?.type}[]`
  return type ?? 'any'
}

const code = (text: string): string => `\`${text}\``

/** Outside of code, Markdown would read `<64 hex>` as a tag. */
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;')

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column]?.length ?? 0)))
  const line = (cells: readonly string[]) =>
    `| ${cells.map((text, column) => text.padEnd(widths[column] ?? 0)).join(' | ')} |`
  return [line(header), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n')
}
