/** Podman takes a seccomp profile as the path of a file on its own machine, which it reads with each create. */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SeccompProfile } from './seccomp.js'

export interface SeccompFiles {
  /** The path of a file with this profile, written once. */
  path(profile: SeccompProfile): Promise<string>
  remove(): Promise<void>
}

/** Files in a directory that only this user can write to; the engine may be another one, and reads it. */
export function createSeccompFiles(): SeccompFiles {
  let directory: Promise<string> | undefined
  const written = new Map<string, Promise<string>>()

  async function make(): Promise<string> {
    const made = await mkdtemp(join(tmpdir(), 'skillgate-seccomp-'))
    await chmod(made, 0o755)
    return made
  }

  async function write({ json, sha256 }: SeccompProfile): Promise<string> {
    directory ??= make()
    const path = join(await directory, `${sha256}.json`)
    await writeFile(path, json, { flag: 'wx' })
    // The umask has no say: the engine may be another user.
    await chmod(path, 0o644)
    return path
  }

  return {
    path(profile) {
      const known = written.get(profile.sha256)
      if (known !== undefined) return known
      const writing = write(profile)
      written.set(profile.sha256, writing)
      // A disk that was full may have room next time.
      writing.catch(() => {
        written.delete(profile.sha256)
        directory = undefined
      })
      return writing
    },
    async remove() {
      if (directory !== undefined) await rm(await directory, { recursive: true, force: true })
    },
  }
}
