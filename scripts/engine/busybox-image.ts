/** Builds the test image: a static busybox with its applets, as an archive that `POST /images/load` takes. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { type TarEntry, tar } from './tar.js'

const EPOCH = '1970-01-01T00:00:00Z'
const PROGRAM_HEADER_INTERPRETER = 3

/** The statically linked busybox of this machine: any other cannot run in an image that holds nothing else. */
export function findBusybox(): string | undefined {
  return ['/bin/busybox', '/usr/bin/busybox'].find((path) => existsSync(path) && isStatic(readFileSync(path)))
}

function isStatic(elf: Buffer): boolean {
  const is64BitLittleEndian = elf.subarray(0, 6).equals(Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1]))
  if (!is64BitLittleEndian) return false
  const table = Number(elf.readBigUInt64LE(32))
  const [size, count] = [elf.readUInt16LE(54), elf.readUInt16LE(56)]
  const types = Array.from({ length: count }, (_, index) => elf.readUInt32LE(table + index * size))
  return !types.includes(PROGRAM_HEADER_INTERPRETER)
}

/** The image's only layer; `more` are entries beside busybox and its applets. */
export function busyboxLayer(busybox: Uint8Array, applets: readonly string[], more: readonly TarEntry[] = []): Buffer {
  const directories = ['bin', 'dev', 'etc', 'home', 'proc', 'root', 'sys', 'usr', 'var']
  const entries: TarEntry[] = [
    ...directories.map((path) => ({ path, directory: true }) as const),
    { path: 'tmp', mode: 0o1777, directory: true },
    { path: 'etc/passwd', content: 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' },
    { path: 'etc/group', content: 'root:x:0:\nnogroup:x:65534:\n' },
    { path: 'bin/busybox', mode: 0o755, content: busybox },
    ...[...new Set(applets)]
      .filter((name) => name !== 'busybox')
      .sort()
      .map((name) => ({ path: `bin/${name}`, link: 'busybox' })),
  ]
  // An entry of the caller's replaces ours: twice the same path would be written through the first, link or not.
  const replaced = new Set(more.map(({ path }) => path))
  return tar([...entries.filter(({ path }) => !replaced.has(path)), ...more])
}

/**
 * The layer as a loadable image named `reference`; the same busybox gives the same bytes, and so the same digest.
 * `settings` are the image's own wishes (User, Volumes, Labels …), over the usual ones.
 */
export function imageArchive(layer: Uint8Array, reference: string, settings: Record<string, unknown> = {}): Buffer {
  const config = JSON.stringify({
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    created: EPOCH,
    config: {
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
      Cmd: ['/bin/sh', '-c', 'echo Hello from skillgate!'],
      ...settings,
    },
    rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(layer)}`] },
    history: [{ created: EPOCH, created_by: 'skillgate test image' }],
  })
  const configName = `${sha256(config)}.json`
  const manifest = JSON.stringify([{ Config: configName, RepoTags: [reference], Layers: ['layer.tar'] }])
  return tar([
    { path: configName, content: config },
    { path: 'layer.tar', content: layer },
    { path: 'manifest.json', content: manifest },
  ])
}

/** The layer made of this machine's own busybox. */
export function localLayer(more: readonly TarEntry[] = []): Buffer {
  const path = findBusybox()
  if (!path) throw new Error('no statically linked busybox here: install the Debian package busybox-static')
  const applets = execFileSync(path, ['--list'], { encoding: 'utf8' }).trim().split('\n')
  return busyboxLayer(readFileSync(path), applets, more)
}

function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}
