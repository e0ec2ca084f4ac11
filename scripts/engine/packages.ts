/** Which programs the throwaway engines need, and how Debian brings them. */
import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { progress } from '../progress.js'
import { findBusybox } from './busybox-image.js'
import type { EngineKind } from './throwaway.js'

export interface Packages {
  /** The engines that can be started now. */
  ready: EngineKind[]
  /** Why the others cannot; empty when none is missing. */
  reason: string
}

export interface PackagesOptions {
  /** Whether missing packages may be installed. */
  install: boolean
  kinds?: readonly EngineKind[]
  log?: (line: string) => void
}

const COMMON = [
  { package: 'busybox-static', present: () => findBusybox() !== undefined },
  { package: 'docker-registry', present: () => hasProgram('docker-registry') },
]
const NEEDED: Record<EngineKind, { package: string; present: () => boolean }[]> = {
  docker: [
    { package: 'docker.io', present: () => ['dockerd', 'containerd', 'runc'].every(hasProgram) },
    { package: 'iptables', present: () => hasProgram('iptables') },
    ...COMMON,
  ],
  podman: [
    { package: 'podman', present: () => ['podman', 'conmon'].every(hasProgram) },
    { package: 'runc', present: () => hasProgram('runc') || hasProgram('crun') },
    { package: 'catatonit', present: () => hasProgram('catatonit') },
    { package: 'iptables', present: () => hasProgram('iptables') },
    ...COMMON,
  ],
}
/** What tests on an engine use beside it; an engine without them can still be started. */
const BESIDE = [
  { package: 'gcc', present: () => hasProgram('gcc') },
  { package: 'libc6-dev', present: hasStaticLibrary },
  { package: 'openssh-server', present: () => existsSync('/usr/sbin/sshd') },
]
const POLICY = '/usr/sbin/policy-rc.d'

/** Finds out which engines can be started here and, if allowed, installs the Debian packages that are missing. */
export function ensurePackages({ install, kinds = ['docker', 'podman'], log = progress }: PackagesOptions): Packages {
  const unable = unableReason()
  if (unable) return { ready: [], reason: unable }
  const beside = install ? BESIDE : []
  const missing = missingPackages(kinds, beside)
  if (missing.length === 0) return { ready: [...kinds], reason: '' }
  if (!install) return answer(kinds, `the Debian packages ${missing.join(', ')} are not installed`)
  if (!hasProgram('apt-get'))
    return answer(kinds, `${missing.join(', ')} missing, and only Debian's are installed here`)
  log(`installing the Debian packages ${missing.join(', ')} for the throwaway engines`)
  const failure = installPackages(missing, log)
  log(failure ?? 'installed')
  return answer(kinds, failure ?? `still missing after the installation: ${missingPackages(kinds).join(', ')}`)
}

function unableReason(): string | undefined {
  if (process.platform !== 'linux') return `throwaway engines need Linux, this is ${process.platform}`
  if (process.getuid?.() !== 0) return 'throwaway engines need root'
  if (!hasProgram('unshare') || !hasProgram('nsenter'))
    return "the programs unshare and nsenter (Debian's util-linux) are missing"
  const trial = spawnSync('unshare', ['--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc', 'true'])
  return trial.status === 0 ? undefined : `this machine refuses new namespaces: ${String(trial.stderr).trim()}`
}

function answer(kinds: readonly EngineKind[], reason: string): Packages {
  const ready = kinds.filter((kind) => missingPackages([kind]).length === 0)
  return { ready, reason: ready.length === kinds.length ? '' : reason }
}

function missingPackages(kinds: readonly EngineKind[], beside: typeof BESIDE = []): string[] {
  const needed = [...kinds.flatMap((kind) => NEEDED[kind]), ...beside]
  return [...new Set(needed.filter(({ present }) => !present()).map((one) => one.package))]
}

/** Installs Debian packages without starting what they bring. Answers why it failed, when it did. */
export function installPackages(packages: readonly string[], log: (line: string) => void): string | undefined {
  // Installing an engine must not start one: Debian asks this file before it starts a service.
  const ownPolicy = !existsSync(POLICY)
  if (ownPolicy) writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    for (const args of [
      ['update', '-q'],
      ['install', '-q', '-y', '--no-install-recommends', ...packages],
    ]) {
      const { status, stdout, stderr, error } = spawnSync('apt-get', args, {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
        maxBuffer: 64 * 1_024 * 1_024,
        timeout: 600_000,
      })
      if (status !== 0) {
        log(`${stdout}\n${stderr}`.trim().split('\n').slice(-20).join('\n'))
        return `apt-get ${args[0]} failed (${error?.message ?? `exit ${status}`})`
      }
    }
    return undefined
  } finally {
    if (ownPolicy) rmSync(POLICY)
  }
}

function hasStaticLibrary(): boolean {
  const { stdout } = spawnSync('gcc', ['-print-file-name=libc.a'], { encoding: 'utf8' })
  // Where there is none, the bare name comes back.
  return stdout?.startsWith('/') ?? false
}

export function hasProgram(name: string): boolean {
  // A bare machine's PATH may lack the system directories where daemons live.
  const places = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin']
  return places.some((place) => {
    try {
      accessSync(join(place, name), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
