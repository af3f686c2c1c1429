import type { IpRange } from '../../address/index.ts';
import { addressOfRank, isBuggy, rankOf, usableInterval } from '../../config/index.ts';
import { IntervalSet } from './interval-set.ts';

/**
 * The free addresses of one family in one pool. Finding the lowest free address takes constant time, for any size of the pool and any
 * number of used addresses.
 *
 * With `avoidBuggy`, `#places` holds the rank of each address in place of the address. The rank is the number of usable addresses below it
 * (see `usable-addresses.ts`). Ranks have no gaps, so each range starts as one interval.
 */
export class FreeList {
  readonly #places: IntervalSet;
  readonly #avoidBuggy: boolean;
  readonly size: bigint;
  #free: bigint;

  /** Ranges of one family, disjoint, in any order. `avoidBuggy` leaves out IPv4 addresses that end in .0 or .255. */
  constructor(ranges: readonly IpRange[], avoidBuggy = false) {
    this.#avoidBuggy = avoidBuggy && ranges.every(({ family }) => family === 4);
    const intervals = ranges
      .map((range) => usableInterval(range, this.#avoidBuggy))
      .filter(({ first, last }) => first <= last);
    this.#places = new IntervalSet(intervals);
    this.size = intervals.reduce((sum, { first, last }) => sum + last - first + 1n, 0n);
    this.#free = this.size;
  }

  get free(): bigint {
    return this.#free;
  }

  /** The lowest free address; `undefined` when no address is free. */
  lowest(): bigint | undefined {
    const place = this.#places.lowest();
    return place !== undefined && this.#avoidBuggy ? addressOfRank(place) : place;
  }

  /** Whether the address is free; false when the pool avoids it. */
  has(value: bigint): boolean {
    return !this.#avoids(value) && this.#places.has(this.#place(value));
  }

  /** Takes an address out of the list. Returns false when it was not free. */
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
    return this.#avoidBuggy && isBuggy(value);
  }

  #place(value: bigint): bigint {
    return this.#avoidBuggy ? rankOf(value) : value;
  }
}
