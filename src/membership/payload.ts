/** Buckets of a digest. All members must use the same number. */
export const digestBuckets = 64;

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
  /** Reads the record at `offset`. Returns the record's key and the offset behind the record, or undefined when the record is malformed. */
  read(bytes: Buffer, offset: number): { readonly key: string; readonly end: number } | undefined;
}

/**
 * Holds the records. The part of the program that owns the records implements this interface as a pure data structure. `merge` follows a
 * total order, so members that have received the same records keep the same versions, in whatever order the records arrived.
 */
export interface PayloadStore extends PayloadFormat {
  /** Grows with each change. */
  readonly version: number;
  merge(record: PayloadRecord): MergeOrder;
  /** The newest record with the key. */
  newest(key: string): PayloadRecord | undefined;
  /** Keys of the records in these buckets that other members should receive. */
  keysIn(buckets: ReadonlySet<number>): Iterable<string>;
  /** One hash per bucket, over the records that belong to these members. Members compare digests to find missing records. */
  digest(members: Iterable<string>): Uint32Array;
  /** Drops records that are no longer needed. */
  expire(nowMs: number): void;
}
