import { setImmediate as turn } from 'node:timers/promises';
import type { VirtualClock } from './virtual-clock.ts';

/** Runs everything that waits only for promises and not for a timer. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await turn();
}

/**
 * `pass` calls `settle` at the end of this many steps: the one in which a timer fires, and the next. The next one counts too, because work may go on
 * for longer than one `settle`.
 */
const quietSteps = 2;

/**
 * Moves virtual time forward in steps. Calls `settle` after the first two steps, after each step in which a timer fires, and after the step that
 * follows it. Nothing runs in the other steps. A call after each of them would take seconds of CPU time for an hour of virtual time.
 */
export async function pass(clock: VirtualClock, ms: number, stepMs = 50): Promise<void> {
  let quiet = 0;
  for (let left = ms; left > 0; left -= stepMs) {
    if (clock.advance(Math.min(stepMs, left)) > 0) quiet = 0;
    if (quiet++ < quietSteps) await settle();
  }
}
