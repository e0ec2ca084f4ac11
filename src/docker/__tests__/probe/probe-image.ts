/** Builds the probe program and the images around it, and gives them to an engine. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { imageArchive, localLayer } from '../../../../scripts/engine/busybox-image.js'
import type { TarEntry } from '../../../../scripts/engine/tar.js'
import { askEngine } from '../../../../scripts/engine.js'

const PLACE = fileURLToPath(new URL('.', import.meta.url))
const SOURCES = readdirSync(PLACE)
  .filter((name) => name.endsWith('.c'))
  .map((name) => join(PLACE, name))

export interface ListedProbe {
  name: string
  /** What it tries, for a reader. */
  tries: string
}

/** The groups of the program, in the order of its own table. */
export const GROUPS = ['files', 'mounts', 'kernel', 'processes', 'network', 'image', 'bombs', 'last'] as const

/** The probes of the program by group, read from its sources. */
export function listProbes(groups: readonly (typeof GROUPS)[number][] = GROUPS): ListedProbe[] {
  const text = SOURCES.map((path) => readFileSync(path, 'utf8')).join('\n')
  const entry = /^ {4}\{"([a-z0-9-]+)",\s+"([^"]+)",\s+\w+\},$/gm
  return groups.flatMap((group) => {
    const [, list] = new RegExp(`\\{"${group}", (\\w+)\\}`).exec(text) ?? []
    const [, inside = ''] = new RegExp(`const struct probe ${list}\\[\\] = \\{([\\s\\S]*?)^\\};`, 'm').exec(text) ?? []
    return [...inside.matchAll(entry)].map(([, name = '', tries = '']) => ({ name, tries }))
  })
}

/** Why the program cannot be built here; undefined when it can. */
export function missingCompiler(): string | undefined {
  const { error, status, stdout } = spawnSync('gcc', ['-print-file-name=libc.a'], { encoding: 'utf8' })
  if (error || status !== 0) return 'there is no gcc (Debian package gcc)'
  return stdout.startsWith('/') ? undefined : 'there is no static C library (Debian package libc6-dev)'
}

export function buildProbe(): Buffer {
  const place = mkdtempSync(join(tmpdir(), 'skillgate-probe-'))
  try {
    const program = join(place, 'probe')
    const flags = ['-std=gnu17', '-O1', '-static', '-Wall', '-Wextra', '-Werror']
    const { status, stderr, error } = spawnSync('gcc', [...flags, '-o', program, ...SOURCES], { encoding: 'utf8' })
    if (status !== 0) throw new Error(`gcc: ${error?.message ?? stderr}`)
    return readFileSync(program)
  } finally {
    rmSync(place, { recursive: true, force: true })
  }
}

const PATH = 'PATH=/bin'
/** Asks for all that an image can ask for. */
const HOSTILE = {
  User: 'root',
  Env: [PATH, 'LD_PRELOAD=/evil.so', 'LD_LIBRARY_PATH=/evil', 'NVIDIA_VISIBLE_DEVICES=all'],
  Volumes: { '/data': {} },
  // Durations are in nanoseconds.
  Healthcheck: { Test: ['CMD', '/bin/touch', '/tmp/healthcheck'], Interval: 50e6, Timeout: 1e9, Retries: 1 },
  StopSignal: 'SIGCONT',
}

/** Milliseconds since the epoch, some thousand years from now. */
export const FAR_DEADLINE = '99999999999999'

/** The images by what is wrong with them. */
const SETTINGS = {
  plain: {},
  hostile: HOSTILE,
  workdirProc: { WorkingDir: '/proc/self/fd/7' },
  workdirDots: { WorkingDir: '/tmp/../proc/self/fd/7' },
  workdirLink: { WorkingDir: '/link-to-descriptor' },
  volumeRoot: { Volumes: { '/': {} } },
  volumeProc: { Volumes: { '/tmp/../proc': {} } },
  volumeLink: { Volumes: { '/link-to-etc': {} } },
  labels: {
    Labels: { 'skillgate.managed': '0', 'skillgate.owner': 'somebody-else', 'skillgate.deadline': FAR_DEADLINE },
  },
  tmpLink: {},
} satisfies Record<string, Record<string, unknown>>

export type ImageKind = keyof typeof SETTINGS

/** Loads all images; answers their ids. */
export async function loadProbeImages(host: string, program: Buffer): Promise<Record<ImageKind, string>> {
  const entries: TarEntry[] = [
    { path: 'bin/probe', mode: 0o755, content: program },
    { path: 'bin/probe-setuid', mode: 0o6755, content: program },
    // /dev/kmsg by another name.
    { path: 'kmsg', mode: 0o666, device: [1, 11] },
    { path: 'link-to-descriptor', link: '/proc/self/fd/7' },
    { path: 'link-to-etc', link: '/etc' },
    { path: 'data', mode: 0o1777, directory: true },
  ]
  const layer = localLayer(entries)
  const linkedLayer = localLayer([...entries, { path: 'tmp', link: '/proc' }])
  const ids: Partial<Record<ImageKind, string>> = {}
  for (const kind of Object.keys(SETTINGS) as ImageKind[]) {
    const settings = { Env: [PATH], ...SETTINGS[kind] }
    const body = imageArchive(kind === 'tmpLink' ? linkedLayer : layer, referenceOf(kind), settings)
    await askEngine(host, 'POST', '/images/load', { headers: { 'content-type': 'application/x-tar' }, body })
    const { Id } = JSON.parse(await askEngine(host, 'GET', `/images/${referenceOf(kind)}/json`)) as { Id: string }
    ids[kind] = Id
  }
  return ids as Record<ImageKind, string>
}

export async function removeProbeImages(host: string): Promise<void> {
  for (const kind of Object.keys(SETTINGS) as ImageKind[])
    await askEngine(host, 'DELETE', `/images/${referenceOf(kind)}?force=1`).catch(() => {})
}

function referenceOf(kind: ImageKind): string {
  return `skillgate-probe:${kind.toLowerCase()}`
}
