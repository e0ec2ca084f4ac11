/** The skills that the commands register. */
import { dockerApi } from '../../skills/docker-api/handler.js'
import { dockerRun } from '../../skills/docker-run/handler.js'
import type { Skill } from '../core/skill.js'

export const INSTALLED_SKILLS: readonly Skill[] = [dockerApi, dockerRun]
