/** The input of docker.run and what a policy can narrow in it. */
import { z } from 'zod'
import { Failure } from '../../src/core/failure.js'
import { parsePinnedImage } from '../../src/core/image.js'

export const MAX_IMAGES = 256
export const MAX_MOUNT_ROOTS = 32
export const MAX_ENV_NAMES = 256
const MIB = 1024 * 1024
const NO_NUL = /^[^\0]*$/

/** A pinned reference in normal form; the parser's own words are the error. */
const Image = z
  .string()
  .transform((value, context) => {
    try {
      return parsePinnedImage(value).reference
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      context.addIssue({
        code: 'custom',
        message: error.message.replace(/^image .*? is not usable: /, '').replace(/\. Send .*/, ''),
      })
      return z.NEVER
    }
  })
  .pipe(z.string()) // a transform alone has no JSON Schema

const Word = z
  .string()
  .max(128 * 1024)
  .regex(NO_NUL, 'it must not hold a NUL character')

const Words = z
  .array(Word)
  .max(256)
  .refine(
    (words) => words.reduce((total, word) => total + Buffer.byteLength(word), 0) <= 128 * 1024,
    'it must be at most 128 KiB in all',
  )

const AbsolutePath = z
  .string()
  .max(4096)
  .regex(/^\/[^\0:,]*$/, 'it must be an absolute path without NUL, colon or comma')
  .refine((path) => !path.split('/').includes('..'), 'it must not contain ..')

const EnvName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'a name is letters, digits and underscores')

const Mount = z.strictObject({
  source: AbsolutePath.describe('Directory or file on the engine host'),
  target: AbsolutePath.describe('Where it appears in the container'),
  read_only: z.boolean().default(true).describe('Whether the container may only read it'),
})

export const RunInput = z.strictObject({
  image: Image.describe('Image pinned by digest (repository@sha256:<64 hex>), or a local image id (sha256:<64 hex>)'),
  cmd: Words.default([]).describe(
    "Arguments for the program, at most 256 and 128 KiB in all; empty for the image's own",
  ),
  entrypoint: Words.min(1).optional().describe("Program to run instead of the image's own"),
  env: z
    .record(
      EnvName,
      z
        .string()
        .max(32 * 1024)
        .regex(NO_NUL, 'it must not hold a NUL character'),
    )
    .refine((env) => Object.keys(env).length <= 64, 'it must hold at most 64 variables')
    .default({})
    .describe('Environment variables, at most 64'),
  stdin: z
    .string()
    .refine((text) => Buffer.byteLength(text) <= MIB, 'it must be at most 1 MiB')
    .optional()
    .describe('Text for standard input, at most 1 MiB'),
  timeout_ms: z
    .int()
    .min(100)
    .max(600_000)
    .default(30_000)
    .describe('Milliseconds until the program is killed (100-600000)'),
  memory_mb: z.int().min(6).max(4096).default(256).describe('Memory limit in MiB (6-4096)'),
  cpus: z.number().min(0.1).max(16).default(1).describe('Processor cores (0.1-16)'),
  network: z.boolean().default(false).describe('Whether the program may use the network'),
  mounts: z.array(Mount).max(16).default([]).describe('Host directories to mount, at most 16'),
  workdir: AbsolutePath.optional().describe('Working directory in the container'),
})
export type RunInput = z.infer<typeof RunInput>

export const Constraints = z.strictObject({
  images: z
    .array(Image.describe('Pinned image: repository@sha256:<64 hex>, or a local image id, sha256:<64 hex>'))
    .max(MAX_IMAGES)
    .default([])
    .describe('Pinned images that may run; none when empty'),
  require_signature: z
    .boolean()
    .default(false)
    .describe('Whether the image must be that of a registered skill whose signature verifies'),
  network_allowed: z.boolean().default(false).describe('Whether params may ask for the network'),
  mounts_allowed: z
    .boolean()
    .default(false)
    .describe('Whether params may mount; each source must be one of mount_roots'),
  mount_roots: z
    .array(AbsolutePath)
    .max(MAX_MOUNT_ROOTS)
    .default([])
    .describe('Host directories that may be mounted, each as it stands here'),
  cmd_allowed: z.boolean().default(true).describe('Whether params may set cmd'),
  cmd: Words.optional().describe('The one cmd allowed'),
  entrypoint_allowed: z.boolean().default(true).describe('Whether params may set entrypoint'),
  entrypoint: Words.optional().describe('The one entrypoint allowed'),
  env: z
    .array(EnvName)
    .max(MAX_ENV_NAMES)
    .optional()
    .describe('The environment variables allowed; when absent, all but loader and proxy variables'),
  max_memory_mb: z.int().min(6).max(4096).optional().describe('The most memory_mb allowed'),
  max_cpus: z.number().min(0.1).max(16).optional().describe('The most cpus allowed'),
  max_pids: z.int().min(1).max(4096).default(128).describe('Processes and threads the program may have at a time'),
  max_timeout_ms: z.int().min(100).max(600_000).optional().describe('The most timeout_ms allowed'),
  max_output_bytes: z
    .int()
    .min(1024)
    .max(256 * MIB)
    .default(16 * MIB)
    .describe('Output at which the program is killed'),
})
export type Constraints = z.infer<typeof Constraints>
