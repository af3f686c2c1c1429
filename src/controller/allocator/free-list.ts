import type { IpRange } from '../../address/index.ts';

interface Interval {
  first: bigint;
  last: bigint;
}

/** Some old firewalls take addresses that end in .0 or .255 for attacks (smurf). */
const buggy = new Set([0n, 255n]);
const usableOfBlock = 254n;

/**
 * The free addresses of one family in one pool, as sorted intervals that do not touch. Finding the lowest free address does not depend
 * on how many are used or how large the pool is; taking or returning a given one is a binary search.
 *
 * With `avoidBuggy` the intervals are of ranks, an address's place among those that end in neither .0 nor .255: ranks have no gaps, so
 * a pool of any size begins as one interval per range.
 */
export class FreeList {
  readonly #intervals: Interval[];
  readonly #avoidBuggy: boolean;
  readonly size: bigint;
  #free: bigint;

  /** Ranges of one family in any order, disjoint. `avoidBuggy` leaves out IPv4 addresses that end in .0 or .255. */
  constructor(ranges: readonly IpRange[], avoidBuggy = false) {
    this.#avoidBuggy = avoidBuggy && ranges.every(({ family }) => family === 4);
    this.#intervals = ranges
      .map(({ first, last }) =>
        this.#avoidBuggy ? { first: usableBelow(first), last: usableBelow(last + 1n) - 1n } : { first, last },
      )
      .filter(({ first, last }) => first <= last)
      .sort((a, b) => (a.first < b.first ? -1 : 1));
    this.size = this.#intervals.reduce((sum, { first, last }) => sum + last - first + 1n, 0n);
    this.#free = this.size;
  }

  get free(): bigint {
    return this.#free;
  }

  lowest(): bigint | undefined {
    const first = this.#intervals[0]?.first;
    return first !== undefined && this.#avoidBuggy ? usableOfRank(first) : first;
  }

  /** Whether the address is free here; never for one that is avoided. */
  has(value: bigint): boolean {
    if (this.#avoids(value)) return false;
    const place = this.#place(value);
    const interval = this.#intervals[this.#after(place) - 1];
    return interval !== undefined && place <= interval.last;
  }

  /** Takes an address out; false when it is not free here. */
  take(value: bigint): boolean {
    if (this.#avoids(value)) return false;
    const place = this.#place(value);
    const index = this.#after(place) - 1;
    const interval = this.#intervals[index];
    if (!interval || place > interval.last) return false;
    this.#free--;
    if (interval.first === interval.last) this.#intervals.splice(index, 1);
    else if (place === interval.first) interval.first++;
    else if (place === interval.last) interval.last--;
    else {
      this.#intervals.splice(index + 1, 0, { first: place + 1n, last: interval.last });
      interval.last = place - 1n;
    }
    return true;
  }

  /** Puts back an address that was taken. */
  put(value: bigint): void {
    if (this.#avoids(value)) return;
    const place = this.#place(value);
    const index = this.#after(place);
    const before = this.#intervals[index - 1];
    const after = this.#intervals[index];
    if (before && place <= before.last) return;
    this.#free++;
    const joinsBefore = before !== undefined && before.last + 1n === place;
    const joinsAfter = after !== undefined && place + 1n === after.first;
    if (joinsBefore && joinsAfter) {
      before.last = after.last;
      this.#intervals.splice(index, 1);
    } else if (joinsBefore) before.last = place;
    else if (joinsAfter) after.first = place;
    else this.#intervals.splice(index, 0, { first: place, last: place });
  }

  #avoids(value: bigint): boolean {
    return this.#avoidBuggy && buggy.has(value & 0xffn);
  }

  #place(value: bigint): bigint {
    return this.#avoidBuggy ? usableBelow(value) : value;
  }

  /** Index of the first interval that begins after the place. */
  #after(place: bigint): number {
    let low = 0;
    let high = this.#intervals.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#intervals[middle]?.first ?? 0n) <= place) low = middle + 1;
      else high = middle;
    }
    return low;
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
