import type { Family, IpAddress, IpRange } from '../address/index.ts';
import type { PoolConfig } from './config.ts';

interface Entry<Pool> {
  readonly first: bigint;
  readonly last: bigint;
  readonly pool: Pool;
}

/**
 * Finds the pool that holds an address. The ranges of a configuration are disjoint, so a binary search over their first addresses finds
 * the only candidate.
 */
export class PoolIndex<Pool extends { readonly ranges: readonly IpRange[] } = PoolConfig> {
  readonly #entries: Readonly<Record<Family, readonly Entry<Pool>[]>>;

  constructor(pools: readonly Pool[]) {
    const entriesOf = (family: Family) =>
      pools
        .flatMap((pool) =>
          pool.ranges
            .filter((range) => range.family === family)
            .map(({ first, last }) => ({ first, last, pool })),
        )
        .sort((a, b) => (a.first < b.first ? -1 : 1));
    this.#entries = { 4: entriesOf(4), 6: entriesOf(6) };
  }

  /** The pool that holds the address; `undefined` when no pool does. */
  poolOf({ family, value }: IpAddress): Pool | undefined {
    const entries = this.#entries[family];
    let low = 0;
    let high = entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((entries[middle]?.first ?? 0n) <= value) low = middle + 1;
      else high = middle;
    }
    const entry = entries[low - 1];
    return entry && value <= entry.last ? entry.pool : undefined;
  }
}

const indexes = new WeakMap<readonly PoolConfig[], PoolIndex>();

/** The index of a configuration's pools. Configurations are immutable, so each index is built once. */
export function poolIndexOf({ pools }: { readonly pools: readonly PoolConfig[] }): PoolIndex {
  const known = indexes.get(pools);
  if (known) return known;
  const index = new PoolIndex(pools);
  indexes.set(pools, index);
  return index;
}
