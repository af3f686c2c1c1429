import { hash32 } from '../../hash.ts';
import { HashTree, leafCount, leafOf } from '../../membership/hash-tree.ts';
import type { MergeOrder } from '../../membership/payload.ts';
import { type Claim, compareClaims } from './claim.ts';

/** The newest claim on an address. A newer claim takes the place of the claim in this object, so that the tables stay as they are. */
interface Held {
  claim: Claim;
  /** As a signed number, which takes less memory than an unsigned one. */
  hash: number;
  readonly leaf: number;
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
  /** The claims and releases in each leaf of the tree. */
  readonly #leaves: Held[][] = new Array(leafCount);
  /** The addresses of each owner. */
  readonly #holdings = new Map<string, Set<string>>();
  readonly #live = new Set<string>();
  readonly #tree = new HashTree();
  /** When `expire` first saw each release. */
  readonly #releasedAtMs = new Map<string, number>();
  #nowMs = 0;

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
    this.#put(claim, known);
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
    return this.#holdings.get(owner)?.size ?? 0;
  }

  addressesOf(owner: string): ReadonlySet<string> {
    return this.#holdings.get(owner) ?? new Set();
  }

  /** Every claim and release. */
  *all(): Iterable<Claim> {
    for (const { claim } of this.#held.values()) yield claim;
  }

  /** The claims in this leaf of the tree. A release is among them for about `releaseToldMs` after it arrived. */
  *inLeaf(leaf: number): Iterable<Claim> {
    for (const { claim } of this.#leaves[leaf] ?? []) {
      const releasedAtMs = this.#releasedAtMs.get(claim.address) ?? this.#nowMs;
      if (this.#nowMs - releasedAtMs <= releaseToldMs) yield claim;
    }
  }

  /** Hashes of the claims of live owners. */
  get tree(): Pick<HashTree, 'root' | 'buckets' | 'leaves'> {
    return this.#tree;
  }

  /** Adds the claims of the owner to the tree, or removes them from it. */
  setLive(owner: string, isLive: boolean): void {
    if (isLive === this.#live.has(owner)) return;
    for (const held of this.#holdingsOf(owner)) this.#tree.toggle(held.leaf, held.hash);
    if (isLive) this.#live.add(owner);
    else this.#live.delete(owner);
  }

  *#holdingsOf(owner: string): Iterable<Held> {
    for (const address of [...this.addressesOf(owner)]) {
      const held = this.#held.get(address);
      if (held) yield held;
    }
  }

  /** Adds the claim, in the place of the known one if there is one. */
  #put(claim: Claim, known: Held | undefined): void {
    const { address, owner } = claim;
    const isMoved = known?.claim.owner !== owner;
    if (known) {
      this.#toggle(known);
      if (isMoved) this.#take(known);
    }
    const held = known ?? this.#hold(claim);
    held.claim = claim;
    held.hash = hashOf(claim);
    this.#toggle(held);
    this.#releasedAtMs.delete(address);
    if (isMoved) this.#holdings.set(owner, (this.#holdings.get(owner) ?? new Set()).add(address));
  }

  #hold(claim: Claim): Held {
    const held = { claim, hash: 0, leaf: leafOf(claim.address) };
    this.#held.set(claim.address, held);
    const inLeaf = this.#leaves[held.leaf];
    if (inLeaf) inLeaf.push(held);
    else this.#leaves[held.leaf] = [held];
    return held;
  }

  #toggle({ claim, leaf, hash }: Held): void {
    if (this.#live.has(claim.owner)) this.#tree.toggle(leaf, hash);
  }

  /** Takes the address out of its owner's holdings. */
  #take({ claim: { address, owner } }: Held): void {
    const holdings = this.#holdings.get(owner);
    holdings?.delete(address);
    if (holdings?.size === 0) this.#holdings.delete(owner);
  }

  #forget(address: string): void {
    const held = this.#held.get(address);
    if (!held) return;
    this.#held.delete(address);
    this.#releasedAtMs.delete(address);
    this.#leaves[held.leaf] = (this.#leaves[held.leaf] ?? []).filter((each) => each !== held);
    this.#toggle(held);
    this.#take(held);
  }
}

function hashOf({ address, owner, epoch }: Claim): number {
  return hash32(`${address}\n${owner}\n${epoch}`) | 0;
}
