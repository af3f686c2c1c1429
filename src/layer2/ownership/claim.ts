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
  /**
   * Newest resourceVersion that the claiming node had observed. Nodes that have observed nothing newer respect the claim. A claim with
   * version 0 binds no node.
   */
  readonly observedVersion: number;
  /** Another host uses the address, so its owner does not answer for it. */
  readonly inConflict: boolean;
}

/**
 * The total order of claims on one address. The higher epoch wins. Within an epoch, a takeover beats a release. A release by an owner that
 * is cut off therefore does not undo a takeover. Between claims of equal rank, the rendezvous weight of the owner decides.
 */
export function compareClaims(a: Claim, b: Claim): number {
  if (a.epoch !== b.epoch) return a.epoch - b.epoch;
  if (rank(a) !== rank(b)) return rank(a) - rank(b);
  if (a.owner === b.owner) return 0;
  const difference = rendezvousWeight(a.owner, a.address) - rendezvousWeight(b.owner, b.address);
  return difference || (a.owner < b.owner ? -1 : 1);
}

/** Rank within an epoch. A release to a successor has the lowest rank, then comes a release without an owner, then any other claim. */
function rank(claim: Claim): number {
  if (isReleasedByOwner(claim)) return 0;
  return claim.owner === '' ? 1 : 2;
}

/** Whether the owner has released the address but keeps answering until another node takes it over. */
export function isReleasedByOwner({ owner, from, observedVersion }: Claim): boolean {
  return owner !== '' && owner === from && observedVersion === 0;
}

/**
 * The claim of a node that takes the address over. `newest` is the newest claim or release. If the node was the owner before and its version is
 * unknown (0), the claim names no previous owner, because it would count as a release otherwise (`isReleasedByOwner`).
 */
export function takeOver(
  address: string,
  newest: Claim | undefined,
  claimant: Pick<Claim, 'owner' | 'from' | 'observedVersion' | 'inConflict'>,
): Claim {
  const claim = { address, epoch: (newest?.epoch ?? 0) + 1, ...claimant };
  return isReleasedByOwner(claim) ? { ...claim, from: '' } : claim;
}

/**
 * The owner's release of an address that no node should answer for. Nodes that have observed less than `observedVersion` respect
 * the release.
 */
export function release(claim: Claim, observedVersion: number): Claim {
  return {
    ...claim,
    owner: '',
    // A release to a successor has already raised the epoch. A successor that has not received that release may have taken the address over
    // with the same raised epoch, and its claim may not have arrived here yet. The new release must not beat that claim, so it does not raise
    // the epoch again.
    epoch: isReleasedByOwner(claim) ? claim.epoch : claim.epoch + 1,
    from: claim.owner,
    observedVersion,
    inConflict: false,
  };
}

/** The owner's release of an address that it keeps answering for until another node takes over. */
export function releaseToSuccessor(claim: Claim): Claim {
  return { ...claim, epoch: claim.epoch + 1, from: claim.owner, observedVersion: 0 };
}

/** The owner's claim after another host started or stopped using the address. */
export function withConflict(claim: Claim, inConflict: boolean): Claim {
  return { ...claim, epoch: claim.epoch + 1, inConflict };
}
