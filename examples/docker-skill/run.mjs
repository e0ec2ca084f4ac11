// The five steps of the Docker skill example against a running server; prints the run, its audit and its replay.
const { BASE_URL = 'http://localhost:8090', ADMIN_TOKEN = 'demo', IMAGE_DIGEST } = process.env
const image = IMAGE_DIGEST

if (!/@?sha256:[0-9a-f]{64}$/.test(image ?? '')) {
  console.error('Set IMAGE_DIGEST to an image on the engine, e.g. hello-world@sha256:…')
  console.error("docker inspect --format='{{index .RepoDigests 0}}' hello-world   prints it.")
  process.exit(2)
}

async function call(method, path, body) {
  const response = await fetch(`${BASE_URL}/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  }).catch((error) => {
    console.error(
      `No server at ${BASE_URL} (${error.cause?.code ?? error.message}). Start one: ADMIN_TOKEN=demo npx skillgate serve`,
    )
    process.exit(1)
  })
  const answer = await response.json()
  if (!response.ok) {
    console.error(`${method} ${path}: ${response.status} ${answer.error.code}: ${answer.error.message}`)
    process.exit(1)
  }
  return answer
}

const say = (title, text) => console.log(`\n== ${title}\n${text}`)

const name = image.includes('@') ? image.split('@')[0].replace(/^.*\//, '') : 'local-image'
const skill = await call('POST', '/skills', { name, version: image.slice(-12), image, manifest: {} })
say('1. Registered skill', `${skill.name} ${skill.version}: ${skill.image}`)

const session = await call('POST', '/sessions', { label: 'Docker example', metadata: {} })
say('2. Created session', session.id)

const constraints = { images: [image], network_allowed: false, mounts_allowed: false }
const policy = await call('PUT', `/sessions/${session.id}/policy`, {
  overrides: [{ tool: 'docker.run', allow: true, constraints }],
})
say('3. Set policy', `version ${policy.version}, default ${policy.default}, docker.run allowed for this image only`)

const intents = [{ tool: 'docker.run', params: { image, cmd: [] } }]
const { run_id } = await call('POST', `/sessions/${session.id}/messages`, {
  role: 'user',
  content: `Run ${name}`,
  intents,
})
say('4. Posted message', `run ${run_id}`)

let run = await call('GET', `/runs/${run_id}`)
while (run.status === 'queued' || run.status === 'running') {
  await new Promise((resolve) => setTimeout(resolve, 100))
  run = await call('GET', `/runs/${run_id}`)
}
const steps = run.steps.map(({ step_id, type, status, tool }) => `${step_id} ${type} ${tool}: ${status}`)
say('5. Run', [`${run.status}${run.reason ? ` (${run.reason.code}: ${run.reason.message})` : ''}`, ...steps].join('\n'))
say('Policy decision', run.steps.find(({ type }) => type === 'policy_eval').details.reason)
const executed = run.steps.find(({ type }) => type === 'tool_exec')
say('Container output', executed?.details.result?.result ?? '(not executed)')

const { events } = await call('GET', `/audit?session_id=${session.id}`)
say(
  'Audit chain',
  events.map(({ seq, type, hash }) => `${String(seq).padStart(3)} ${type.padEnd(17)} ${hash.slice(0, 16)}…`).join('\n'),
)
const audit = await call('GET', `/audit/validate?session_id=${session.id}`)
console.log(
  audit.valid
    ? `valid: ${audit.event_count} events, every hash and link recomputed`
    : `INVALID at ${audit.invalid_index}`,
)

const replay = await call('POST', `/runs/${run_id}/replay`)
say('Replay', `mode ${replay.mode}, valid ${replay.valid}, ${replay.events.length} events, nothing executed`)

process.exitCode = run.status === 'completed' && audit.valid && replay.valid ? 0 : 1
