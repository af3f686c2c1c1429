/** Buckets of a digest. Both ends of the wire must agree on the number. */
export const digestBuckets = 64;

/** How a received record compares with the one that is held. */
export type MergeOrder = 'newer' | 'same' | 'older';

/** A record that members replicate on behalf of another part of the program. The membership does not know what it means. */
export interface PayloadRecord {
  readonly kind: 'payload';
  /** A record replaces an older one with the same key. */
  readonly key: string;
  /** At most `maxPayloadOctets`. */
  readonly octets: Uint8Array;
}

/** Longest record: it fits one packet beside everything else. */
export const maxPayloadOctets = 1000;

/** Finds the records in a packet: they carry no length on the wire. */
export interface PayloadFormat {
  /** Reads the record at `offset`: its key and the offset behind it. Undefined when it is malformed. */
  read(bytes: Buffer, offset: number): { readonly key: string; readonly end: number } | undefined;
}

/**
 * The records themselves. Their owner implements it as a pure data structure. `merge` follows a total order, so members that
 * receive the same records in any order hold the same.
 */
export interface PayloadStore extends PayloadFormat {
  /** Grows with each change. */
  readonly version: number;
  merge(record: PayloadRecord): MergeOrder;
  /** The newest record with the key. */
  newest(key: string): PayloadRecord | undefined;
  /** Keys of the records in these buckets that are worth telling to another member. */
  keysIn(buckets: ReadonlySet<number>): Iterable<string>;
  /** A hash per bucket over the records that belong to these members. Members compare digests to find what they miss. */
  digest(members: Iterable<string>): Uint32Array;
  /** Drops records that have served their time. */
  expire(nowMs: number): void;
}
