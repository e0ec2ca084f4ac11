/** How a command that serves ends: SIGINT and SIGTERM end it in order, a second one at once. */
import type { Logger } from '../core/provider.js'

/** Answers what ends the command too; it exits with 0, or with 1 when the ending went wrong. */
export function stopOnSignals(logger: Logger, end: () => Promise<unknown>): () => void {
  let stopping = false
  const stop = async (): Promise<void> => {
    stopping = true
    try {
      await end()
      process.exit(0)
    } catch (error) {
      logger.error('The shutdown went wrong.', { cause: error })
      process.exit(1)
    }
  }
  const onSignal = (): void => {
    if (stopping) process.exit(1)
    void stop()
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  return () => {
    if (!stopping) void stop()
  }
}
