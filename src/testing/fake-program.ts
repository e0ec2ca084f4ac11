/** A fake container's process: a function instead of a program, with its streams, its signals and its end. */

/** What a fake program sees of its container. */
export interface FakeProcess {
  argv: string[]
  env: Record<string, string>
  /** What the client wrote to standard input, until it closed it; empty when the container has none. */
  stdin: AsyncIterable<Buffer>
  write(stream: 'stdout' | 'stderr', data: string | Buffer): void
  /** Resolves on SIGTERM. A program that does not look at it is killed when the stop's time is over. */
  terminated: Promise<void>
  /** Aborted by SIGKILL, after which nothing the program does has an effect. */
  killed: AbortSignal
}

/** Resolves with the exit code. */
export type FakeProgram = (process: FakeProcess) => number | Promise<number>

export interface FakeProcessHandle {
  /** Resolves once, with the exit code: 137 after a kill. */
  ended: Promise<number>
  terminate(): void
  kill(): void
  writeStdin(bytes: Buffer): void
  closeStdin(): void
}

export interface StartOptions {
  argv: string[]
  env: Record<string, string>
  onOutput: (stream: 'stdout' | 'stderr', bytes: Buffer) => void
}

const KILLED = 137

export function startFakeProcess(program: FakeProgram, { argv, env, onOutput }: StartOptions): FakeProcessHandle {
  const killed = new AbortController()
  const stdin = createInput()
  let terminate = () => {}
  const terminated = new Promise<void>((resolve) => {
    terminate = resolve
  })
  const killing = new Promise<number>((resolve) => {
    killed.signal.addEventListener('abort', () => resolve(KILLED), { once: true })
  })
  async function run(): Promise<number> {
    try {
      return await program({
        argv,
        env,
        stdin: stdin.chunks,
        terminated,
        killed: killed.signal,
        write(stream, data) {
          if (!killed.signal.aborted) onOutput(stream, typeof data === 'string' ? Buffer.from(data) : data)
        },
      })
    } catch (error) {
      onOutput('stderr', Buffer.from(`fake program threw: ${String(error)}\n`))
      return 1
    }
  }
  return {
    ended: Promise.race([run(), killing]).finally(stdin.close),
    terminate,
    kill: () => killed.abort(),
    writeStdin: stdin.write,
    closeStdin: stdin.close,
  }
}

/** A queue that a `for await` can read until it is closed. */
function createInput() {
  const queue: Buffer[] = []
  let closed = false
  let wake = () => {}
  async function* read(): AsyncGenerator<Buffer> {
    while (true) {
      const next = queue.shift()
      if (next) yield next
      else if (closed) return
      else
        await new Promise<void>((resolve) => {
          wake = resolve
        })
    }
  }
  return {
    chunks: read(),
    write(bytes: Buffer) {
      queue.push(bytes)
      wake()
    },
    close() {
      closed = true
      wake()
    },
  }
}
