/** Writes a tar archive whose bytes depend on nothing but its entries: no clock, no owner, no order of a directory. */

export type TarEntry =
  | { path: string; mode?: number; content: Uint8Array | string }
  | { path: string; mode?: number; directory: true }
  | { path: string; link: string }
  /** A character device; a layer may bring one, and a test asks what becomes of it. */
  | { path: string; mode?: number; device: [major: number, minor: number] }

const BLOCK = 512

function header(
  path: string,
  mode: number,
  size: number,
  type: string,
  { link = '', device }: { link?: string; device?: [number, number] } = {},
): Buffer {
  if (Buffer.byteLength(path) > 100 || Buffer.byteLength(link) > 100) {
    throw new Error(`tar: '${path}' is longer than the 100 bytes that a plain header holds; shorten the path`)
  }
  const block = Buffer.alloc(BLOCK)
  const octal = (value: number, offset: number, length: number) =>
    block.write(`${value.toString(8).padStart(length - 1, '0')}\0`, offset, 'latin1')
  block.write(path, 0, 'utf8')
  octal(mode, 100, 8)
  octal(0, 108, 8)
  octal(0, 116, 8)
  octal(size, 124, 12)
  octal(0, 136, 12)
  block.fill(' ', 148, 156)
  block.write(type, 156, 'latin1')
  block.write(link, 157, 'utf8')
  block.write('ustar\x0000', 257, 'latin1')
  if (device) {
    octal(device[0], 329, 8)
    octal(device[1], 337, 8)
  }
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return block
}

/** The archive of `entries`, in their order. */
export function tar(entries: readonly TarEntry[]): Buffer {
  const blocks: Buffer[] = []
  for (const entry of entries) {
    if ('link' in entry) {
      blocks.push(header(entry.path, 0o777, 0, '2', { link: entry.link }))
    } else if ('device' in entry) {
      blocks.push(header(entry.path, entry.mode ?? 0o644, 0, '3', { device: entry.device }))
    } else if ('directory' in entry) {
      blocks.push(header(`${entry.path}/`, entry.mode ?? 0o755, 0, '5'))
    } else {
      const content = Buffer.from(entry.content as Uint8Array)
      const padding = Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK)
      blocks.push(header(entry.path, entry.mode ?? 0o644, content.length, '0'), content, padding)
    }
  }
  return Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)])
}
