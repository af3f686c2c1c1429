import type { Clock, Timer } from '../clock.ts';

/** What follows its like within this time waits: each alone costs a placement of all that have no owner. */
const gatherMs = 50;

/** Runs something when asked to, at once or, when it ran a moment ago, in one go for all that ask meanwhile. */
export class Gathering {
  readonly #clock: Clock;
  readonly #run: () => void;
  #timer: Timer | undefined;
  #ranAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, run: () => void) {
    this.#clock = clock;
    this.#run = run;
  }

  ask(): void {
    const waitMs = this.#ranAt + gatherMs - this.#clock.now();
    if (waitMs <= 0) this.runNow();
    else this.#timer ??= this.#clock.after(waitMs, () => this.runNow());
  }

  runNow(): void {
    this.cancel();
    this.#run();
    this.#ranAt = this.#clock.now();
  }

  cancel(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
