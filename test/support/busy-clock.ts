import type { Timer } from '../../src/clock.ts';
import { VirtualClock } from './virtual-clock.ts';

/** A virtual clock on which each call of `now` takes 10 µs, as if work had been done. Long work (`src/turns.ts`) then takes several turns. */
export class BusyClock extends VirtualClock {
  /** Number of turns of the event loop that were asked for. */
  turns = 0;
  #spentMs = 0;

  override now(): number {
    this.#spentMs += 0.01;
    return super.now() + this.#spentMs;
  }

  override after(delayMs: number, callback: () => void): Timer {
    if (delayMs === 0) this.turns++;
    return super.after(delayMs, callback);
  }
}
