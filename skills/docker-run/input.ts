/** The input of docker.run and what a policy can narrow in it. */
import { z } from 'zod'
import { PinnedReference, RegistryName, RepositoryName } from '../../src/core/image.js'
import {
  AbsolutePath,
  EnvValue,
  MountSource,
  MountTarget,
  NetworkName,
  POSTURE_DEMANDS,
  PULL_TIMEOUT_MS,
  refuseOverlaps,
  Stdin,
  Word,
} from '../../src/core/run-spec.js'

export const MAX_IMAGES = 256
export const MAX_MOUNT_ROOTS = 32
export const MAX_ENV_NAMES = 256
export const MAX_NETWORKS = 32
const MIB = 1024 * 1024

const Words = z
  .array(Word)
  .max(256)
  .refine(
    (words) => words.reduce((total, word) => total + Buffer.byteLength(word), 0) <= 128 * 1024,
    'it must be at most 128 KiB in all',
  )

const EnvName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'a name is letters, digits and underscores')

const Mount = z.strictObject({
  source: MountSource.describe('Directory or file on the engine host'),
  target: MountTarget.describe('Where it appears in the container'),
  read_only: z.boolean().default(true).describe('Whether the container may only read it'),
})

export const RunInput = z.strictObject({
  image: PinnedReference.describe(
    'Image pinned by digest (repository@sha256:<64 hex>), or a local image id (sha256:<64 hex>)',
  ),
  cmd: Words.default([]).describe(
    "Arguments for the program, at most 256 and 128 KiB in all; empty for the image's own",
  ),
  entrypoint: Words.min(1).optional().describe("Program to run instead of the image's own"),
  env: z
    .record(EnvName, EnvValue)
    .refine((env) => Object.keys(env).length <= 64, 'it must hold at most 64 variables')
    .default({})
    .describe('Environment variables, at most 64'),
  stdin: Stdin.optional().describe('Text for standard input, at most 1 MiB'),
  timeout_ms: z
    .int()
    .min(100)
    .max(600_000)
    .default(30_000)
    .describe('Milliseconds until the program is killed (100-600000)'),
  memory_mb: z.int().min(6).max(4096).default(256).describe('Memory limit in MiB (6-4096)'),
  cpus: z.number().min(0.1).max(16).default(1).describe('Processor cores (0.1-16)'),
  network: z
    .union([z.boolean(), NetworkName])
    .default(false)
    .describe('false: none; true: open; a name: that internal network of the engine'),
  mounts: z
    .array(Mount)
    .max(16)
    .superRefine(refuseOverlaps)
    .default([])
    .describe('Host directories or files to mount, each { source, target, read_only = true }, at most 16'),
  workdir: AbsolutePath.optional().describe('Working directory in the container'),
})
export type RunInput = z.infer<typeof RunInput>

export const Constraints = z.strictObject({
  images: z
    .array(PinnedReference.describe('Pinned image: repository@sha256:<64 hex>, or a local image id, sha256:<64 hex>'))
    .max(MAX_IMAGES)
    .default([])
    .describe('Pinned images that may run; with repositories and registries empty too, none may'),
  repositories: z
    .array(RepositoryName.describe('Repository without tag and digest, such as ghcr.io/acme/tool'))
    .max(MAX_IMAGES)
    .default([])
    .describe('Repositories of which any digest may run, such as ghcr.io/acme/tool'),
  registries: z
    .array(RegistryName.describe('Registry, such as ghcr.io or registry.example:5000'))
    .max(MAX_IMAGES)
    .default([])
    .describe('Registries of which any repository and digest may run, such as ghcr.io'),
  require_posture: z
    .array(z.enum(POSTURE_DEMANDS))
    .max(POSTURE_DEMANDS.length)
    .default([])
    .describe('What the engine itself must be; it is asked before anything is created'),
  require_signature: z
    .boolean()
    .default(false)
    .describe('Whether the image must be that of a registered skill whose signature verifies'),
  pull: z
    .enum(['never', 'if-missing'])
    .default('never')
    .describe('Whether an image that is not on the engine is pulled, by its digest'),
  pull_timeout_ms: z
    .int()
    .min(1000)
    .max(1_800_000)
    .default(PULL_TIMEOUT_MS)
    .describe('Milliseconds a pull may take, beside timeout_ms (1000-1800000)'),
  network_allowed: z.boolean().default(false).describe('Whether params may ask for the open network'),
  networks: z
    .array(NetworkName.describe('Name of a network, as docker network ls prints it'))
    .max(MAX_NETWORKS)
    .default([])
    .describe('Networks of the engine that params may name; each must be internal'),
  mounts_allowed: z
    .boolean()
    .default(false)
    .describe('Whether params may mount; each source must lie in one of mount_roots'),
  writable_mounts_allowed: z.boolean().default(false).describe('Whether params may mount with read_only false'),
  mount_roots: z
    .array(MountSource)
    .max(MAX_MOUNT_ROOTS)
    .default([])
    .describe('Host directories that may be mounted, or what lies in them when the engine is on this machine'),
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
