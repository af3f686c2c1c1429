import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';
import type { FromLayer2 } from './messages.ts';

/** Minimum time between two reports about one speaker. Without this limit, each datagram would cause a report. */
const intervalMs = 600_000;

/** Logs and reports speakers whose datagrams are sealed with a key that this node does not have. */
export class UnknownKeyLog {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #report: (message: FromLayer2) => void;
  readonly #loggedAtMs = new Map<string, number>();

  constructor(clock: Clock, logger: Logger, report: (message: FromLayer2) => void) {
    this.#clock = clock;
    this.#logger = logger;
    this.#report = report;
  }

  /** Notes that a datagram of the speaker could not be opened. */
  note(node: string): void {
    const nowMs = this.#clock.now();
    const loggedAtMs = this.#loggedAtMs.get(node);
    if (loggedAtMs !== undefined && nowMs - loggedAtMs < intervalMs) return;
    this.#loggedAtMs.set(node, nowMs);
    this.#logger.error(
      { node, reason: 'the membership Secret has changed and has not reached every speaker yet' },
      'speaker uses an unknown membership key',
    );
    this.#report({ kind: 'unknown-key', node });
  }
}
