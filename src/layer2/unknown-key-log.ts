import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';

/** Interval between two log lines about one speaker. Without this limit, each datagram would cause a line. */
const intervalMs = 600_000;

/** Logs speakers whose datagrams are sealed with a key that this node does not have. */
export class UnknownKeyLog {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #loggedAtMs = new Map<string, number>();

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  report(node: string): void {
    const nowMs = this.#clock.now();
    const loggedAtMs = this.#loggedAtMs.get(node);
    if (loggedAtMs !== undefined && nowMs - loggedAtMs < intervalMs) return;
    this.#loggedAtMs.set(node, nowMs);
    this.#logger.error(
      { node, reason: 'the membership Secret has changed and has not reached every speaker yet' },
      'speaker uses an unknown membership key',
    );
  }
}
