/**
 * Writes log lines to a file descriptor and never blocks the process. A line that cannot be written at once waits in a bounded
 * queue. A line is lost, and counted, when the queue is full or when the write fails, for instance on a full disk. Once lines can be
 * written again, an extra line reports how many were lost.
 *
 * pino's own destination is not used, because its synchronous flush repeats a failing write for ever. The process then no longer reacts
 * to SIGTERM.
 */
import { constants, openSync, writeSync } from 'node:fs';
import type { Clock } from '../clock.ts';

export interface LogOutputOptions {
  readonly clock: Clock;
  /** Writes as many of the octets as it can without waiting, and returns their number. Throws a system error, `EAGAIN` when the reader is slow. */
  readonly write: (octets: Uint8Array) => number;
  readonly maxQueuedOctets?: number;
}

const defaultMaxQueuedOctets = 1024 * 1024;
const retryMs = 100;
const newline = Buffer.from('\n');

interface QueuedLine {
  /** The octets of the line that are not written yet. */
  readonly octets: Uint8Array;
  /** Present only in a report of lost lines: the number of lines that this report and all earlier ones report as lost. */
  readonly reported?: number;
}

export class LogOutput {
  readonly #options: LogOutputOptions;
  readonly #queue: QueuedLine[] = [];
  #queuedOctets = 0;
  #retries = false;
  /** Whether the line that was written last is incomplete. */
  #isInsideLine = false;
  /** Whether the rest of an incomplete line is lost, so that a newline must come before the next line. */
  #isBroken = false;
  #lost = 0;
  #reported = 0;

  constructor(options: LogOutputOptions) {
    this.#options = options;
  }

  /** Lines lost since the process started. */
  get lost(): number {
    return this.#lost;
  }

  /** Writes a whole line, which includes its newline. */
  write(line: string): void {
    const octets = Buffer.from(line);
    const { maxQueuedOctets = defaultMaxQueuedOctets } = this.#options;
    if (this.#queuedOctets + octets.length > maxQueuedOctets) {
      this.#lost++;
      return;
    }
    this.#enqueue({ octets });
    // A waiting retry means that the reader was slow a moment ago.
    if (!this.#retries) this.#flush();
  }

  #enqueue(line: QueuedLine): void {
    this.#queue.push(line);
    this.#queuedOctets += line.octets.length;
  }

  /** Writes the queue, then a report of the lost lines that are not reported yet. */
  #flush(): void {
    if (!this.#writeQueue() || this.#lost === this.#reported) return;
    this.#enqueue({ octets: this.#report(), reported: this.#lost });
    this.#writeQueue();
  }

  /** Writes the queue. Returns whether the queue is empty now. If it is not empty, a retry is scheduled. */
  #writeQueue(): boolean {
    for (let line = this.#queue[0]; line; line = this.#queue[0]) {
      const outcome = this.#writeSome(line);
      if (outcome === 'slow') {
        this.#retryLater();
        return false;
      }
      this.#queuedOctets -= this.#queue.shift()?.octets.length ?? 0;
      if (outcome === 'written') this.#reported = line.reported ?? this.#reported;
      else if (line.reported === undefined) this.#lost++;
    }
    return true;
  }

  #writeSome(line: QueuedLine): 'written' | 'slow' | 'failed' {
    const { octets } = line;
    let done = 0;
    try {
      if (this.#isBroken) {
        this.#options.write(newline);
        this.#isInsideLine = false;
        this.#isBroken = false;
      }
      while (done < octets.length) {
        done += this.#options.write(octets.subarray(done));
        this.#isInsideLine = done < octets.length;
      }
      return 'written';
    } catch (error) {
      if (!isRetryable(error)) {
        this.#isBroken = this.#isInsideLine;
        return 'failed';
      }
      this.#queue[0] = { ...line, octets: octets.subarray(done) };
      this.#queuedOctets -= done;
      return 'slow';
    }
  }

  #retryLater(): void {
    this.#retries = true;
    this.#options.clock.after(retryMs, () => {
      this.#retries = false;
      this.#flush();
    });
  }

  #report(): Uint8Array {
    const lines = this.#lost - this.#reported;
    const ts = new Date(this.#options.clock.epochMs()).toISOString();
    return Buffer.from(
      `${JSON.stringify({ level: 'warn', ts, component: 'log', lines, msg: 'log lines lost' })}\n`,
    );
  }
}

function isRetryable(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return code === 'EAGAIN' || code === 'EINTR';
}

/**
 * The standard output of the process. Other processes share its file description, which must not become non-blocking. This function therefore
 * opens the file again and makes only the new description non-blocking. A socket cannot be opened again and is used as it is.
 */
export function standardOutput(clock: Clock): LogOutput {
  const descriptor = openNonBlocking();
  return new LogOutput({ clock, write: (octets) => writeSync(descriptor, octets) });
}

function openNonBlocking(): number {
  try {
    return openSync('/proc/self/fd/1', constants.O_WRONLY | constants.O_APPEND | constants.O_NONBLOCK);
  } catch {
    return 1;
  }
}
