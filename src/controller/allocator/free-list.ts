import type { IpRange } from '../../address/index.ts';

interface Interval {
  first: bigint;
  last: bigint;
}

/**
 * The free addresses of one family in one pool, as sorted intervals that do not touch. Finding the lowest free address does not depend
 * on how many are used or how large the pool is; taking or returning a given one is a binary search.
 */
export class FreeList {
  readonly #intervals: Interval[];
  readonly #avoidBuggy: boolean;
  readonly size: bigint;
  #free: bigint;

  /** Ranges in any order, disjoint. `avoidBuggy` leaves out IPv4 addresses that end in .0 or .255. */
  constructor(ranges: readonly IpRange[], avoidBuggy = false) {
    this.#avoidBuggy = avoidBuggy && ranges.every(({ family }) => family === 4);
    const usable = ranges.flatMap((range) =>
      this.#avoidBuggy ? withoutBuggy(range) : [{ first: range.first, last: range.last }],
    );
    this.#intervals = usable.sort((a, b) => (a.first < b.first ? -1 : 1));
    this.size = this.#intervals.reduce((sum, { first, last }) => sum + last - first + 1n, 0n);
    this.#free = this.size;
  }

  get free(): bigint {
    return this.#free;
  }

  lowest(): bigint | undefined {
    return this.#intervals[0]?.first;
  }

  has(value: bigint): boolean {
    const interval = this.#intervals[this.#after(value) - 1];
    return interval !== undefined && value <= interval.last;
  }

  /** Takes an address out; false when it is not free here. */
  take(value: bigint): boolean {
    const index = this.#after(value) - 1;
    const interval = this.#intervals[index];
    if (!interval || value > interval.last) return false;
    this.#free--;
    if (interval.first === interval.last) this.#intervals.splice(index, 1);
    else if (value === interval.first) interval.first++;
    else if (value === interval.last) interval.last--;
    else {
      this.#intervals.splice(index + 1, 0, { first: value + 1n, last: interval.last });
      interval.last = value - 1n;
    }
    return true;
  }

  /** Puts back an address that was taken. */
  put(value: bigint): void {
    if (this.#avoidBuggy && isBuggy(value)) return;
    const index = this.#after(value);
    const before = this.#intervals[index - 1];
    const after = this.#intervals[index];
    if (before && value <= before.last) return;
    this.#free++;
    const joinsBefore = before !== undefined && before.last + 1n === value;
    const joinsAfter = after !== undefined && value + 1n === after.first;
    if (joinsBefore && joinsAfter) {
      before.last = after.last;
      this.#intervals.splice(index, 1);
    } else if (joinsBefore) before.last = value;
    else if (joinsAfter) after.first = value;
    else this.#intervals.splice(index, 0, { first: value, last: value });
  }

  /** Index of the first interval that begins after the value. */
  #after(value: bigint): number {
    let low = 0;
    let high = this.#intervals.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#intervals[middle]?.first ?? 0n) <= value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Some old firewalls take addresses that end in .0 or .255 for attacks (smurf). */
function isBuggy(value: bigint): boolean {
  return (value & 0xffn) === 0n || (value & 0xffn) === 0xffn;
}

/** The runs of x.x.x.1 to x.x.x.254 within a range. */
function withoutBuggy({ first, last }: IpRange): Interval[] {
  const runs: Interval[] = [];
  for (let block = first & ~0xffn; block <= last; block += 0x100n) {
    const run = { first: max(first, block + 1n), last: min(last, block + 0xfen) };
    if (run.first <= run.last) runs.push(run);
  }
  return runs;
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
