/** Every engine route this package can call. What is not here (archive, exec, commit, build, export) cannot be called. */
import { Failure } from '../core/failure.js'
import { CONTAINER_ID } from '../core/l1-request.js'

export const ENGINE_ROUTES = {
  ping: ['GET', '/_ping'],
  version: ['GET', '/version'],
  info: ['GET', '/info'],
  events: ['GET', '/events'],
  containerList: ['GET', '/containers/json'],
  containerInspect: ['GET', '/containers/{id}/json'],
  containerLogs: ['GET', '/containers/{id}/logs'],
  containerStats: ['GET', '/containers/{id}/stats'],
  containerCreate: ['POST', '/containers/create'],
  containerAttach: ['POST', '/containers/{id}/attach'],
  containerStart: ['POST', '/containers/{id}/start'],
  containerStop: ['POST', '/containers/{id}/stop'],
  containerKill: ['POST', '/containers/{id}/kill'],
  containerWait: ['POST', '/containers/{id}/wait'],
  containerRemove: ['DELETE', '/containers/{id}'],
  imageList: ['GET', '/images/json'],
  imageInspect: ['GET', '/images/{image}/json'],
  imagePull: ['POST', '/images/create'],
  networkInspect: ['GET', '/networks/{id}'],
} as const

export type EngineRoute = keyof typeof ENGINE_ROUTES

export interface PathValues {
  id?: string | undefined
  image?: string | undefined
  query?: Record<string, string | number | boolean> | undefined
}

/**
 * Values are checked before they get here; this is the last look at what goes on the wire: no segment is empty, `.` or
 * `..`.
 */
const FINAL_PATH = /^(?:\/(?!\.{1,2}(?:[/?]|$))[A-Za-z0-9_.%-]+)+(?:\?[A-Za-z0-9_.%=&+*-]*)?$/

/** What stands before and behind the value in a route's path. */
const PARTS = Object.fromEntries(
  Object.entries(ENGINE_ROUTES).map(([route, [, template]]) => [route, template.split(/\{(?:id|image)\}/)]),
) as Record<EngineRoute, [before: string, behind?: string]>

/** Builds a route's path; `version` is the negotiated API version, absent for the routes that need none. */
export function engineTarget(
  route: EngineRoute,
  version: string | undefined,
  { id, image, query }: PathValues,
): { method: 'GET' | 'POST' | 'DELETE'; template: string; path: string } {
  const [method, template] = ENGINE_ROUTES[route]
  const [before, behind] = PARTS[route]
  let path = version === undefined ? before : `/v${version}${before}`
  if (behind !== undefined) {
    if (route !== 'imageInspect' && !CONTAINER_ID.test(id ?? '')) throw unsafe(template)
    path += route === 'imageInspect' ? (image ?? '').split('/').map(encodeURIComponent).join('/') : id
    path += behind
  }
  let separator = '?'
  for (const name in query) {
    const value = query[name] as string | number | boolean
    path += `${separator}${name}=${typeof value === 'string' ? encodeURIComponent(value) : value}`
    separator = '&'
  }
  if (!FINAL_PATH.test(path)) throw unsafe(template)
  return { method, template, path }
}

function unsafe(template: string): Failure {
  return new Failure('INVALID_INPUT', `A value for ${template} does not make a safe path. Nothing was sent.`)
}
