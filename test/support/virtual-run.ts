import { setImmediate as turn } from 'node:timers/promises';
import type { VirtualClock } from './virtual-clock.ts';

/** Lets everything run that waits only for promises and not for a timer. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await turn();
}

/** Moves virtual time forward in steps, and settles after each step. */
export async function pass(clock: VirtualClock, ms: number, stepMs = 50): Promise<void> {
  for (let left = ms; left > 0; left -= stepMs) {
    clock.advance(Math.min(stepMs, left));
    await settle();
  }
}
