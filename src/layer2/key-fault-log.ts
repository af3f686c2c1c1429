import type { Clock, Timer } from '../clock.ts';
import type { Logger } from '../log.ts';

/**
 * On a fresh install, the controller creates the keys while the speakers start, so a speaker may be up before the keys exist.
 * Missing keys are logged as an error only if they are still missing after this time.
 */
const patienceMs = 10_000;

/**
 * Logs each fault of the membership keys once, as an error. A speaker that has not had usable keys yet is more patient: in its first
 * `patienceMs`, it logs a fault as information. If the same fault still exists at the end of this time, it logs the fault again, as an error.
 */
export class KeyFaultLog {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #patientUntilMs: number;
  #fault: string | undefined;
  #reminder: Timer | undefined;

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
    this.#patientUntilMs = clock.now() + patienceMs;
  }

  /** `fault` is the reason why the keys cannot be used, or `undefined` when they can. `hasKeys` says whether earlier keys stay in use. */
  update(fault: string | undefined, hasKeys: boolean): void {
    if (fault === this.#fault) return;
    this.#fault = fault;
    this.close();
    if (fault === undefined) return;
    const waitMs = this.#patientUntilMs - this.#clock.now();
    if (hasKeys) {
      this.#logger.error({ reason: fault }, 'membership keys rejected; the earlier keys stay in use');
    } else if (waitMs > 0) {
      this.#logger.info({ reason: fault }, 'waiting for membership keys');
      this.#reminder = this.#clock.after(waitMs, () => this.#logMissing(fault));
    } else {
      this.#logMissing(fault);
    }
  }

  close(): void {
    this.#reminder?.cancel();
    this.#reminder = undefined;
  }

  #logMissing(reason: string): void {
    this.#logger.error({ reason }, 'no membership keys; this speaker answers for no layer-2 address');
  }
}
