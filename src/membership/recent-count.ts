/** Counts the events of the present period and of the period before it. */
export class RecentCount {
  readonly #periodMs: number;
  #period = Number.NEGATIVE_INFINITY;
  #present = 0;
  #before = 0;

  constructor(periodMs: number) {
    this.#periodMs = periodMs;
  }

  add(nowMs: number): void {
    this.#turn(nowMs);
    this.#present++;
  }

  /** The number of events in the last one to two periods. */
  at(nowMs: number): number {
    this.#turn(nowMs);
    return this.#before + this.#present;
  }

  #turn(nowMs: number): void {
    const period = Math.floor(nowMs / this.#periodMs);
    if (period === this.#period) return;
    this.#before = period === this.#period + 1 ? this.#present : 0;
    this.#present = 0;
    this.#period = period;
  }
}
