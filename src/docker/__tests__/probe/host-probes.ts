/** What only the host can judge: programs that do not want to end, and images that name places they should not. */
import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { askEngine } from '../../../../scripts/engine.js'
import { isFailure } from '../../../core/failure.js'
import type { RequestOptions } from '../../../core/provider.js'
import type { RunOutcome, RunSpec } from '../../../core/run-spec.js'
import { rejection } from '../../../testing/rejection.js'
import { parseLines } from './probe-controls.js'
import { FAR_DEADLINE, type ImageKind, type ListedProbe } from './probe-image.js'

export interface Ground {
  host: string
  images: Record<ImageKind, string>
  /** Runs `cmd` in the image by the provider, as everything is run. */
  run(kind: ImageKind, cmd: string[], over?: Partial<RunSpec>, options?: RequestOptions): Promise<RunOutcome>
}

export interface HostProbe extends ListedProbe {
  /** Throws when the program got its way; answers how it was stopped. */
  attempt(ground: Ground): Promise<string>
}

const sh = (script: string): string[] => ['/bin/sh', '-c', script]
/** What a busy machine may take beyond a deadline of one second, a stop and a removal included. */
const PATIENCE_MS = 6_000

async function endedAtDeadline({ run }: Ground, kind: ImageKind, cmd: string[]): Promise<string> {
  const began = performance.now()
  const outcome = await run(kind, cmd, { timeout_ms: 1_000 })
  assert.deepEqual([outcome.timed_out, outcome.signal], [true, 'SIGKILL'])
  assert.ok(performance.now() - began < PATIENCE_MS, `it took ${performance.now() - began} ms`)
  return 'killed at the deadline'
}

async function endedAtLimit({ run }: Ground, cmd: string[]): Promise<string> {
  const outcome = await run('plain', cmd, { output: { keep_bytes: 1_000, limit_bytes: 1_000_000 } })
  assert.deepEqual([outcome.output.limit_exceeded, outcome.signal], [true, 'SIGKILL'])
  assert.ok(outcome.stdout.length <= 2_000)
  return 'killed at the output limit'
}

/** Not so much as created. */
async function refused({ run }: Ground, kind: ImageKind): Promise<string> {
  const error = await rejection(run(kind, ['/bin/probe', 'outside-directory']))
  assert.ok(isFailure(error), String(error))
  assert.equal(error.code, 'INVALID_INPUT', error.message)
  return 'refused before anything is created'
}

/** The image may fail to start; when it starts, the probes in it must all be blocked. */
async function containedOrRefused({ run }: Ground, kind: ImageKind, probes: string[]): Promise<string> {
  let outcome: RunOutcome
  try {
    outcome = await run(kind, ['/bin/probe', ...probes])
  } catch (error) {
    assert.ok(isFailure(error), String(error))
    // An answer of the engine, not its absence, to that very call.
    assert.deepEqual([error.code, error.details?.route], ['UPSTREAM_ERROR', 'POST /containers/{id}/start'])
    assert.equal(typeof error.details?.status, 'number', error.message)
    return 'the engine cannot start it'
  }
  const lines = parseLines(outcome.stdout)
  assert.deepEqual(lines.map(({ name }) => name).sort(), [...probes].sort(), outcome.stderr)
  for (const { name, verdict, detail } of lines) assert.equal(verdict, 'blocked', `${name}: ${detail}`)
  return 'it stays in the container'
}

/** How many processes of this machine have `word` as an argument. */
function processesWith(word: string): number {
  const arguments_ = (pid: string): string[] => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0')
    } catch {
      return []
    }
  }
  return readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && arguments_(pid).includes(word)).length
}

async function orphansEnd({ run }: Ground): Promise<string> {
  // A duration that nobody else sleeps for marks the processes.
  const duration = `${randomInt(30_000, 60_000)}.${randomInt(1_000, 9_999)}`
  const orphan = `trap '' TERM HUP INT; exec setsid sleep ${duration}`
  let seen = 0
  const outcome = await run(
    'plain',
    sh(`(sh -c "${orphan}" &); (${orphan}) & sleep 0.3; echo ready; sleep 0.5`),
    {},
    {
      onOutput: () => {
        seen = processesWith(duration)
      },
    },
  )
  assert.equal(outcome.exit_code, 0, outcome.stderr)
  assert.equal(seen, 2, 'the orphans ran, and this machine sees them')
  assert.equal(processesWith(duration), 0, 'orphans are left')
  return 'ended with the container'
}

