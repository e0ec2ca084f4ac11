/** docker-run: one tool, `docker.run`, that runs one pinned image in a hardened container and returns what it printed. */
import { Failure, isFailure } from '../../src/core/failure.js'
import type { RunOutcome, RunSpec } from '../../src/core/run-spec.js'
import { type ActionAnswer, action, defineSkill, type SkillContext } from '../../src/core/skill.js'
import { Constraints, RunInput } from './input.js'
import { direct, judge, rootOf } from './judge.js'

const KEEP_BYTES = 1024 * 1024
/** The provider gets this much more than the program: to kill it, read what it printed and remove the container. */
const ENDING_MS = 10_000

const run = action({
  description: 'Run a program in a hardened container from an image pinned by digest, and return its output.',
  risk: 'write',
  input: RunInput,
  constraints: Constraints,
  judge,
  timing: ({ timeout_ms }, constraints) => ({
    deadlineMs: timeout_ms + ENDING_MS + (constraints?.pull === 'if-missing' ? constraints.pull_timeout_ms : 0),
    abortGraceMs: ENDING_MS,
  }),
  async run(input, { request, constraints, isSigned }) {
    const narrowed = constraints ?? direct(input, Constraints.parse({}))
    const objection = judge(input, narrowed)
    if (objection !== undefined) throw new Failure('DENIED', `${objection.reason}.`)
    if (narrowed.require_signature) await assertSigned(input.image, isSigned)
    const answer = (await request('POST', '/containers/run', toSpec(input, narrowed))) as RunAnswer | null
    const ended = judgeEnd(answer, input)
    if (isFailure(ended)) throw ended
    return ended
  },
  async recover(input, { request, constraints, runId }) {
    // What may have run is not judged again: whether it was allowed was decided before its start.
    const spec = toSpec(input, constraints ?? Constraints.parse({}))
    const body = { run_id: runId, spec }
    let answer: RunAnswer | null
    try {
      answer = (await request('POST', '/containers/run/collect', body)) as RunAnswer | null
    } catch (error) {
      // Ended by the host's own abort, with what it did until then.
      if (isFailure(error) && error.partial !== undefined) return error
      throw error
    }
    if (answer?.run !== null) return judgeEnd(answer, input)
    if (answer.started !== true) return 'not_started'
    throw new Failure(
      'UPSTREAM_ERROR',
      'The program was started, and its container was removed before anybody recorded how it ended. Look at what it did before you ask again.',
      { retriable: false, details: { may_have_run: true } },
    )
  },
})

/** The action's answer or the failure that the program ended with. Throws when the provider's answer is none. */
function judgeEnd(answer: RunAnswer | null, input: RunInput): ActionAnswer | Failure {
  const outcome = answer?.run
  if (typeof outcome !== 'object' || outcome === null || typeof outcome.stdout !== 'string') {
    throw new Failure(
      'UPSTREAM_ERROR',
      "The provider's answer holds no run. Check that the client speaks POST /containers/run of the L1 protocol.",
      { retriable: false },
    )
  }
  const { warnings = [] } = answer ?? {}
  return (
    failureOf(outcome, input, warnings) ?? {
      text: [summary(outcome), ...warnings, '', outputText(outcome)].join('\n'),
      data: dataOf(outcome, warnings),
    }
  )
}

/** What the policy's `require_signature` means. */
async function assertSigned(image: string, isSigned: SkillContext['isSigned']): Promise<void> {
  if (isSigned === undefined) {
    throw new Failure(
      'SIGNATURE_INVALID',
      'require_signature needs a gate, which knows the registered skills and their keys, and this call came without one. Call docker.run through createGate({ publicKeys, … }).',
    )
  }
  if ((await isSigned(image)) === true) return
  throw new Failure(
    'SIGNATURE_INVALID',
    `image ${image} is not that of a registered skill whose signature verifies, and the policy requires one. Register it with signature and public_key_id (POST /v1/skills) for a key that the host configured (publicKeys, PUBLIC_KEYS).`,
    { details: { field: 'image' } },
  )
}

/**
 * `warnings`: what the outcome cannot tell, such as a container that could not be removed. Of a run that is collected,
 * `run` is null when there is nothing of it any more, and `started` says that there was.
 */
interface RunAnswer {
  run?: RunOutcome | null
  started?: boolean
  warnings?: string[]
}

