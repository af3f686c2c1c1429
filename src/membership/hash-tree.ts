/**
 * Hashes over a set of records, in a tree of two levels. A record belongs to a leaf, which follows from the record's name. The hash of a
 * leaf is the XOR of the hashes of its records. The hash of a bucket is the XOR of its leaves, and the root is the XOR of all buckets.
 * Two members compare their roots, then their buckets, then the leaves of the buckets that differ. A change of a record costs O(1).
 *
 *     root ──┬── bucket 0  ──┬── leaf 0
 *            │               ├── leaf 64
 *            │               └── … leaf 4032
 *            └── … bucket 63
 */
import { hash32 } from '../hash.ts';

/** Number of buckets in a tree, and of leaves in a bucket. All members must use the same number. */
export const treeWidth = 64;
export const leafCount = treeWidth * treeWidth;

/** The leaf of the record with this name. */
export function leafOf(name: string): number {
  return hash32(name) % leafCount;
}

export function bucketOf(leaf: number): number {
  return leaf % treeWidth;
}

/** The leaves of a bucket, in the order in which `HashTree.leaves` returns their hashes. */
export function leavesOf(bucket: number): number[] {
  return Array.from({ length: treeWidth }, (_, i) => bucket + i * treeWidth);
}

export class HashTree {
  #root = 0;
  readonly #buckets = new Uint32Array(treeWidth);
  readonly #leaves = new Uint32Array(leafCount);

  /** The hash over all records. */
  get root(): number {
    return this.#root;
  }

  /** The hash of each bucket. */
  buckets(): Uint32Array {
    return Uint32Array.from(this.#buckets);
  }

  /** The hash of each leaf of the bucket. */
  leaves(bucket: number): Uint32Array {
    return Uint32Array.from(leavesOf(bucket), (leaf) => this.#leaves[leaf] ?? 0);
  }

  /** Adds a record with this hash, or removes it if the tree holds it. */
  toggle(leaf: number, hash: number): void {
    const bucket = bucketOf(leaf);
    this.#root = (this.#root ^ hash) >>> 0;
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) ^ hash;
    this.#leaves[leaf] = (this.#leaves[leaf] ?? 0) ^ hash;
  }
}
