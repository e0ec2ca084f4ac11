/** A fake container: its state machine, its log, and the clients attached to it. */
import { randomBytes } from 'node:crypto'
import { type FakeProcessHandle, type FakeProgram, startFakeProcess } from './fake-program.js'

/** The create body in the engine's own spelling, as far as the fake reads it. */
export interface FakeContainerConfig {
  Image?: string
  Cmd?: string[]
  Entrypoint?: string[]
  Env?: string[]
  Tty?: boolean
  OpenStdin?: boolean
  Labels?: Record<string, string>
  WorkingDir?: string
  User?: string
  Healthcheck?: unknown
  HostConfig?: Record<string, unknown>
}

export interface LogEntry {
  stream: 'stdout' | 'stderr'
  bytes: Buffer
  at: Date
}

export interface FakeContainer {
  readonly id: string
  readonly name: string
  readonly imageId: string
  readonly argv: string[]
  readonly env: Record<string, string>
  readonly config: FakeContainerConfig
  readonly created: Date
  readonly state: 'created' | 'running' | 'exited'
  readonly startedAt: Date | undefined
  readonly finishedAt: Date | undefined
  readonly exitCode: number
  readonly log: readonly LogEntry[]
  /** False when it runs already. */
  start(): boolean
  /** SIGTERM, then SIGKILL after `seconds`. False when it does not run. */
  stop(seconds: number): Promise<boolean>
  /** False when it does not run. */
  kill(): Promise<boolean>
  /** Resolves with the exit code of its next (or, when it does not run, its last) end. */
  wait(next: boolean): Promise<number>
  /** Gets output from now on; `onEnd` when the program has ended. Returns how to leave. */
  attach(client: AttachedClient): () => void
  writeStdin(bytes: Buffer): void
  closeStdin(): void
}

export interface AttachedClient {
  onOutput(entry: LogEntry): void
  onEnd(): void
}

export interface FakeContainerOptions {
  name?: string | undefined
  imageId: string
  argv: string[]
  env: Record<string, string>
  config: FakeContainerConfig
  program: FakeProgram
  now: () => Date
}

export function createFakeContainer(options: FakeContainerOptions): FakeContainer {
  const { imageId, argv, env, config, program, now } = options
  const id = randomBytes(32).toString('hex')
  const clients = new Set<AttachedClient>()
  const waiting = new Set<(exitCode: number) => void>()
  const early: (Buffer | 'end')[] = []
  let process: FakeProcessHandle | undefined
  const container = {
    id,
    name: options.name ?? `fake_${id.slice(0, 8)}`,
    imageId,
    argv,
    env,
    config,
    created: now(),
    state: 'created' as FakeContainer['state'],
    startedAt: undefined as Date | undefined,
    finishedAt: undefined as Date | undefined,
    exitCode: 0,
    log: [] as LogEntry[],
  }

  function onOutput(stream: 'stdout' | 'stderr', bytes: Buffer): void {
    const entry = { stream: config.Tty ? 'stdout' : stream, bytes, at: now() } as const
    container.log.push(entry)
    for (const client of clients) client.onOutput(entry)
  }

  function onExit(exitCode: number): void {
    Object.assign(container, { state: 'exited', exitCode, finishedAt: now() })
    process = undefined
    for (const client of clients) client.onEnd()
    clients.clear()
    for (const resolve of waiting) resolve(exitCode)
    waiting.clear()
  }

  return Object.assign(container, {
    start() {
      if (container.state === 'running') return false
      Object.assign(container, { state: 'running', startedAt: now() })
      process = startFakeProcess(program, { argv, env, onOutput })
      if (!config.OpenStdin) process.closeStdin()
      for (const input of early.splice(0)) input === 'end' ? process.closeStdin() : process.writeStdin(input)
      process.ended.then(onExit)
      return true
    },
    async stop(seconds: number) {
      const running = process
      if (!running) return false
      running.terminate()
      const timer = setTimeout(running.kill, seconds * 1000)
      await running.ended
      clearTimeout(timer)
      return true
    },
    async kill() {
      const running = process
      if (!running) return false
      running.kill()
      await running.ended
      return true
    },
    async wait(next: boolean) {
      if (!next && container.state !== 'running') return container.exitCode
      return new Promise<number>((resolve) => waiting.add(resolve))
    },
    attach(client: AttachedClient) {
      clients.add(client)
      return () => clients.delete(client)
    },
    writeStdin(bytes: Buffer) {
      if (process) process.writeStdin(bytes)
      else early.push(bytes)
    },
    closeStdin() {
      if (process) process.closeStdin()
      else early.push('end')
    },
  })
}
