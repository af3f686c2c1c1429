import type { Clock, Timer } from '../../clock.ts';

/**
 * A timer for deadlines that move far more often than they expire, such as a hold timer that every UPDATE restarts. A later
 * deadline is only noted. The clock's timer underneath keeps running and checks the deadline when it fires.
 */
export class DeadlineTimer {
  readonly #clock: Clock;
  readonly #expired: () => void;
  #deadline: number | undefined;
  #timer: { readonly handle: Timer; readonly at: number } | undefined;

  constructor(clock: Clock, expired: () => void) {
    this.#clock = clock;
    this.#expired = expired;
  }

  /** Starts the timer, or moves the deadline of a running one. */
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
      // Node may fire a timer a fraction of a millisecond early.
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
