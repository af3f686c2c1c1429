import { type Family, type IpAddress, type IpRange, rangeContains } from '../../address/index.ts';
import { anySelectorMatches, type Labels, type PoolConfig } from '../../config/index.ts';
import type { Service } from '../../kubernetes/model.ts';
import { FreeList } from './free-list.ts';

/** A pool with what is free in it and how much of it each namespace holds. */
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

  /** An address of this pool has its first owner in the namespace, or loses its last. */
  count(namespace: string, change: 1 | -1): void {
    const next = this.held(namespace) + change;
    if (next > 0) this.#held.set(namespace, next);
    else this.#held.delete(namespace);
  }

  /** How many addresses of this pool Services of the namespace hold; one that several of them share counts once. */
  held(namespace: string): number {
    return this.#held.get(namespace) ?? 0;
  }

  /** The namespaces that hold addresses, and how many. */
  heldByNamespace(): ReadonlyMap<string, number> {
    return this.#held;
  }

  /** Why a Service may get nothing new from here, whatever is free and however little it holds; `undefined` when it may. */
  refusal(service: Service, namespaceLabels: Labels): string | undefined {
    const { name, draining } = this.config;
    return draining ? `pool ${name} is draining` : this.admissionRefusal(service, namespaceLabels);
  }

  /** Why the pool is not for this Service at all, by its namespaces and selectors. */
  admissionRefusal(service: Service, namespaceLabels: Labels): string | undefined {
    const { name, namespaces, namespaceSelectors, serviceSelectors } = this.config;
    const restricted = namespaces.length + namespaceSelectors.length > 0;
    const admitted =
      namespaces.includes(service.namespace) ||
      (namespaceSelectors.length > 0 && anySelectorMatches(namespaceSelectors, namespaceLabels));
    if (restricted && !admitted) {
      const admits = [
        ...namespaces,
        ...(namespaceSelectors.length > 0 ? ['those its namespace-selectors match'] : []),
      ];
      return `pool ${name} is not for namespace ${service.namespace} but for ${admits.join(', ')}`;
    }
    if (!anySelectorMatches(serviceSelectors, service.labels))
      return `pool ${name} selects Services by labels that this one lacks`;
    return undefined;
  }
}
