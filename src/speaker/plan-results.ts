import { SharedValues } from '../cluster/shared-values.ts';
import type { Refusal, ServicePlan } from './plan/service-plan.ts';
import { ServiceIndex } from './service-index.ts';

/** The results of the latest plan of each Service: the addresses that this node advertises by BGP, and those that it does not announce. */
export class PlanResults {
  readonly #advertised = new Map<string, ServicePlan['advertised']>();
  readonly #refusals = new Map<string, readonly Refusal[]>();
  readonly #notToAnnounce = new Map<string, readonly string[]>();
  readonly #dependents = new ServiceIndex();
  /** Thousands of Services have the same few lists of peers. */
  readonly #peerLists = new SharedValues<readonly string[]>();

  /** Takes the plan of a Service. */
  planned(service: string, { advertised, refusals, notToAnnounce, dependsOn }: ServicePlan): void {
    if (refusals.length > 0) this.#refusals.set(service, refusals);
    else this.#refusals.delete(service);
    if (notToAnnounce.length > 0) this.#notToAnnounce.set(service, notToAnnounce);
    else this.#notToAnnounce.delete(service);
    if (advertised.length > 0) this.#advertised.set(service, this.#withSharedPeers(advertised));
    else this.#advertised.delete(service);
    this.#dependents.set(service, dependsOn);
  }

  /** For each address that this node advertises by BGP, the names of the peers that should receive it. */
  advertised(): Map<string, readonly string[]> {
    const peersOf = new Map<string, readonly string[]>();
    for (const all of this.#advertised.values())
      for (const { address, peers } of all)
        peersOf.set(address, [...new Set([...(peersOf.get(address) ?? []), ...peers])]);
    return peersOf;
  }

  /** For each Service, the addresses that this node advertises by BGP, with the names of the peers that should receive them. */
  advertisedByService(): Iterable<readonly [string, ServicePlan['advertised']]> {
    return this.#advertised;
  }

  isAdvertised(service: string, address: string): boolean {
    return this.#advertised.get(service)?.some((each) => each.address === address) ?? false;
  }

  /** Addresses that this node does not announce, each with the cause and its Service. */
  refusals(): (Refusal & { readonly service: string })[] {
    return [...this.#refusals].flatMap(([service, refusals]) =>
      refusals.map((refusal) => ({ service, ...refusal })),
    );
  }

  /** For each Service, the addresses that this node does not announce, each with the cause. */
  refusalsByService(): Iterable<readonly [string, readonly Refusal[]]> {
    return this.#refusals;
  }

  /** For each Service, the addresses that this node is not to announce: their pool has the protocol none, or adopt-only leaves them to others. */
  notToAnnounceByService(): Iterable<readonly [string, readonly string[]]> {
    return this.#notToAnnounce;
  }

  /** The Services whose plans depend on the node (`dependsOn` of `ServicePlan`), such as `Local` Services with an endpoint on the node. */
  dependentsOf(node: string): Iterable<string> {
    return this.#dependents.of(node);
  }

  #withSharedPeers(advertised: ServicePlan['advertised']): ServicePlan['advertised'] {
    return advertised.map(({ address, peers }) => ({
      address,
      peers: this.#peerLists.shared(peers.join('\n'), () => peers),
    }));
  }
}
