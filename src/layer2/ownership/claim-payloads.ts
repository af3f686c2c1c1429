import type { MergeOrder, PayloadRecord, PayloadStore } from '../../membership/payload.ts';
import type { Claim } from './claim.ts';
import { decodeClaim, encodeClaim } from './claim-codec.ts';
import type { ClaimStore } from './claim-store.ts';

/** A claim as a record that the membership replicates. */
export function payloadOf(claim: Claim): PayloadRecord {
  return { kind: 'payload', key: claim.address, octets: encodeClaim(claim) };
}

/**
 * Greatest epoch that is accepted from other members. The next claim raises the epoch by one, and the raised epoch must still fit in the 48
 * bits on the wire.
 */
const maxEpoch = 2 ** 47 - 1;

/** The claims as the membership sees them: records with a key, some octets and a merge order. */
export class ClaimPayloads implements PayloadStore {
  readonly #claims: ClaimStore;

  constructor(claims: ClaimStore) {
    this.#claims = claims;
  }

  get tree(): PayloadStore['tree'] {
    return this.#claims.tree;
  }

  read(bytes: Buffer, offset: number): { readonly key: string; readonly end: number } | undefined {
    const decoded = decodeClaim(bytes, offset);
    return decoded && { key: decoded.claim.address, end: decoded.end };
  }

  merge({ octets }: PayloadRecord): MergeOrder {
    const decoded = decodeClaim(Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength));
    return decoded && decoded.claim.epoch <= maxEpoch ? this.#claims.merge(decoded.claim) : 'same';
  }

  newest(key: string): PayloadRecord | undefined {
    const claim = this.#claims.newest(key);
    return claim && payloadOf(claim);
  }

  setLive(member: string, isLive: boolean): void {
    this.#claims.setLive(member, isLive);
  }

  *keysIn(leaf: number): Iterable<string> {
    for (const { address } of this.#claims.inLeaf(leaf)) yield address;
  }

  expire(nowMs: number): void {
    this.#claims.expire(nowMs);
  }
}
