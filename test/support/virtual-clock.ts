import type { Clock, Timer } from '../../src/clock.ts';

interface Pending {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
}

/** Wall time of a virtual clock at zero: 2026-01-01T00:00:00Z. */
export const virtualEpochMs = Date.UTC(2026, 0, 1);

/** A clock that moves only on demand. Timers fire in order of time, then of creation. */
export class VirtualClock implements Clock {
  #now = 0;
  #order = 0;
  readonly #pending = new Set<Pending>();

  now(): number {
    return this.#now;
  }

  epochMs(): number {
    return virtualEpochMs + this.#now;
  }

  after(delayMs: number, callback: () => void): Timer {
    const pending = { at: this.#now + Math.max(0, delayMs), order: this.#order++, callback };
    this.#pending.add(pending);
    return { cancel: () => void this.#pending.delete(pending) };
  }

  /** Jumps forward as if the process had been stopped, and then fires the timers that fell due meanwhile. Each timer sees the late time. */
  stall(ms: number): void {
    this.#now += ms;
    for (const pending of [...this.#pending].sort((a, b) => a.at - b.at || a.order - b.order))
      if (pending.at <= this.#now && this.#pending.delete(pending)) pending.callback();
  }

  /** Moves forward, firing all timers that fall due on the way, including those set by callbacks. Returns the number of timers that fired. */
  advance(ms: number): number {
    const end = this.#now + ms;
    let fired = 0;
    for (;;) {
      let next: Pending | undefined;
      for (const pending of this.#pending)
        if (
          pending.at <= end &&
          (!next || pending.at < next.at || (pending.at === next.at && pending.order < next.order))
        )
          next = pending;
      if (!next) break;
      this.#pending.delete(next);
      this.#now = next.at;
      next.callback();
      fired++;
    }
    this.#now = end;
    return fired;
  }
}
