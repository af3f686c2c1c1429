/**
 * Tenure: whether the owner by the claims may keep an address.
 *
 * Nodes learn of changes at different times, and a node without access to the API server not at all. A claim therefore carries
 * the version that its claimant had observed, and nodes that have observed less respect the claim. The newest state of the
 * cluster wins, and no two nodes take an address from each other without end. The same holds for the release of an address that
 * no Service uses any longer.
 */
import type { Claim } from './claim.ts';
import type { Eligibility } from './eligibility.ts';
import type { TrackedEntry } from './entry-table.ts';

/** Whether a node that has observed more than this entry's version has released the address. */
export function isReleasedSince(newest: Claim | undefined, { entry }: TrackedEntry): boolean {
  return newest?.owner === '' && newest.observedVersion > entry.observedVersion;
}

/** Whether the claimant keeps the address, from the viewpoint of the node `self`. */
export function mayKeep(
  { owner, observedVersion }: Claim,
  { entry, address }: TrackedEntry,
  self: string,
  eligibility: Eligibility,
): boolean {
  if (owner !== self && !eligibility.isReady(owner)) return false;
  if (eligibility.isEligible(owner, address, entry)) return true;
  const isNewer = owner !== self && observedVersion > 0 && observedVersion >= entry.observedVersion;
  return isNewer && eligibility.couldAnswer(owner, address, entry);
}
