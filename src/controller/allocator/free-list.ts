import type { IpRange } from '../../address/index.ts';
import { IntervalSet } from './interval-set.ts';

/** Some old firewalls take addresses that end in .0 or .255 for attacks (smurf). */
const buggy = new Set([0n, 255n]);
const usableOfBlock = 254n;

/**
 * The free addresses of one family in one pool. Finding the lowest does not depend on how many are used or how large the pool is.
 *
 * With `avoidBuggy` it keeps ranks, an address's place among those that end in neither .0 nor .255: ranks have no gaps, so a pool of any
 * size begins as one interval per range.
 */
export class FreeList {
  readonly #places: IntervalSet;
  readonly #avoidBuggy: boolean;
  readonly size: bigint;
  #free: bigint;

  /** Ranges of one family in any order, disjoint. `avoidBuggy` leaves out IPv4 addresses that end in .0 or .255. */
  constructor(ranges: readonly IpRange[], avoidBuggy = false) {
    this.#avoidBuggy = avoidBuggy && ranges.every(({ family }) => family === 4);
    const intervals = ranges
      .map(({ first, last }) =>
        this.#avoidBuggy ? { first: usableBelow(first), last: usableBelow(last + 1n) - 1n } : { first, last },
      )
      .filter(({ first, last }) => first <= last);
    this.#places = new IntervalSet(intervals);
    this.size = intervals.reduce((sum, { first, last }) => sum + last - first + 1n, 0n);
    this.#free = this.size;
  }

  get free(): bigint {
    return this.#free;
  }

  lowest(): bigint | undefined {
    const place = this.#places.lowest();
    return place !== undefined && this.#avoidBuggy ? usableOfRank(place) : place;
  }

  /** Whether the address is free here; never for one that is avoided. */
  has(value: bigint): boolean {
    return !this.#avoids(value) && this.#places.has(this.#place(value));
  }

  /** Takes an address out; false when it is not free here. */
  take(value: bigint): boolean {
    const isTaken = !this.#avoids(value) && this.#places.remove(this.#place(value));
    if (isTaken) this.#free--;
    return isTaken;
  }

  /** Puts back an address that was taken. */
  put(value: bigint): void {
    if (!this.#avoids(value) && this.#places.add(this.#place(value))) this.#free++;
  }

  #avoids(value: bigint): boolean {
    return this.#avoidBuggy && buggy.has(value & 0xffn);
  }

  #place(value: bigint): bigint {
    return this.#avoidBuggy ? usableBelow(value) : value;
  }
}

/** How many addresses below this one end in neither .0 nor .255; for such an address its rank. */
function usableBelow(value: bigint): bigint {
  const inBlock = value & 0xffn;
  return (value >> 8n) * usableOfBlock + (inBlock === 0n ? 0n : inBlock - 1n);
}

function usableOfRank(rank: bigint): bigint {
  return ((rank / usableOfBlock) << 8n) + (rank % usableOfBlock) + 1n;
}
