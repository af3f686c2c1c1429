import type { Clock, Timer } from '../clock.ts';

/**
 * A timer that is pushed back far more often than it fires, as a hold timer by every UPDATE: starting it again only notes the new
 * deadline while the timer underneath runs, which checks the deadline when it fires.
 */
export class Alarm {
  readonly #clock: Clock;
  readonly #expired: () => void;
  #deadline: number | undefined;
  #timer: { readonly handle: Timer; readonly at: number } | undefined;

  constructor(clock: Clock, expired: () => void) {
    this.#clock = clock;
    this.#expired = expired;
  }

  /** When it expires, on the clock; `undefined` while stopped. */
  get deadline(): number | undefined {
    return this.#deadline;
  }

  start(delayMs: number): void {
    const deadline = this.#clock.now() + delayMs;
    this.#deadline = deadline;
    if (this.#timer && this.#timer.at <= deadline) return;
    this.#timer?.handle.cancel();
    this.#arm(deadline);
  }

  stop(): void {
    this.#deadline = undefined;
    this.#timer?.handle.cancel();
    this.#timer = undefined;
  }

  #arm(at: number): void {
    const handle = this.#clock.after(Math.max(0, at - this.#clock.now()), () => {
      this.#timer = undefined;
      const deadline = this.#deadline;
      if (deadline === undefined) return;
      // A timer may fire a fraction of a millisecond early.
      if (deadline - this.#clock.now() > 1) {
        this.#arm(deadline);
        return;
      }
      this.#deadline = undefined;
      this.#expired();
    });
    this.#timer = { handle, at };
  }
}
