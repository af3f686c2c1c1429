import { rendezvousWeight } from '../../hash.ts';

/** One node's statement that it owns an address. `compareClaims` decides between two claims on one address. */
export interface Claim {
  /** Canonical text. */
  readonly address: string;
  /** Node name; empty when the address was released and has no owner. */
  readonly owner: string;
  /** Grows by one with each claim on the address. */
  readonly epoch: number;
  /** The previous owner; empty when there was none. */
  readonly from: string;
  /** The newest resourceVersion the claimant had seen. 0: other nodes need not respect the claim. */
  readonly basis: number;
  /** Another host uses the address, so its owner does not answer for it. */
  readonly isOccupied: boolean;
}

/**
 * The total order of claims on one address: by epoch; within an epoch takeover beats release, so an owner that gives up while cut
 * off from the others undoes nothing; then by rendezvous weight of the owner.
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

/** The owner keeps the address until any other node takes it. */
export function isWaiver({ owner, from, basis }: Claim): boolean {
  return owner !== '' && owner === from && basis === 0;
}
