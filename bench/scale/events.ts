import type { Work } from './sweep.ts';

/**
 * One event about one object in each run. Each run takes another object. After `size` runs, all objects have had an event, and the next lap begins.
 * `handle` gets the index of the object and the number of the lap, from 0.
 */
export function events(size: number, handle: (i: number, lap: number) => void): Work {
  let event = 0;
  return {
    units: 1,
    run: () => {
      handle((event * 7919) % size, Math.floor(event / size));
      event++;
    },
  };
}

/** Like `events`, but `handle` causes two events, of which the second reverses the first. */
export function pairsOfEvents(size: number, handle: (i: number, lap: number) => void): Work {
  return { ...events(size, handle), units: 2 };
}
