import { type Family, type IpAddress, type IpRange, rangeContains } from '../../address/index.ts';
import { anySelectorMatches, type Labels, type PoolConfig } from '../../config/index.ts';
import type { Service } from '../../kubernetes/model.ts';
import { FreeList } from './free-list.ts';

/** A pool with its free addresses and the number of addresses that each namespace holds. */
export class PoolState {
  readonly config: PoolConfig;
  readonly #free: Readonly<Record<Family, FreeList>>;
  readonly #held = new Map<string, number>();

  constructor(config: PoolConfig) {
    this.config = config;
    const of = (family: Family) =>
      new FreeList(
        config.ranges.filter((range) => range.family === family),
        config.avoidBuggyIps,
      );
    this.#free = { 4: of(4), 6: of(6) };
  }

  get ranges(): readonly IpRange[] {
    return this.config.ranges;
  }

  contains(address: IpAddress): boolean {
    return this.config.ranges.some((range) => rangeContains(range, address));
  }

  free(family: Family): FreeList {
    return this.#free[family];
  }

  /**
   * Changes the number of addresses that the namespace holds: by `1` when an address gets its first holder in the namespace, and by `-1`
   * when the address loses its last holder there.
   */
  count(namespace: string, change: 1 | -1): void {
    const next = this.held(namespace) + change;
    if (next > 0) this.#held.set(namespace, next);
    else this.#held.delete(namespace);
  }

  /** Number of addresses of this pool that Services of the namespace hold; a shared address counts once. */
  held(namespace: string): number {
    return this.#held.get(namespace) ?? 0;
  }

  /** Number of addresses by namespace, for namespaces that hold any. */
  heldByNamespace(): ReadonlyMap<string, number> {
    return this.#held;
  }

  /** Why the Service may not get a new address from this pool; `undefined` when it may. Free addresses and limits do not matter here. */
  refusal(service: Service, namespaceLabels: Labels): string | undefined {
    const { name, draining } = this.config;
    return draining ? `pool ${name} is draining` : this.admissionRefusal(service, namespaceLabels);
  }

  /** Why the pool's namespaces and selectors exclude the Service; `undefined` when they admit it. */
  admissionRefusal(service: Service, namespaceLabels: Labels): string | undefined {
    const { name, namespaces, namespaceSelectors, serviceSelectors } = this.config;
    const isRestricted = namespaces.length + namespaceSelectors.length > 0;
    const isAdmitted =
      namespaces.includes(service.namespace) ||
      (namespaceSelectors.length > 0 && anySelectorMatches(namespaceSelectors, namespaceLabels));
    if (isRestricted && !isAdmitted) return `pool ${name} is not for namespace ${service.namespace}`;
    if (!anySelectorMatches(serviceSelectors, service.labels))
      return `pool ${name} selects Services by labels that this Service lacks`;
    return undefined;
  }
}
