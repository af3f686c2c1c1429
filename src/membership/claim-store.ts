import { hash32, rendezvousWeight } from './hash.ts';
import { type Claim, digestBuckets } from './packet.ts';

export type Merge = 'newer' | 'same' | 'older';

/**
 * Order of claims on one address: epoch; of one epoch who takes the address comes before who lets go of it, so that an owner that
 * gives up where nobody hears it undoes nothing; then rendezvous weight.
 */
export function compareClaims(a: Claim, b: Claim): number {
  if (a.epoch !== b.epoch) return a.epoch - b.epoch;
  if (grasp(a) !== grasp(b)) return grasp(a) - grasp(b);
  if (a.owner === b.owner) return 0;
  const difference = rendezvousWeight(a.owner, a.address) - rendezvousWeight(b.owner, b.address);
  return difference || (a.owner < b.owner ? -1 : 1);
}

function grasp(claim: Claim): number {
  if (isWaiver(claim)) return 0;
  return claim.owner === '' ? 1 : 2;
}

/** The owner keeps the address until somebody, anybody, takes it. */
export function isWaiver({ owner, from, basis }: Claim): boolean {
  return owner !== '' && owner === from && basis === 0;
}

/**
 * Who owns which address, as far as this member has heard: the newest claim of each address. Members that have heard the
 * same claims, in whatever order, hold the same. A release stays as a claim of nobody, so that an old claim that still
 * travels is not believed again.
 */
export class ClaimStore {
  readonly #claims = new Map<string, Claim>();
  readonly #addressesOf = new Map<string, Set<string>>();
  /** XOR of the hashes of the owner's claims. */
  readonly #hashOf = new Map<string, number>();
  /** Grows with every change. */
  version = 0;

  /** The newest claim; none when nobody ever claimed it, or when it was released. */
  get(address: string): Claim | undefined {
    const claim = this.#claims.get(address);
    return claim?.owner === '' ? undefined : claim;
  }

  /** The newest claim or release. */
  newest(address: string): Claim | undefined {
    return this.#claims.get(address);
  }

  merge(claim: Claim): Merge {
    const known = this.#claims.get(claim.address);
    const order = known === undefined ? 1 : compareClaims(claim, known);
    if (order <= 0) return order === 0 ? 'same' : 'older';
    if (known) this.#index(known, 'remove');
    this.#claims.set(claim.address, claim);
    this.#index(claim, 'add');
    return 'newer';
  }

  /** Forgets an address altogether. */
  forget(address: string): void {
    const known = this.#claims.get(address);
    if (!known) return;
    this.#index(known, 'remove');
    this.#claims.delete(address);
  }

  /** How many addresses the node owns. */
  load(owner: string): number {
    return this.#addressesOf.get(owner)?.size ?? 0;
  }

  addressesOf(owner: string): ReadonlySet<string> {
    return this.#addressesOf.get(owner) ?? new Set();
  }

  /** Everything held, releases too. */
  all(): Iterable<Claim> {
    return this.#claims.values();
  }

  /** Hash over the claims of these owners. */
  summary(owners: Iterable<string>): number {
    let summary = 0;
    for (const owner of owners) summary ^= this.#hashOf.get(owner) ?? 0;
    return summary >>> 0;
  }

  /** The same, by bucket of the address. */
  digest(owners: ReadonlySet<string>): Uint32Array {
    const digest = new Uint32Array(digestBuckets);
    for (const claim of this.#claims.values())
      if (owners.has(claim.owner)) {
        const bucket = claimBucket(claim.address);
        digest[bucket] = (digest[bucket] ?? 0) ^ claimHash(claim);
      }
    return digest;
  }

  #index(claim: Claim, change: 'add' | 'remove'): void {
    this.version++;
    const addresses = this.#addressesOf.get(claim.owner) ?? new Set();
    if (change === 'add') this.#addressesOf.set(claim.owner, addresses.add(claim.address));
    else addresses.delete(claim.address);
    this.#hashOf.set(claim.owner, (this.#hashOf.get(claim.owner) ?? 0) ^ claimHash(claim));
  }
}

/** The digest's bucket of an address. */
export function claimBucket(address: string): number {
  return hash32(address) % digestBuckets;
}

function claimHash({ address, owner, epoch }: Claim): number {
  return hash32(`${address}\n${owner}\n${epoch}`);
}
