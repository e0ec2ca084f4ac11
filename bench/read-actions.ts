/** docker-api's read actions through the Engine provider, against a bare undici request to the same route and dockerode. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import Dockerode from 'dockerode'
import { createDockerProvider } from 'skillgate/docker'
import { execute } from 'skillgate/skills/docker-api'
import { Pool } from 'undici'
import { type Contender, measure, ms, printTable, ratio } from './measure.js'

const exec = promisify(execFile)
const CONTAINERS = 120

interface Case {
  action: string
  params: Record<string, unknown>
  /** The Engine's route, as a bare client would call it. */
  route: string
  dockerode(docker: Dockerode): Promise<unknown>
}

export async function benchReadActions(host: string, image: string, rounds: number): Promise<void> {
  const socketPath = host.replace('unix://', '')
  const bare = new Pool('http://localhost', { socketPath, connections: 4 })
  const docker = new Dockerode({ socketPath })
  const providerClient = createDockerProvider({ host })
  const ids = await populate(docker, image)
  const id = ids[0] ?? ''
  const cases: Case[] = [
    {
      action: 'list_containers',
      params: { all: true, limit: 100 },
      route: '/v1.41/containers/json?all=true&limit=100',
      dockerode: (client) => client.listContainers({ all: true, limit: 100 }),
    },
    {
      action: 'get_container',
      params: { containerId: id },
      route: `/v1.41/containers/${id}/json`,
      dockerode: (client) => client.getContainer(id).inspect(),
    },
    { action: 'list_images', params: {}, route: '/v1.41/images/json', dockerode: (client) => client.listImages() },
    {
      action: 'get_logs',
      params: { containerId: id, tail: 100 },
      route: `/v1.41/containers/${id}/logs?stdout=1&stderr=1&tail=100&timestamps=1`,
      dockerode: (client) =>
        client.getContainer(id).logs({ stdout: true, stderr: true, tail: 100, timestamps: true, follow: false }),
    },
  ]
  const act = async (action: string, params: Record<string, unknown>, client = providerClient): Promise<void> => {
    const { result, metadata } = await execute({ action, ...params }, { providerClient: client })
    if (!metadata.success) throw new Error(result)
  }
  const request = async (path: string): Promise<unknown> => {
    const { statusCode, body } = await bare.request({ path, method: 'GET' })
    if (statusCode !== 200) throw new Error(`${path}: ${statusCode}`)
    return path.includes('/logs') ? body.arrayBuffer() : body.json()
  }

  try {
    const rows: string[][] = []
    for (const { action, params, route, dockerode } of cases) {
      const contenders: Contender[] = [
        { name: 'bare undici', run: () => request(route) },
        { name: 'dockerode', run: () => dockerode(docker) },
        { name: 'skillgate', run: () => act(action, params) },
      ]
      const [undici, peer, ours] = await measure(contenders, { rounds, warmupMs: 3_000 })
      if (undici === undefined || peer === undefined || ours === undefined) continue
      rows.push([
        action,
        ms(undici.p50),
        ms(peer.p50),
        ms(ours.p50),
        ratio(ours.p50 / undici.p50),
        ratio(ours.p50 / peer.p50),
      ])
    }
    printTable(
      `docker-api read actions, ${CONTAINERS} containers, p50 of ${rounds} calls in random order, after 3 s of warm-up`,
      ['action', 'bare undici', 'dockerode', 'skillgate', 'to undici', 'to dockerode'],
      rows,
    )

    const fresh = async () => {
      const provider = createDockerProvider({ host })
      await act('container_stats', { containerId: id }, provider)
      await provider.close()
    }
    const stats = await measure(
      [
        { name: 'docker stats --no-stream', run: () => exec('docker', ['-H', host, 'stats', '--no-stream', id]) },
        { name: 'container_stats, seen within 10 s', run: () => act('container_stats', { containerId: id }) },
        { name: 'container_stats, never seen before', run: fresh },
      ],
      // An engine that was asked within the last second makes the next one wait: nobody is to pay for the one before.
      { rounds: 8, restMs: 1_100 },
    )
    const peer = stats[0]?.p50 ?? Number.NaN
    printTable(
      'container_stats, p50 of 8 rounds',
      ['', 'p50', 'ratio'],
      stats.map(({ name, p50 }) => [name, ms(p50), ratio(p50 / peer)]),
    )
  } finally {
    await Promise.all(ids.map((container) => docker.getContainer(container).remove({ force: true })))
    await providerClient.close()
    await bare.close()
  }
}

/** 120 containers, ten of them running; the first prints 200 lines and keeps running. */
async function populate(docker: Dockerode, image: string): Promise<string[]> {
  const ids: string[] = []
  for (let index = 0; index < CONTAINERS; index++) {
    const Cmd = [
      'sh',
      '-c',
      'i=0; while [ $i -lt 200 ]; do echo "line $i of the log of a program"; i=$((i+1)); done; exec sleep 3600',
    ]
    const container = await docker.createContainer({
      Image: image,
      Cmd,
      name: `bench-${process.pid}-${index}`,
      Labels: { app: `web-${index}` },
      HostConfig: { NetworkMode: 'none', Init: true },
    })
    if (index < 10) await container.start()
    ids.push(container.id)
  }
  return ids
}
