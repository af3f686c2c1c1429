export interface Interval {
  first: bigint;
  last: bigint;
}

/** Position of an interval. `#find` returns the last interval that begins at or before a value. */
interface Place {
  readonly chunk: number;
  /** −1 when no interval begins at or before the value. */
  readonly index: number;
}

const mostPerChunk = 512;

/**
 * A set of integers, stored as sorted intervals in chunks. Adding or removing an integer costs a binary search and moves intervals within one
 * chunk. The list of chunks changes only when a full chunk is split or an empty one is removed.
 */
export class IntervalSet {
  /** Chunks of the sorted intervals. No chunk is empty. */
  readonly #chunks: Interval[][] = [];

  /** Takes disjoint intervals in any order. */
  constructor(intervals: readonly Interval[]) {
    const sorted = intervals.map((each) => ({ ...each })).sort((a, b) => (a.first < b.first ? -1 : 1));
    for (let i = 0; i < sorted.length; i += mostPerChunk)
      this.#chunks.push(sorted.slice(i, i + mostPerChunk));
  }

  lowest(): bigint | undefined {
    return this.#chunks[0]?.[0]?.first;
  }

  has(value: bigint): boolean {
    const interval = this.#at(this.#find(value));
    return interval !== undefined && value <= interval.last;
  }

  /** Removes a value. Returns false when it is not in the set. */
  remove(value: bigint): boolean {
    const place = this.#find(value);
    const interval = this.#at(place);
    if (!interval || value > interval.last) return false;
    if (interval.first === interval.last) this.#delete(place);
    else if (value === interval.first) interval.first++;
    else if (value === interval.last) interval.last--;
    else {
      this.#insertAfter(place, { first: value + 1n, last: interval.last });
      interval.last = value - 1n;
    }
    return true;
  }

  /** Adds a value. Returns false when it is already in the set. */
  add(value: bigint): boolean {
    const place = this.#find(value);
    const before = this.#at(place);
    if (before && value <= before.last) return false;
    const next = this.#next(place);
    const after = this.#at(next);
    const joinsBefore = before !== undefined && before.last + 1n === value;
    const joinsAfter = after !== undefined && value + 1n === after.first;
    if (joinsBefore && joinsAfter) {
      before.last = after.last;
      this.#delete(next);
    } else if (joinsBefore) before.last = value;
    else if (joinsAfter) after.first = value;
    else this.#insertAfter(place, { first: value, last: value });
    return true;
  }

  #at({ chunk, index }: Place): Interval | undefined {
    return this.#chunks[chunk]?.[index];
  }

  #next({ chunk, index }: Place): Place {
    const isLast = index + 1 >= (this.#chunks[chunk]?.length ?? 0);
    return isLast ? { chunk: chunk + 1, index: 0 } : { chunk, index: index + 1 };
  }

  #find(value: bigint): Place {
    const chunk = Math.max(
      0,
      lastAtOrBefore(this.#chunks.length, (i) => (this.#chunks[i]?.[0]?.first ?? 0n) <= value),
    );
    const intervals = this.#chunks[chunk] ?? [];
    return { chunk, index: lastAtOrBefore(intervals.length, (i) => (intervals[i]?.first ?? 0n) <= value) };
  }

  #insertAfter({ chunk, index }: Place, interval: Interval): void {
    const intervals = this.#chunks[chunk];
    if (!intervals) {
      this.#chunks.push([interval]);
      return;
    }
    intervals.splice(index + 1, 0, interval);
    if (intervals.length > mostPerChunk)
      this.#chunks.splice(chunk + 1, 0, intervals.splice(mostPerChunk / 2));
  }

  #delete({ chunk, index }: Place): void {
    const intervals = this.#chunks[chunk];
    intervals?.splice(index, 1);
    if (intervals?.length === 0) this.#chunks.splice(chunk, 1);
  }
}

/**
 * Index of the last of `count` items for which `holds` is true; −1 when there is none. The items for which `holds` is true must come before
 * all others.
 */
function lastAtOrBefore(count: number, holds: (index: number) => boolean): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
