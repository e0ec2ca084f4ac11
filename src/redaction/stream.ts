/** Redacts text that comes in pieces: what may still become part of a secret is kept back, everything else leaves at once. */
import { type Found, LOOK_AHEAD, LOOK_BACK } from './boundary.js'
import type { Registered } from './registered.js'
import { createPosition, type Scan } from './scan.js'

export interface RedactionStream {
  /** Takes the next piece and answers what can leave now; whole lines leave when they end. */
  push(piece: string): string
  /** Answers the rest. The stream is over. */
  end(): string
}

interface StreamOptions {
  known: Registered | undefined
  scan: Scan
  mark(found: Pick<Found, 'rule' | 'quote'>): string
  withheld: string
}

export function createStream({ known, scan, mark, withheld }: StreamOptions): RedactionStream {
  const registered = known && createRegisteredStage(known, mark)
  const rules = createRulesStage(scan, mark)
  let broken = false

  function take(piece: string, final: boolean): string {
    if (broken) return ''
    try {
      return rules(registered === undefined ? piece : registered(piece, final), final)
    } catch {
      broken = true
      return withheld
    }
  }
  return { push: (piece) => take(piece, false), end: () => take('', true) }
}

type Stage = (piece: string, final: boolean) => string

function createRegisteredStage(known: Registered, mark: StreamOptions['mark']): Stage {
  let held = ''
  return (piece, final) => {
    held += piece
    const next = known.read(held)
    let output = ''
    let done = 0
    for (;;) {
      const pending = final ? held.length : known.pending(held, done)
      const found = next(done, done)
      // What begins behind the first open end may yet turn out to be longer, or to begin earlier.
      if (found === undefined || (!final && found.start >= pending)) {
        output += held.slice(done, pending)
        held = held.slice(pending)
        return output
      }
      output += held.slice(done, found.start) + mark(found)
      done = found.end
    }
  }
}

function createRulesStage(scan: Scan, mark: StreamOptions['mark']): Stage {
  let held = ''
  let done = 0
  let worthTrying = 0
  const position = createPosition()

  return (piece, final) => {
    held += piece
    const newline = piece.includes('\n') ? held.lastIndexOf('\n') + 1 : 0
    const limit = final ? held.length : Math.max(newline, held.length - LOOK_AHEAD)
    if (!final && (limit <= position.at || (newline === 0 && held.length < worthTrying))) return ''
    // Decisions on a line that has ended see nothing behind it, but for those that ask for more.
    const text = !final && limit === newline ? held.slice(0, newline) : held
    if (!final && text.length < worthTrying) return ''
    let output = ''
    scan.run(text, position, {
      limit,
      final,
      emit(found) {
        output += held.slice(done, found.start) + mark(found)
        done = found.end
      },
    })
    const starved = !final && position.at < limit
    // A block that is still open is read again only when a good part of it is new.
    worthTrying = starved
      ? text.length + Math.min(8_192, (text.length - position.at) >> 2)
      : limit === newline
        ? 0
        : held.length + (LOOK_AHEAD >> 2)
    const ready = final ? held.length : readyUntil(held, position.at)
    if (ready > done) {
      output += held.slice(done, ready)
      done = ready
    }
    forget(Math.max(0, Math.min(done, position.at) - LOOK_BACK))
    return output
  }

  function forget(length: number): void {
    held = held.slice(length)
    done -= length
    worthTrying = Math.max(0, worthTrying - length)
    position.at -= length
    position.floor = Math.max(0, position.floor - length)
    position.judged = Math.max(0, position.judged - length)
    position.seen -= length
  }
}

/** A finding may begin before the word that gave it away, but on the same line, and not far. */
function readyUntil(held: string, at: number): number {
  const newline = held.lastIndexOf('\n', at - 1) + 1
  return Math.max(newline, at - (LOOK_BACK >> 1))
}
