/** `skillgate audit`: the log as a file of lines, and the verification of such a file wherever it went. */
import { createReadStream } from 'node:fs'
import { createExportVerifier, type ExportFault, exportLog } from '../core/export.js'
import { Failure } from '../core/failure.js'
import { type Command, UsageError } from './command.js'
import { openStore, parseStoreSettings, STORE_SETTINGS } from './store.js'

export const auditExport: Command = {
  name: 'audit export',
  summary: 'print the log, one event for each line; also beside a running server',
  help: `Options of audit export:
  --session ID     one session's events, or "registry"

Environment of audit export:
${STORE_SETTINGS}`,
  options: { session: { type: 'string' } },
  async run({ values }) {
    // The write that fails is told of it as well.
    process.stdout.on('error', () => {})
    const store = await openStore(parseStoreSettings(process.env), { readOnly: true })
    try {
      const session = values.session as string | undefined
      if (session !== undefined && (await store.head(session)) === undefined) {
        throw new Failure('NOT_FOUND', `There is no session ${JSON.stringify(session)} in this log.`)
      }
      for await (const line of exportLog(store, session)) if (!(await print(`${line}\n`))) break
    } finally {
      await store.close?.()
    }
  },
}

/** Waits for a reader that is slower than the store; false when it went away, as `head` does. */
const print = (text: string): Promise<boolean> =>
  new Promise((resolve, reject) => {
    process.stdout.write(text, (error?: NodeJS.ErrnoException | null) => {
      if (!error) resolve(true)
      else if (error.code === 'EPIPE') resolve(false)
      else reject(error)
    })
  })

export const auditVerify: Command = {
  name: 'audit verify',
  operands: 'FILE',
  summary: 'verify an exported log, without the store; exit code 1 when something is wrong with it',
  help: '',
  async run({ operands }) {
    const [path, ...more] = operands
    if (path === undefined || more.length > 0) throw new UsageError('Name one file: skillgate audit verify FILE')
    const verifier = createExportVerifier()
    let isCut = false
    try {
      isCut = await readLines(path, verifier.line)
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      throw new Failure('INVALID_INPUT', `${path} cannot be read (${code ?? message}).`, { cause: error })
    }
    const { valid, chains, events, fault } = verifier.end({ isCut })
    if (fault !== undefined) process.stdout.write(`${path} is NOT intact: ${tell(fault)}\n`)
    else {
      process.stdout.write(
        `${path} is intact: ${events} events in ${chains} chains. Events missing from the end of a chain, and whole chains, do not show.\n`,
      )
    }
    process.exitCode = valid ? 0 : 1
  },
}

function tell({ line, session_id, seq, problem }: ExportFault): string {
  const event = session_id === undefined ? '' : ` (session ${session_id}, event ${seq})`
  return `line ${line}${event}: ${problem}.`
}

/** True when the file ends within a line. Only line feeds end one: texts may hold every other separator. */
async function readLines(path: string, take: (line: string) => boolean): Promise<boolean> {
  // A byte that is no UTF-8 becomes a character that no hash was made of.
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  let rest = ''
  for await (const chunk of createReadStream(path)) {
    const lines = (rest + decoder.decode(chunk as Buffer, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) if (!take(line)) return false
  }
  rest += decoder.decode()
  return rest !== ''
}
