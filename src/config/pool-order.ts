import type { PoolConfig } from './config.ts';

/** True when the pool restricts which namespaces or Services may use it. */
function isRestricted({ namespaces, namespaceSelectors, serviceSelectors }: PoolConfig): boolean {
  return namespaces.length + namespaceSelectors.length + serviceSelectors.length > 0;
}

/** The order in which pools are tried: restricted pools first, then by priority (lowest number first, no number last), then by name. */
export function comparePools(a: PoolConfig, b: PoolConfig): number {
  const priority = (pool: PoolConfig) => pool.priority ?? Number.POSITIVE_INFINITY;
  return (
    Number(isRestricted(b)) - Number(isRestricted(a)) ||
    (priority(a) === priority(b) ? 0 : priority(a) - priority(b)) ||
    (a.name < b.name ? -1 : 1)
  );
}
