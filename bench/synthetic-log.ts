/** A log as the gate writes it for allowed runs, made without a gate: for measurements of what keeps and reads it. */
import { type CleanDraft, type Head, type StoredEvent, seal } from '../src/core/event.js'
import type { Store } from '../src/core/store.js'

const output = 'x'.repeat(300)

/** One session at work: each turn appends what the gate appends for an allowed run, sealed beforehand. */
export function* runsOf(session: string): Generator<StoredEvent[]> {
  let head: Head | undefined
  const sealed = (drafts: CleanDraft[]): StoredEvent[] => {
    const events = seal(session, head, drafts, {
      now: () => new Date(),
      newId: (kind) => `${kind}_${crypto.randomUUID()}`,
    })
    head = events.at(-1)
    return events
  }
  yield sealed([
    {
      type: 'session.created',
      data: { session: { id: session, created_at: '', label: '', status: 'active', metadata: {} } },
    },
    { type: 'policy.replaced', data: { version: 1, policy: { overrides: [] } } },
  ])
  for (;;) {
    const run_id = `run_${crypto.randomUUID()}`
    const draft = (type: CleanDraft['type']): CleanDraft => ({ type, run_id, data: { output } })
    yield sealed([draft('message.appended'), draft('run.queued')])
    yield sealed([draft('run.started'), draft('policy.decided'), draft('tool.started')])
    yield sealed([draft('tool.finished'), draft('run.finished')])
  }
}

/** Appends one session of so many events; answers its id and its last run. */
export async function fillSession(store: Store, length: number): Promise<{ session: string; run: string }> {
  const session = `ses_${crypto.randomUUID()}`
  const runs = runsOf(session)
  let run = ''
  let appends: Promise<void>[] = []
  for (let count = 0; count < length; ) {
    const events = runs.next().value as StoredEvent[]
    count += events.length
    run = events.at(-1)?.run_id ?? run
    appends.push(store.append(events))
    if (appends.length < 1_000 && count < length) continue
    await Promise.all(appends)
    appends = []
  }
  return { session, run }
}
