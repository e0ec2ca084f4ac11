/** A session for the adapters' tests, and what its log tells of the calls that models made. */
import { createFixture, openSession } from '../../core/__tests__/fixture.js'
import type { Gate } from '../../core/gate.js'
import type { Session } from '../../core/sessions.js'

/** Answers "/echo" at once, and "/ping" never: it ends when it is told to, and `asked` resolves when it was asked. */
export async function openAgentSession(): Promise<{ gate: Gate; session: Session; asked: Promise<void> }> {
  let ask = () => {}
  const asked = new Promise<void>((resolve) => {
    ask = resolve
  })
  const { gate } = createFixture({
    reply({ path, signal }) {
      if (path === '/echo') return { ok: true }
      ask()
      return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new Error('stopped'))))
    },
  })
  return { gate, session: await openSession(gate), asked }
}

/** Per run: what the message says of it and how it ended. */
export async function runsOf(gate: Gate): Promise<unknown[]> {
  const { events } = await gate.audit({ limit: 1_000 })
  return events.flatMap(({ run_id, type, data }) => {
    if (type !== 'message.appended') return []
    const { role, metadata, intents } = data as { role: string; metadata?: object; intents: { tool: string }[] }
    const ended = events.find((event) => event.type === 'run.finished' && event.run_id === run_id)
    return [{ role, ...metadata, tool: intents[0]?.tool, status: ended?.data.status }]
  })
}

export const CANCELLED = /^\{"code":"ABORTED","reason":"The run was cancelled\.","retriable":false,"run_id":"run_1"/
