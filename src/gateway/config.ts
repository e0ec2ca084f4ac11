/** What a gateway lets each key do: the configuration document, parsed strictly. */
import { z } from 'zod'
import { Failure } from '../core/failure.js'
import { parseInput } from '../core/input.js'
import { L1_ROUTE_NAMES } from '../core/l1-request.js'
import { AbsolutePath, plainPath } from '../core/run-spec.js'

const Globs = z.array(z.string().min(1).max(300)).min(1).max(256)

const Runs = z.strictObject({
  images: Globs.describe('Pinned references that may run, * and ? allowed, such as ghcr.io/acme/tool@sha256:*'),
  network: z.enum(['none', 'internal', 'open']).default('none').describe('none, or the most that a run may ask for'),
  mount_roots: z
    .array(AbsolutePath.transform(plainPath))
    .max(64)
    .default([])
    .describe(
      'Directories on the gateway’s engine in which what is mounted must lie; a mount must name one as its root',
    ),
  writable_mounts: z.boolean().default(false).describe('Whether mounts may be writable'),
  max_memory_mb: z.int().min(6).default(4_096).describe('The most memory_mb of a run'),
  max_cpus: z.number().min(0.1).default(16).describe('The most cpus of a run'),
  max_pids: z.int().min(1).default(4_096).describe('The most pids of a run'),
  max_timeout_ms: z.int().min(100).default(600_000).describe('The most timeout_ms of a run'),
  max_output_bytes: z
    .int()
    .min(1)
    .default(256 * 1024 * 1024)
    .describe('The most output.limit_bytes of a run'),
})

/** A gateway keeps no container for a successor of its caller, so there is nothing to collect. */
export const GATEWAY_ROUTES = L1_ROUTE_NAMES.filter((route) => route !== 'POST /containers/run/collect')

const Key = z
  .strictObject({
    name: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/, 'it must be 1 to 64 letters, digits, _ . and -')
      .describe('Stands for the key in the request log'),
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/, 'it must be 64 lower-case hexadecimal digits')
      .describe('SHA-256 of the key'),
    routes: z
      .array(z.enum(GATEWAY_ROUTES))
      .min(1)
      .describe(`Of: ${GATEWAY_ROUTES.join(', ')}`),
    containers: Globs.optional().describe(
      'Names or ids of containers, * and ? allowed; judged on the container that an id resolves to. Absent: all',
    ),
    requests_per_minute: z.int().min(1).max(1_000_000).default(600).describe('More are answered with 429'),
    runs: Runs.optional().describe('What POST /containers/run may ask for; needed with that route, and only with it'),
  })
  .refine(({ routes, runs }) => routes.includes('POST /containers/run') === (runs !== undefined), {
    message: 'runs and the route POST /containers/run need each other',
    path: ['runs'],
  })

const Config = z.strictObject({
  keys: z
    .array(Key)
    .min(1)
    .max(1_000)
    .refine((keys) => isUnique(keys.map(({ name }) => name)), 'two keys have the same name')
    .refine((keys) => isUnique(keys.map(({ sha256 }) => sha256)), 'two keys have the same sha256'),
})

const isUnique = (values: readonly string[]): boolean => new Set(values).size === values.length

/** What `createGatewayApp` is given, defaults included. */
export type GatewayConfig = z.infer<typeof Config>
/** The document as it may be written: what has a default may be left out. */
export type GatewayConfigInput = z.input<typeof Config>
export type GatewayKey = GatewayConfig['keys'][number]
export type RunLimits = z.infer<typeof Runs>

/** Parses the document. Throws INVALID_INPUT naming the field. */
export const parseGatewayConfig = (document: unknown): GatewayConfig => parseInput(Config, document, 'config')

/** Parses the document's JSON. Throws INVALID_INPUT. */
export function readGatewayConfig(text: string): GatewayConfig {
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch {
    throw new Failure('INVALID_INPUT', 'The gateway configuration is not JSON. See docs/gateway.md for its form.')
  }
  return parseGatewayConfig(document)
}
