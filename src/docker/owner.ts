/** Who made a container: this process, and whether one that made another is known to be gone. */
import { randomBytes } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'

/** `<boot>.<pid namespace>.<pid>.<start of the process>.<instance>`; what is unknown is `-`. */
export function createOwner(): string {
  return [...processFacts(), randomBytes(8).toString('hex')].join('.')
}

/**
 * True when the process is surely no more: it was of this boot and this pid namespace, and its number is free or another's.
 * Of other machines nothing is known.
 */
export function isGone(owner: string): boolean {
  const [boot, namespace, pid = '', started] = owner.split('.')
  const [ownBoot, ownNamespace] = processFacts()
  if (boot === '-' || boot !== ownBoot || namespace === '-' || namespace !== ownNamespace) return false
  if (!/^[0-9]{1,10}$/.test(pid) || started === '-') return false
  if (!isRunning(Number(pid))) return true
  // The number may be another's by now; what may not be read says nothing.
  const startedThen = startOf(pid)
  return startedThen !== '-' && startedThen !== started
}

/** A process of another user's is there all the same: only an unknown number is nobody's. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH')
  }
}

function processFacts(): string[] {
  const boot = attempt(() =>
    readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')
      .replaceAll(/[^0-9a-f]/g, '')
      .slice(0, 16),
  )
  const namespace = attempt(() => readlinkSync('/proc/self/ns/pid').replaceAll(/[^0-9]/g, ''))
  return [boot, namespace, String(process.pid), startOf(String(process.pid))]
}

/** Clock ticks from boot to the start of the process; the name in between may hold anything, so it is skipped whole. */
function startOf(pid: string): string {
  return attempt(() => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '-'
  })
}

function attempt(read: () => string): string {
  try {
    return read() || '-'
  } catch {
    return '-'
  }
}
