import { setImmediate as turn } from 'node:timers/promises';
import type { VirtualClock } from './virtual-clock.ts';

/** Lets everything run that waits only for promises and not for a timer. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await turn();
}

/** Steps that settle although no timer has fired, for what goes on for longer than one step settles. */
const quietSteps = 2;

/**
 * Moves virtual time forward in steps, and settles after each step. Where no timer has fired for a while, nothing runs that could settle, and an
 * hour of such steps would take seconds of CPU time, so they do not settle.
 */
export async function pass(clock: VirtualClock, ms: number, stepMs = 50): Promise<void> {
  let quiet = 0;
  for (let left = ms; left > 0; left -= stepMs) {
    if (clock.advance(Math.min(stepMs, left)) > 0) quiet = 0;
    if (quiet++ < quietSteps) await settle();
  }
}
