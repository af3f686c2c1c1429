import type { BfdProcessStatus } from './messages.ts';

const boundsMs = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] as const;

/** `recentMaxMs()` remembers a packet for at least this long: longer than the detection times that Bellman recommends. */
const recentMs = 1000;

/** A histogram of how late periodic packets were sent. A timer of Node is late by up to 2 ms on an idle machine. */
export class Lateness {
  readonly #counts = new Array<number>(boundsMs.length + 1).fill(0);
  #sumMs = 0;
  #maxMs = 0;
  /**
   * The number of the current period. A period lasts `recentMs`. The next two fields hold the longest delays in this period and in the one
   * before.
   */
  #period = 0;
  #periodMaxMs = 0;
  #previousMaxMs = 0;

  /** Counts a packet that was sent at `nowMs`, on the monotonic clock. */
  add(lateMs: number, nowMs: number): void {
    this.#enter(nowMs);
    this.#periodMaxMs = Math.max(this.#periodMaxMs, lateMs);
    const found = boundsMs.findIndex((boundMs) => lateMs <= boundMs);
    const index = found < 0 ? boundsMs.length : found;
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#sumMs += lateMs;
    this.#maxMs = Math.max(this.#maxMs, lateMs);
  }

  /** The longest delay of a packet in the last one to two seconds before `nowMs`. */
  recentMaxMs(nowMs: number): number {
    this.#enter(nowMs);
    return Math.max(this.#periodMaxMs, this.#previousMaxMs);
  }

  #enter(nowMs: number): void {
    const period = Math.floor(nowMs / recentMs);
    if (period === this.#period) return;
    this.#previousMaxMs = period === this.#period + 1 ? this.#periodMaxMs : 0;
    this.#periodMaxMs = 0;
    this.#period = period;
  }

  report(): BfdProcessStatus['lateness'] {
    return { boundsMs, counts: [...this.#counts], sumMs: this.#sumMs, maxMs: this.#maxMs };
  }
}
