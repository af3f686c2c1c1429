import { hash32 } from '../../hash.ts';
import { digestBuckets, type MergeOrder } from '../../membership/payload.ts';
import { type Claim, compareClaims } from './claim.ts';

interface Held {
  readonly claim: Claim;
  readonly hash: number;
  readonly bucket: number;
}

/** The addresses of one owner, and the XOR of its claims' hashes in each digest bucket. */
interface Holdings {
  readonly addresses: Set<string>;
  readonly digest: Uint32Array;
}

/** How long a release is remembered. A partition that lasts longer may bring a released address back. */
export const releaseKeptMs = 24 * 3_600_000;
/**
 * How long a release is repeated to members that lack it. This is far shorter than `releaseKeptMs`. Otherwise, two members that drop a
 * release at different times could send it back to each other forever.
 */
export const releaseToldMs = 3_600_000;

/**
 * The newest claim on each address that this node knows. Members that have received the same claims agree on the newest claim, in whatever
 * order the claims arrived. A release stays in the store as a claim without an owner, so that a late copy of an older claim does not bring
 * the address back.
 */
export class ClaimStore {
  readonly #held = new Map<string, Held>();
  readonly #holdings = new Map<string, Holdings>();
  /** When `expire` first saw each release. */
  readonly #releasedAtMs = new Map<string, number>();
  #nowMs = 0;
  /** Grows with each change. */
  version = 0;

  /** The newest claim; undefined when the address was never claimed or was released. */
  get(address: string): Claim | undefined {
    const claim = this.newest(address);
    return claim?.owner === '' ? undefined : claim;
  }

  /** The newest claim or release. */
  newest(address: string): Claim | undefined {
    return this.#held.get(address)?.claim;
  }

  merge(claim: Claim): MergeOrder {
    const known = this.#held.get(claim.address);
    const order = known === undefined ? 1 : compareClaims(claim, known.claim);
    if (order <= 0) return order === 0 ? 'same' : 'older';
    if (known) this.#remove(known);
    this.#add(claim);
    return 'newer';
  }

  /**
   * Drops releases that are older than `releaseKeptMs`. Call it every few minutes, because the age of a release counts from the first call
   * after the release arrived.
   */
  expire(nowMs: number): void {
    this.#nowMs = nowMs;
    for (const { claim } of this.#holdingsOf('')) {
      const releasedAtMs = this.#releasedAtMs.get(claim.address);
      if (releasedAtMs === undefined) this.#releasedAtMs.set(claim.address, nowMs);
      else if (nowMs - releasedAtMs > releaseKeptMs) this.#forget(claim.address);
    }
  }

  /** The number of addresses that the node owns. */
  load(owner: string): number {
    return this.#holdings.get(owner)?.addresses.size ?? 0;
  }

  addressesOf(owner: string): ReadonlySet<string> {
    return this.#holdings.get(owner)?.addresses ?? new Set();
  }

  /** Every claim and release. */
  *all(): Iterable<Claim> {
    for (const { claim } of this.#held.values()) yield claim;
  }

  /** The claims in these digest buckets. A release is among them for about `releaseToldMs` after it arrived. */
  *inBuckets(buckets: ReadonlySet<number>): Iterable<Claim> {
    for (const { claim, bucket } of this.#held.values()) {
      if (!buckets.has(bucket)) continue;
      const releasedAtMs = this.#releasedAtMs.get(claim.address) ?? this.#nowMs;
      if (this.#nowMs - releasedAtMs <= releaseToldMs) yield claim;
    }
  }

  /** XOR of the hashes of these owners' claims, in each digest bucket. */
  digest(owners: Iterable<string>): Uint32Array {
    const digest = new Uint32Array(digestBuckets);
    for (const owner of owners) {
      const holdings = this.#holdings.get(owner);
      if (!holdings) continue;
      for (let bucket = 0; bucket < digestBuckets; bucket++)
        digest[bucket] = (digest[bucket] ?? 0) ^ (holdings.digest[bucket] ?? 0);
    }
    return digest;
  }

  *#holdingsOf(owner: string): Iterable<Held> {
    for (const address of [...this.addressesOf(owner)]) {
      const held = this.#held.get(address);
      if (held) yield held;
    }
  }

  #add(claim: Claim): void {
    const { address, owner, epoch } = claim;
    const held = {
      claim,
      hash: hash32(`${address}\n${owner}\n${epoch}`),
      bucket: hash32(address) % digestBuckets,
    };
    this.#held.set(address, held);
    const holdings = this.#holdings.get(owner) ?? {
      addresses: new Set(),
      digest: new Uint32Array(digestBuckets),
    };
    this.#holdings.set(owner, holdings);
    holdings.addresses.add(address);
    toggle(holdings, held);
    this.version++;
  }

  #remove(held: Held): void {
    const { address, owner } = held.claim;
    this.#held.delete(address);
    this.#releasedAtMs.delete(address);
    const holdings = this.#holdings.get(owner);
    if (!holdings) return;
    holdings.addresses.delete(address);
    toggle(holdings, held);
    if (holdings.addresses.size === 0) this.#holdings.delete(owner);
    this.version++;
  }

  #forget(address: string): void {
    const held = this.#held.get(address);
    if (held) this.#remove(held);
  }
}

function toggle({ digest }: Holdings, { bucket, hash }: Held): void {
  digest[bucket] = (digest[bucket] ?? 0) ^ hash;
}
