import type { Clock, Timer } from '../clock.ts';

/** Minimum time between two runs. Each run costs an election over all vacant addresses. */
const intervalMs = 50;

/** Runs a task on request, but not sooner than `intervalMs` after the last run. All requests during this wait share one run. */
export class Coalescer {
  readonly #clock: Clock;
  readonly #run: () => void;
  #timer: Timer | undefined;
  #ranAtMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, run: () => void) {
    this.#clock = clock;
    this.#run = run;
  }

  request(): void {
    const waitMs = this.#ranAtMs + intervalMs - this.#clock.now();
    if (waitMs <= 0) this.#runNow();
    else this.#timer ??= this.#clock.after(waitMs, () => this.#runNow());
  }

  cancel(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #runNow(): void {
    this.cancel();
    this.#run();
    this.#ranAtMs = this.#clock.now();
  }
}
