/**
 * The changes that have not been sent to a peer: prefixes in buckets, one bucket for each family and attribute set. Withdrawals are sent first,
 * then the oldest bucket. One UPDATE carries one attribute set, so buckets keep the number of UPDATEs low.
 *
 *   buckets   (IPv4, withdraw) ─→ head ⇄ … ⇄ tail      (IPv4, set 3) ─→ head ⇄ … ⇄ tail      …
 *
 * Buckets are doubly linked lists through two typed arrays, indexed by the number of the prefix. Adding and removing a prefix is O(1), and
 * only the first prefix of a new bucket allocates memory. A prefix is in one bucket at most.
 */
import type { Family } from '../../address/index.ts';
import { noAttributes } from './attribute-table.ts';

/** Marks the end of a list. */
const none = 0xffff_ffff;

/** Prefixes of one family with the same change: all announced with one attribute set, or all withdrawn. */
export interface Bucket {
  readonly family: Family;
  /** Number of the set to announce; `noAttributes` for withdrawals. */
  readonly attributes: number;
  /** The number of the first prefix. */
  readonly head: number;
}

/** A bucket with its two ends, which only the queue changes. */
interface List extends Bucket {
  head: number;
  tail: number;
}

export class ChangeQueue {
  #next = new Uint32Array(64);
  #previous = new Uint32Array(64);
  readonly #lists = new Map<number, List>();
  readonly #counts: Record<Family, number> = { 4: 0, 6: 0 };

  /** Prefixes of the family in the queue. */
  count(family: Family): number {
    return this.#counts[family];
  }

  /** Makes room for prefixes with numbers below the capacity. */
  reserve(capacity: number): void {
    this.#next = grown(this.#next, capacity);
    this.#previous = grown(this.#previous, capacity);
  }

  /** Adds the prefix at the end of its bucket. The prefix must not be in the queue yet. */
  append(id: number, family: Family, attributes: number): void {
    const key = bucketKey(family, attributes);
    let list = this.#lists.get(key);
    if (!list) {
      list = { family, attributes, head: none, tail: none };
      this.#lists.set(key, list);
    }
    this.#previous[id] = list.tail;
    this.#next[id] = none;
    if (list.tail === none) list.head = id;
    else this.#next[list.tail] = id;
    list.tail = id;
    this.#counts[family]++;
  }

  /** Removes the prefix from its bucket. Throws a RangeError when there is no such bucket. */
  remove(id: number, family: Family, attributes: number): void {
    const list = this.#lists.get(bucketKey(family, attributes));
    if (!list) throw new RangeError(`prefix ${id} is not queued`);
    this.#unlink(list, id);
  }

  /** The first prefix of the bucket; `undefined` when the bucket is empty. */
  first({ head }: Bucket): number | undefined {
    return head === none ? undefined : head;
  }

  /** Removes the first prefix of the bucket. */
  removeFirst(bucket: Bucket): void {
    if (bucket.head !== none) this.#unlink(bucket as List, bucket.head);
  }

  bucket(family: Family, attributes: number): Bucket | undefined {
    return this.#lists.get(bucketKey(family, attributes));
  }

  /** The bucket to send next. Withdrawals come first, because they keep traffic out of a black hole. */
  nextBucket(): Bucket | undefined {
    return (
      this.#lists.get(bucketKey(4, noAttributes)) ??
      this.#lists.get(bucketKey(6, noAttributes)) ??
      this.#lists.values().next().value
    );
  }

  clear(): void {
    this.#lists.clear();
    this.#counts[4] = 0;
    this.#counts[6] = 0;
  }

  #unlink(list: List, id: number): void {
    const previous = this.#previous[id] ?? none;
    const next = this.#next[id] ?? none;
    if (previous === none) list.head = next;
    else this.#next[previous] = next;
    if (next === none) list.tail = previous;
    else this.#previous[next] = previous;
    if (list.head === none) this.#lists.delete(bucketKey(list.family, list.attributes));
    this.#counts[list.family]--;
  }
}

/** Family and attribute set as one number. */
export function bucketKey(family: Family, attributes: number): number {
  return attributes * 2 + (family === 4 ? 0 : 1);
}

/** The attribute set in a bucket's key. */
export function attributesOfKey(key: number): number {
  return Math.floor(key / 2);
}

/** A copy with room for `capacity` numbers. */
export function grown(array: Uint32Array, capacity: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(capacity);
  larger.set(array);
  return larger;
}
