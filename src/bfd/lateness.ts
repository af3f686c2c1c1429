import type { BfdProcessStatus } from './messages.ts';

const boundsMs = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] as const;

/** A histogram of how late periodic packets were sent. A timer of Node is late by up to 2 ms on an idle machine. */
export class Lateness {
  readonly #counts = new Array<number>(boundsMs.length + 1).fill(0);
  #sumMs = 0;
  #maxMs = 0;

  add(lateMs: number): void {
    const found = boundsMs.findIndex((boundMs) => lateMs <= boundMs);
    const index = found < 0 ? boundsMs.length : found;
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#sumMs += lateMs;
    this.#maxMs = Math.max(this.#maxMs, lateMs);
  }

  report(): BfdProcessStatus['lateness'] {
    return { boundsMs, counts: [...this.#counts], sumMs: this.#sumMs, maxMs: this.#maxMs };
  }
}
