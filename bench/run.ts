/** docker.run of /bin/true against `docker run` with the same flags, and where its time goes. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createDockerProvider } from 'skillgate/docker'
import { execute } from 'skillgate/skills/docker-run'
import { seccompProfile } from '../src/docker/seccomp.js'
import { measure, ms, printTable, quantile, ratio } from './measure.js'

const exec = promisify(execFile)

export async function benchRun(host: string, image: string, rounds: number): Promise<void> {
  const calls = new Map<string, number[]>()
  const providerClient = createDockerProvider({
    host,
    onCall({ method, route, duration_ms }) {
      const name = `${method} ${route}`
      calls.set(name, [...(calls.get(name) ?? []), duration_ms])
    },
  })
  const directory = await mkdtemp(join(tmpdir(), 'skillgate-bench-'))
  const profile = join(directory, 'seccomp.json')
  await writeFile(profile, seccompProfile(process.arch === 'x64' ? 'amd64' : process.arch).json)
  const flags = [
    'run',
    '--rm',
    '--network=none',
    '--read-only',
    '--cap-drop=ALL',
    '--security-opt=no-new-privileges',
    `--security-opt=seccomp=${profile}`,
    '--user=65532:65532',
    '--ipc=none',
    '--cgroupns=private',
    '--pids-limit=128',
    '--memory=256m',
    '--memory-swap=256m',
    '--cpus=1',
    '--ulimit=nofile=1024:1024',
    '--ulimit=core=0:0',
    '--ulimit=fsize=268435456:268435456',
    '--ulimit=memlock=65536:65536',
    '--ulimit=msgqueue=0:0',
    '--tmpfs=/tmp:rw,noexec,nosuid,nodev,size=64m,mode=1777,nr_inodes=16k',
    '--init',
    '--no-healthcheck',
    '--log-driver=local',
    '--log-opt=max-size=1m',
    '--log-opt=max-file=1',
    '--log-opt=compress=false',
  ]
  const skillgate = async () => {
    const { result, metadata } = await execute({ image, cmd: ['/bin/true'] }, { providerClient })
    if (!metadata.success) throw new Error(result)
  }
  const cli = () => exec('docker', ['-H', host, ...flags, image, '/bin/true'])
  await skillgate()
  calls.clear()
  const [ours, theirs] = await measure(
    [
      { name: 'docker.run', run: skillgate },
      { name: 'docker run', run: cli },
    ],
    { rounds },
  )
  if (ours === undefined || theirs === undefined) return
  printTable(
    `docker.run of /bin/true, hardened, ${rounds} rounds`,
    ['', 'p50', 'p95', 'ratio'],
    [
      ['docker run, same flags', ms(theirs.p50), ms(theirs.p95), ''],
      ['skillgate docker.run', ms(ours.p50), ms(ours.p95), ratio(ours.p50 / theirs.p50)],
    ],
  )
  const rows = [...calls].map(([name, samples]) => [
    name,
    (samples.length / (rounds + 1)).toFixed(1),
    ms(quantile(samples, 0.5)),
  ])
  printTable('Where the time of a run goes', ['engine call', 'per run', 'p50'], rows)
  await throughput(skillgate, (at) =>
    // The shell's own loop: as many at a time as asked, each as soon as one has ended.
    exec('sh', ['-c', `seq ${RUNS} | xargs -P ${at} -I{} docker -H "$0" "$@"`, host, ...flags, image, '/bin/true']),
  )
  await providerClient.close()
  await rm(directory, { recursive: true })
}

const RUNS = 24

async function throughput(run: () => Promise<void>, shellLoop: (at: number) => Promise<unknown>): Promise<void> {
  const rows: string[][] = []
  for (const at of [1, 2, 4, 8]) {
    const timed = async (work: () => Promise<unknown>): Promise<number> => {
      const started = performance.now()
      await work()
      return (RUNS * 1000) / (performance.now() - started)
    }
    const theirs = await timed(() => shellLoop(at))
    let left = RUNS
    const worker = async () => {
      while (left-- > 0) await run()
    }
    const ours = await timed(() => Promise.all(Array.from({ length: at }, worker)))
    rows.push([String(at), theirs.toFixed(1), ours.toFixed(1), ratio(ours / theirs)])
  }
  printTable(
    `Throughput of /bin/true, ${RUNS} runs, runs a second`,
    ['at a time', 'docker run, shell loop', 'skillgate docker.run', 'ratio'],
    rows,
  )
}
