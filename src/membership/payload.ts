import type { HashTree } from './hash-tree.ts';

/** How a received update compares with what this member already holds. */
export type MergeOrder = 'newer' | 'same' | 'older';

/** A record that members replicate on behalf of another part of the program. The membership does not know what it means. */
export interface PayloadRecord {
  readonly kind: 'payload';
  /** A record replaces an older record with the same key. */
  readonly key: string;
  /** At most `maxPayloadOctets`. */
  readonly octets: Uint8Array;
}

/** Length of the longest record. A record of this length fits in one packet. */
export const maxPayloadOctets = 1000;

/** Finds the end of each record in a packet. Records carry no length on the wire. */
export interface PayloadFormat {
  /** Reads the record at `offset`. Returns the record's key and the offset of its end, or undefined when the record is malformed. */
  read(bytes: Buffer, offset: number): { readonly key: string; readonly end: number } | undefined;
}

/**
 * Holds the records. The part of the program that owns the records implements this interface as a pure data structure. `merge` follows a
 * total order, so members that have received the same records keep the same versions, in whatever order the records arrived.
 */
export interface PayloadStore extends PayloadFormat {
  /** Hashes of the records that belong to live members. Members compare them to find missing records. */
  readonly tree: Pick<HashTree, 'root' | 'buckets' | 'leaves'>;
  merge(record: PayloadRecord): MergeOrder;
  /** The newest record with the key. */
  newest(key: string): PayloadRecord | undefined;
  /** Notes that the member is live or no longer live. No member is live at first. */
  setLive(member: string, isLive: boolean): void;
  /** Keys of the records in this leaf of the tree that other members should receive. This includes records of members that are not live. */
  keysIn(leaf: number): Iterable<string>;
  /** Drops records that are no longer needed. */
  expire(nowMs: number): void;
}
