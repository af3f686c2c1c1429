import type { Clock } from '../../clock.ts';

/** Reasons that say only that TCP broke. A peer that has sent or received a NOTIFICATION often resets the next connection. */
const unexplained: ReadonlySet<string> = new Set([
  'connection closed',
  'connection closed by the peer',
  'connection reset by the peer',
]);

/**
 * What ended or prevented the last session. A reason that explains stays: `Bad Peer AS` is not overwritten by `connection reset`
 * before a session has come up.
 */
export class LastError {
  readonly #clock: Clock;
  #reason: string | undefined;
  #atEpochMs = 0;
  #explains = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get reason(): string | undefined {
    return this.#reason;
  }

  /** Wall clock. */
  get atEpochMs(): number {
    return this.#atEpochMs;
  }

  /** Takes over the reason; false when it explains less than the one that is known. */
  set(reason: string): boolean {
    const explains = !unexplained.has(reason);
    if (this.#explains && !explains) return false;
    this.#reason = reason;
    this.#atEpochMs = this.#clock.epochMs();
    this.#explains = explains;
    return true;
  }

  /** A session is up. The last error stays for the record, and any newer one replaces it. */
  sessionUp(): void {
    this.#explains = false;
  }
}
