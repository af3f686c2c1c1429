import type { PlacedPool } from './draft.ts';
import { placeOf, type SourceObject } from './objects.ts';
import type { Report } from './report.ts';

/** A pool with the object from which it comes. */
export interface SourcePool extends PlacedPool {
  readonly object: SourceObject;
}

/** Sets the protocol of each pool by the advertisements that were written into it. */
export function settleProtocols(pools: readonly SourcePool[], report: Report): void {
  for (const { value: pool, object, at } of pools) {
    const usesBgp = (pool['bgp-advertisements'] ?? []).length > 0;
    const usesLayer2 = (pool['l2-advertisements'] ?? []).length > 0;
    if (usesBgp && usesLayer2) pool.protocol = ['bgp', 'layer2'];
    else if (usesBgp) pool.protocol = 'bgp';
    else if (usesLayer2) pool.protocol = 'layer2';
    else {
      pool.protocol = 'none';
      report.row(
        placeOf(object),
        'changed',
        `${at}.protocol: none, because no advertisement is for this pool`,
      );
    }
  }
}

/** Largest number of advertisements in all pools together. A ConfigMap has no room for so many. */
const maxPlaced = 100_000;

/**
 * Whether the advertisements of a source are few enough to be written into its pools. Each advertisement may go into each pool, so a
 * hostile source could cost much memory. Refuses such a source.
 */
export function canPlaceAll(pools: number, advertisements: number, report: Report): boolean {
  if (pools * advertisements <= maxPlaced) return true;
  const message = `${pools} pools and ${advertisements} advertisements give too many combinations; convert the pools in several parts`;
  report.refuse({ object: '', field: '' }, message);
  return false;
}
