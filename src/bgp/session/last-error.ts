import type { Clock } from '../../clock.ts';

/**
 * Reasons that say only that TCP broke. They often follow a reason that explains more: a peer that has sent or received a NOTIFICATION
 * often resets the next connection.
 */
const unexplained: ReadonlySet<string> = new Set([
  'connection closed',
  'connection closed by the peer',
  'connection reset by the peer',
]);

/**
 * The reason why the last session ended or did not come up. A reason that explains nothing does not overwrite one that explains the failure:
 * `Bad Peer AS` stays when `connection reset` follows. Once the session has come up or gone down or its settings have changed, any reason may
 * overwrite the last one.
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

  /** When the last error happened, by the wall clock. */
  get atEpochMs(): number {
    return this.#atEpochMs;
  }

  /**
   * Stores the reason and returns true. When the last reason explains the failure and the new one does not, keeps the last one and returns
   * false.
   */
  set(reason: string): boolean {
    const explains = !unexplained.has(reason);
    if (this.#explains && !explains) return false;
    this.#reason = reason;
    this.#atEpochMs = this.#clock.epochMs();
    this.#explains = explains;
    return true;
  }

  /** The last error explains no later failure. It stays for the record, and any newer one replaces it. */
  outdate(): void {
    this.#explains = false;
  }
}
