/**
 * Tenure decides whether the owner that the claims name may keep its address.
 *
 * Nodes learn of changes at different times, and a node without access to the API server does not learn of them at all. A claim therefore
 * carries the version that the claiming node had observed, and nodes that have observed nothing newer respect the claim. As a result, the
 * newest state of the cluster wins, and two nodes cannot keep taking an address from each other. A release of an address that no Service
 * uses any longer carries a version in the same way, and nodes that have observed less respect it.
 */
import type { Claim } from './claim.ts';
import type { Eligibility } from './eligibility.ts';
import type { TrackedEntry } from './entry-table.ts';

/** Whether the address was released by a node that had observed a newer version than the version of this entry. */
export function isReleasedSince(newest: Claim | undefined, { entry }: TrackedEntry): boolean {
  return newest?.owner === '' && newest.observedVersion > entry.observedVersion;
}

/**
 * Whether the owner may keep the address, from the viewpoint of the node `self`. An owner other than `self` must be ready.
 *
 * - An eligible owner keeps the address, except when `movesToPreferred` is true and the entry prefers another ready node.
 * - In that exception, an owner other than `self` still keeps the address if its claim has a newer version than the entry.
 * - An owner other than `self` that is not eligible, but could answer, keeps the address if its claim has the version of the entry or a newer one.
 *   With the version of the entry, a mute owner does not count as able to answer. With a newer version it does: perhaps all candidates of that
 *   version are mute, and then the address stays with its owner. If a candidate is not mute, the owner itself gives the address up.
 */
export function mayKeep(
  { owner, observedVersion }: Claim,
  { entry, address }: TrackedEntry,
  self: string,
  eligibility: Eligibility,
  movesToPreferred: boolean,
): boolean {
  if (owner !== self && !eligibility.isReady(owner)) return false;
  if (eligibility.isEligible(owner, address, entry)) {
    if (!movesToPreferred || eligibility.isPreferred(owner, address, entry)) return true;
    return owner !== self && observedVersion > entry.observedVersion;
  }
  if (owner === self || observedVersion === 0 || observedVersion < entry.observedVersion) return false;
  if (observedVersion === entry.observedVersion && eligibility.isMute(owner, entry)) return false;
  return eligibility.couldAnswer(owner, address, entry);
}
