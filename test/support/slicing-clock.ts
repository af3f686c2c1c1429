import type { Clock, Timer } from '../../src/clock.ts';

/** A clock on which each reading takes time, so that long work is cut into slices of a few steps. Timers run on demand. */
export class SlicingClock implements Clock {
  #now = 0;
  readonly #readingMs: number;
  readonly #due: { readonly callback: () => void }[] = [];

  constructor(readingMs = 1) {
    this.#readingMs = readingMs;
  }

  now(): number {
    this.#now += this.#readingMs;
    return this.#now;
  }

  epochMs(): number {
    return this.#now;
  }

  after(_: number, callback: () => void): Timer {
    const pending = { callback };
    this.#due.push(pending);
    return {
      cancel: () => {
        const at = this.#due.indexOf(pending);
        if (at >= 0) this.#due.splice(at, 1);
      },
    };
  }

  /** Runs the next `turns` timers. Returns false if there were fewer. */
  run(turns: number): boolean {
    for (let i = 0; i < turns; i++) {
      const next = this.#due.shift();
      if (!next) return false;
      next.callback();
    }
    return true;
  }
}