/** Processes without end, while the engine must go on answering and other programs must go on running. */
async function stormStays(ground: Ground): Promise<string> {
  const storm = endedAtDeadline(ground, 'plain', ['/bin/probe', 'storm'])
  await delay(500)
  const began = performance.now()
  await askEngine(ground.host, 'GET', '/_ping', { timeoutMs: 2_000 })
  const answered = performance.now() - began
  const other = await ground.run('plain', ['/bin/probe', 'nothing'])
  assert.equal(other.exit_code, 0)
  assert.ok(answered < 1_000, `the engine took ${answered} ms to answer`)
  await storm
  assert.equal(processesWith('storm'), 0)
  return 'killed at the deadline; the engine and another run went on'
}

async function outOfMemory({ run }: Ground): Promise<string> {
  const outcome = await run('plain', sh('dd if=/dev/zero of=/dev/null bs=400M count=1'))
  assert.deepEqual([outcome.oom_killed, outcome.timed_out], [true, false], outcome.stderr)
  assert.notEqual(outcome.exit_code, 0)
  return 'ended by its memory limit'
}

async function foreignLabels({ host, images, run }: Ground): Promise<string> {
  const controller = new AbortController()
  const filters = encodeURIComponent(JSON.stringify({ ancestor: [images.labels] }))
  // All of them: a program may print before the engine lists its container as running.
  let listing: Promise<string> | undefined
  const error = await rejection(
    run(
      'labels',
      sh('echo ready; sleep 10'),
      {},
      {
        signal: controller.signal,
        onOutput() {
          listing ??= askEngine(host, 'GET', `/containers/json?all=1&filters=${filters}`).finally(() =>
            controller.abort(),
          )
        },
      },
    ),
  )
  assert.ok(isFailure(error), String(error))
  if (error.code === 'INVALID_INPUT') return 'refused before anything is created'
  assert.equal(error.code, 'ABORTED', error.message)
  const [found] = JSON.parse((await listing) ?? '[]') as { Labels: Record<string, string> }[]
  assert.match(found?.Labels['skillgate.mac'] ?? '', /^[0-9a-f]{64}$/)
  assert.notEqual(found?.Labels['skillgate.owner'], 'somebody-else')
  assert.notEqual(found?.Labels['skillgate.deadline'], FAR_DEADLINE)
  return "the host's own labels stand"
}

const CONTAINED = ['write-proc-sys', 'write-disk', 'write-host-file', 'outside-directory', 'exec-tmp']

export const HOST_PROBES: readonly HostProbe[] = [
  {
    name: 'spin-on',
    tries: 'Compute without end',
    attempt: (ground) => endedAtDeadline(ground, 'plain', sh('while :; do :; done')),
  },
  {
    name: 'ignore-signals',
    tries: 'Ignore SIGTERM, in an image that names another stop signal',
    attempt: (ground) => endedAtDeadline(ground, 'hostile', sh("trap '' TERM INT HUP QUIT; while :; do sleep 1; done")),
  },
  {
    name: 'stop-itself',
    tries: 'Stop itself (SIGSTOP) and never go on',
    attempt: (ground) => endedAtDeadline(ground, 'plain', sh('kill -STOP $$')),
  },
  { name: 'fork-storm', tries: 'Start processes without end, whatever is refused', attempt: stormStays },
  { name: 'orphans', tries: 'Leave processes behind by a double fork, in sessions of their own', attempt: orphansEnd },
  { name: 'out-of-memory', tries: 'Use more memory than the limit with the main program', attempt: outOfMemory },
  { name: 'log-bomb', tries: 'Print lines without end', attempt: (ground) => endedAtLimit(ground, sh('yes')) },
  {
    name: 'line-bomb',
    tries: 'Print one line without end, of zero bytes',
    attempt: (ground) => endedAtLimit(ground, sh('cat /dev/zero')),
  },
  {
    name: 'image-workdir-proc',
    tries: 'WORKDIR /proc/self/fd/7, a directory that the runtime left open',
    attempt: (ground) => refused(ground, 'workdirProc'),
  },
  {
    name: 'image-workdir-dots',
    tries: 'The same by way of /tmp/..',
    attempt: (ground) => refused(ground, 'workdirDots'),
  },
  {
    name: 'image-workdir-link',
    tries: 'The same by a link in the image',
    attempt: (ground) => containedOrRefused(ground, 'workdirLink', CONTAINED),
  },
  { name: 'image-volume-root', tries: 'VOLUME /', attempt: (ground) => refused(ground, 'volumeRoot') },
  { name: 'image-volume-proc', tries: 'VOLUME /tmp/../proc', attempt: (ground) => refused(ground, 'volumeProc') },
  {
    name: 'image-volume-link',
    tries: 'VOLUME on a link to /etc',
    attempt: (ground) => containedOrRefused(ground, 'volumeLink', CONTAINED),
  },
  {
    name: 'image-tmp-link',
    tries: '/tmp as a link to /proc, for the tmpfs to be laid there',
    attempt: (ground) => containedOrRefused(ground, 'tmpLink', CONTAINED),
  },
  { name: 'image-labels', tries: "LABEL with another host's marks and deadline", attempt: foreignLabels },
]