const dataOf = (run: RunOutcome, warnings: string[]): Record<string, unknown> => ({
  run,
  ...(warnings.length > 0 && { warnings }),
})

function toSpec(input: RunInput, constraints: Constraints): RunSpec {
  const { max_pids, max_output_bytes, mount_roots, pull, pull_timeout_ms, require_posture } = constraints
  const { image, cmd, entrypoint, env, stdin, timeout_ms, memory_mb, cpus, network, mounts, workdir } = input
  return {
    image,
    cmd,
    env,
    timeout_ms,
    memory_mb,
    cpus,
    pids: max_pids,
    network: typeof network === 'string' ? { internal: network } : network ? 'open' : 'none',
    mounts: mounts.map((mount) => ({ ...mount, root: rootOf(mount.source, mount_roots) ?? mount.source })),
    ...(pull !== 'never' && { pull, pull_timeout_ms }),
    ...(require_posture.length > 0 && { require_posture }),
    output: { keep_bytes: Math.min(KEEP_BYTES, max_output_bytes), limit_bytes: max_output_bytes },
    ...(entrypoint && { entrypoint }),
    ...(stdin !== undefined && { stdin }),
    ...(workdir !== undefined && { workdir }),
  }
}

/** How the program ended, when that is not a success. Its output so far goes along. */
function failureOf(outcome: RunOutcome, { timeout_ms }: RunInput, warnings: string[]): Failure | undefined {
  const partial = { text: [...warnings, outputText(outcome)].join('\n'), data: dataOf(outcome, warnings) }
  const { exit_code, output } = outcome
  if (outcome.timed_out) {
    return new Failure(
      'TIMEOUT',
      `The program was killed after ${timeout_ms} ms. Raise timeout_ms, or ask it for less.`,
      { details: { timeout_ms }, partial },
    )
  }
  if (output.limit_exceeded) {
    return new Failure(
      'OUTPUT_LIMIT',
      `The program was killed after printing ${output.bytes_total} bytes. Ask it for less output.`,
      { partial },
    )
  }
  if (exit_code === 0) return undefined
  if (exit_code === null)
    return new Failure('UPSTREAM_ERROR', 'The engine could not tell how the program ended.', {
      retriable: false,
      partial,
    })
  const memory = outcome.oom_killed ? ' The engine reports that it ran out of memory.' : ''
  return new Failure('EXIT_NONZERO', `The program exited with code ${exit_code}.${memory} See metadata.run.stderr.`, {
    details: { exit_code },
    partial,
  })
}

const summary = ({ exit_code, duration_ms, output }: RunOutcome): string =>
  `Exit code ${exit_code} after ${duration_ms} ms${output.truncated ? ` (${output.bytes_kept} of ${output.bytes_total} bytes of output kept)` : ''}`

function outputText({ stdout, stderr }: RunOutcome): string {
  const streams = [
    ['stdout', stdout],
    ['stderr', stderr],
  ].filter(([, text]) => text !== '')
  return streams.length === 0 ? '(no output)' : streams.map(([name, text]) => `${name}:\n${text}`).join('\n')
}

/** The skill as a value, for `createGate({ skills: [dockerRun] })`. Source: the document "Docker skill example". */
export const dockerRun = defineSkill({
  name: 'docker-run',
  version: '1.0.0',
  description: 'Run a program in a hardened Docker container from an image pinned by digest.',
  layer: 'L1',
  system: 'Docker',
  toolPrefix: 'docker',
  codes: [
    'EXIT_NONZERO',
    'OUTPUT_LIMIT',
    'IMAGE_NOT_FOUND',
    'PLATFORM_MISMATCH',
    'SIGNATURE_INVALID',
    'POSTURE_MISMATCH',
    'ENGINE_UNSUITABLE',
    'ABORTED',
  ],
  actions: { run },
})

/**
 * Runs the one action (`action` may be left out), checks its input without effects, and describes it.
 *
 * @example
 * ```ts
 * import { createDockerProvider } from 'skillgate/docker'
 * import { execute } from 'skillgate/skills/docker-run'
 *
 * const { metadata } = await execute(
 *   { image: `busybox@sha256:${'0'.repeat(64)}`, cmd: ['echo', 'hello'] },
 *   { providerClient: createDockerProvider() },
 * )
 * ```
 */
export const { meta, validate, execute } = dockerRun
