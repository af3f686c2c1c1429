import { setImmediate as turn } from 'node:timers/promises';
import type { VirtualClock } from './virtual-clock.ts';

/** Runs everything that waits only for promises and not for a timer. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await turn();
}

/** Number of steps without a timer that still settle, because work may go on for longer than one `settle`. */
const quietSteps = 2;

/**
 * Moves virtual time forward in steps, and settles after each step. Later steps without a timer do not settle: nothing runs in them, and an hour
 * of them would take seconds of CPU time.
 */
export async function pass(clock: VirtualClock, ms: number, stepMs = 50): Promise<void> {
  let quiet = 0;
  for (let left = ms; left > 0; left -= stepMs) {
    if (clock.advance(Math.min(stepMs, left)) > 0) quiet = 0;
    if (quiet++ < quietSteps) await settle();
  }
}
