import { SharedValues } from '../cluster/shared-values.ts';
import type { Refusal, ServicePlan } from './plan/service-plan.ts';
import { ServiceIndex } from './service-index.ts';
import { none, type ServiceRecord } from './service-record.ts';

const kinds = ['advertised', 'refusals', 'notToAnnounce'] as const;
type Results = Pick<ServiceRecord, (typeof kinds)[number]>;

/** The results of the latest plan of each Service: the addresses that this node advertises by BGP, and those that it does not announce. */
export class PlanResults {
  readonly #records: ReadonlyMap<string, Readonly<Results>>;
  /** For each kind of result, how many Services have such results. A kind that no Service has needs no search of all records. */
  readonly #counts: Record<keyof Results, number> = { advertised: 0, refusals: 0, notToAnnounce: 0 };
  readonly #dependents = new ServiceIndex();
  /** Thousands of Services have the same few lists of peers. */
  readonly #peerLists = new SharedValues<readonly string[]>();

  /** The records of all Services, by `namespace/name`. */
  constructor(records: ReadonlyMap<string, Readonly<Results>>) {
    this.#records = records;
  }

  /** Takes the plan of a Service into its record. */
  planned(
    record: Pick<ServiceRecord, 'key'> & Results,
    { advertised, refusals, notToAnnounce, dependsOn }: ServicePlan,
  ): void {
    this.#count(record, -1);
    record.advertised = orNone(this.#withSharedPeers(advertised));
    record.refusals = orNone(refusals);
    record.notToAnnounce = orNone(notToAnnounce);
    this.#count(record, 1);
    this.#dependents.set(record.key, dependsOn);
  }

  /** For each address that this node advertises by BGP, the names of the peers that should receive it. */
  advertised(): Map<string, readonly string[]> {
    const peersOf = new Map<string, readonly string[]>();
    for (const { advertised } of this.#records.values())
      for (const { address, peers } of advertised) {
        const others = peersOf.get(address);
        peersOf.set(address, others ? [...new Set([...others, ...peers])] : peers);
      }
    return peersOf;
  }

  /** For each Service, the addresses that this node advertises by BGP, with the names of the peers that should receive them. */
  advertisedByService(): Iterable<readonly [string, ServicePlan['advertised']]> {
    return this.#nonEmpty('advertised');
  }

  isAdvertised(service: string, address: string): boolean {
    return this.#records.get(service)?.advertised.some((each) => each.address === address) ?? false;
  }

  /** Addresses that this node does not announce, each with the cause and its Service. */
  refusals(): (Refusal & { readonly service: string })[] {
    return [...this.refusalsByService()].flatMap(([service, refusals]) =>
      refusals.map((refusal) => ({ service, ...refusal })),
    );
  }

  /** For each Service, the addresses that this node does not announce, each with the cause. */
  refusalsByService(): Iterable<readonly [string, readonly Refusal[]]> {
    return this.#nonEmpty('refusals');
  }

  /** For each Service, the addresses that this node is not to announce: their pool has the protocol none, or adopt-only leaves them to others. */
  notToAnnounceByService(): Iterable<readonly [string, readonly string[]]> {
    return this.#nonEmpty('notToAnnounce');
  }

  /** The Services whose plans depend on the node (`dependsOn` of `ServicePlan`), such as `Local` Services with an endpoint on the node. */
  dependentsOf(node: string): Iterable<string> {
    return this.#dependents.of(node);
  }

  #count(results: Results, by: 1 | -1): void {
    for (const kind of kinds) if (results[kind].length > 0) this.#counts[kind] += by;
  }

  *#nonEmpty<Kind extends keyof Results>(kind: Kind): Iterable<readonly [string, Results[Kind]]> {
    if (this.#counts[kind] === 0) return;
    for (const [service, record] of this.#records) if (record[kind].length > 0) yield [service, record[kind]];
  }

  #withSharedPeers(advertised: ServicePlan['advertised']): ServicePlan['advertised'] {
    return advertised.map(({ address, peers }) => ({
      address,
      peers: this.#peerLists.shared(peers.join('\n'), () => peers),
    }));
  }
}

/** One object for all empty lists, of which thousands of Services have several. */
function orNone<Item>(list: readonly Item[]): readonly Item[] {
  return list.length > 0 ? list : none;
}
