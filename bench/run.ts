/** docker.run of /bin/true against `docker run` with the same flags, and where its time goes. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { createDockerProvider } from 'skillgate/docker'
import { execute } from 'skillgate/skills/docker-run'
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
  const flags = [
    'run',
    '--rm',
    '--network=none',
    '--read-only',
    '--cap-drop=ALL',
    '--security-opt=no-new-privileges',
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
  await providerClient.close()
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
}
