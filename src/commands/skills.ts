/** `skillgate skills`: what is registered, how risky each tool is, and what a policy can say about it. */
import type { ToolMeta } from '../core/skill.js'
import type { Command } from './command.js'
import { INSTALLED_SKILLS } from './installed-skills.js'

export const skills: Command = {
  name: 'skills',
  summary: 'list the skills, the risk of their tools, and what policies can say about them',
  help: `Options of skills:
  --json           the whole definitions, with JSON Schemas of input and constraints
`,
  options: { json: { type: 'boolean' } },
  async run({ values }) {
    const metas = INSTALLED_SKILLS.map(({ meta }) => meta)
    process.stdout.write(
      values.json ? `${JSON.stringify({ skills: metas }, undefined, 2)}\n` : metas.map(skillText).join('\n'),
    )
  },
}

function skillText({ name, version, description, tools }: (typeof INSTALLED_SKILLS)[number]['meta']): string {
  const width = Math.max(...tools.map((tool) => tool.name.length))
  const rows = tools.map((tool) => `  ${tool.name.padEnd(width)}  ${tool.risk.padEnd(7)}  ${tool.description}`)
  const vocabulary = [...new Set(tools.map(constraintsText))].map((text) => `  policy: ${text}`)
  return `${[`${name} ${version}: ${description}`, ...rows, ...vocabulary].join('\n')}\n`
}

function constraintsText({ constraints }: ToolMeta): string {
  const names = Object.keys((constraints?.properties as object | undefined) ?? {})
  return names.length === 0 ? 'allow or deny, no constraints' : names.join(', ')
}
