import { setImmediate as turn } from 'node:timers/promises';
import type { VirtualClock } from './virtual-clock.ts';

/** Runs everything that waits only for promises and not for a timer. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await turn();
}

/**
 * When a timer fires, `pass` calls `settle` this many times: at the end of the step in which the timer fires, and at the end of the next step. The
 * second call is there because work may go on for longer than one `settle`.
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
