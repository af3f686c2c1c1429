import type { PlacedPool } from './draft.ts';
import { placeOf, type SourceObject } from './objects.ts';
import type { Report } from './report.ts';

/** A pool with the object from which it comes. */
export interface SourcePool extends PlacedPool {
  readonly object: SourceObject;
}

/** Sets the protocol of each pool by the advertisements that were written into it. */
export function settleProtocols(pools: readonly SourcePool[], report: Report): void {
  for (const { value: pool, object } of pools) {
    const usesBgp = (pool['bgp-advertisements'] ?? []).length > 0;
    const usesLayer2 = (pool['l2-advertisements'] ?? []).length > 0;
    pool.protocol = usesBgp ? 'bgp' : 'layer2';
    if (!usesBgp && !usesLayer2)
      report.row(
        placeOf(object),
        'changed',
        'layer 2; nothing announces the pool, and a pool must have a protocol',
      );
    if (usesBgp && usesLayer2) {
      delete pool['l2-advertisements'];
      report.row(
        placeOf(object),
        'not carried',
        'layer 2; a pool has one protocol, and this one is announced by BGP',
      );
    }
  }
}
