/**
 * Decides which address a Service gets, in memory and deterministically, without I/O and without a clock. The Services themselves are the
 * only persistent state. A restart with the same Services and the same configuration gives the same assignments.
 *
 * A Service keeps an address for as long as a pool holds the address, the Service wants the address's family, and the sharing rules allow it.
 * The Service gives the address up earlier only when it requests another address or another pool, and the allocator fulfils this request.
 * When Services may no longer share an address, the Service that has held it longest keeps it, even if its own change is the reason.
 *
 * A Service that needs an address of a family gets the address that it requests, if it requests one of that family. Otherwise the address
 * comes from the pools that the Service names. If the Service names no pool, the allocator tries the restricted pools, which admit only some
 * namespaces or Services, and then all others. It tries each of these two groups by priority and name. A refusal takes no address away.
 */
import { type Family, formatIp, type IpAddress, parseIp, sameIp } from '../../address/index.ts';
import { annotations } from '../../cluster/names.ts';
import type { Config, Labels } from '../../config/index.ts';
import { objectKey, type Service } from '../../kubernetes/model.ts';
import { AddressBook } from './address-book.ts';
import { type Assigned, type Holding, includesIp } from './holding.ts';
import type { PoolState } from './pool-state.ts';
import type { Refusal } from './refusals.ts';
import * as refusals from './refusals.ts';
import { type AddressRequest, readRequest, readSharingKeys } from './request.ts';
import { type Sharer, SharingTermsReader, sameTerms } from './sharing.ts';

export interface Outcome {
  /** The addresses that the Service holds now, in the order of its families. After `adopt`, in the order of its status. */
  readonly assigned: readonly Assigned[];
  /** Set when the request is invalid, or when the Service lacks an address that it needs or asks for. */
  readonly refusal?: Refusal;
  /** A notice for the person who runs the Service. A warning refuses nothing. */
  readonly warning?: string;
  /**
   * Services that must give up an address, because this Service has held it for longer and they may no longer share it. The caller must
   * reconcile these Services next.
   */
  readonly displaced: readonly string[];
  /** True when waiting Services may succeed now: this Service gave up an address, or the terms of sharing an address changed. */
  readonly opensAddresses: boolean;
}

export interface PoolUsage {
  readonly pool: string;
  readonly family: Family;
  readonly size: bigint;
  readonly free: bigint;
}

/** A Service with everything that the decision about it depends on. */
interface Demand {
  readonly service: Service;
  readonly namespaceLabels: Labels;
  readonly request: AddressRequest;
  readonly sharer: Sharer;
  readonly families: readonly Family[];
  /** The addresses that the Service holds and may keep. */
  readonly kept: readonly Assigned[];
}

type Allocation = Pick<Outcome, 'assigned' | 'refusal'>;

interface Plan {
  readonly assigned: readonly Assigned[];
  /** Refusals by family, in the order in which the families were tried. */
  readonly refused: ReadonlyMap<Family, Refusal>;
}

const familyNumbers = { IPv4: 4, IPv6: 6 } as const;

export class Allocator {
  #book = new AddressBook();
  readonly #terms = new SharingTermsReader();
  #namespaces: ReadonlyMap<string, Labels> = new Map();
  /** Services that lack an address or have a refusal, in the order in which they began to wait. */
  readonly #waiting = new Map<string, Refusal | undefined>();

  /** Puts a configuration in force. Until a Service is reconciled, it keeps even an address that no pool holds any more. */
  setConfig(config: Config): void {
    for (const _ of this.configSteps(config));
  }

  /** Puts a configuration in force, with the last of several steps. No Service may be learned, reconciled, adopted or released before that step. */
  *configSteps(config: Config): Generator<undefined> {
    this.#book = yield* this.#book.withPools(config.pools);
  }

  /** The allocator reads the map at each decision, so the caller may change the map later. */
  setNamespaces(labelsByName: ReadonlyMap<string, Labels>): void {
    this.#namespaces = labelsByName;
  }

  /**
   * Notes that a Service holds the first address of each family in its status, if it may share the address with the present holders. The
   * caller learns all Services before it reconciles any. It begins with the oldest Service, because a Service that is learned earlier is
   * senior to the later Services on the same address. `before` is what the Service held until now. Only a holder that is senior to the Service
   * can make the Service lose an address of `before`.
   */
  learn(service: Service, before?: Holding): void {
    const sharer = this.#sharer(service, before?.service ?? objectKey(service));
    const shown = service.ingress.flatMap(({ ip }) => parseIp(ip) ?? []);
    const pools = (service.annotations[annotations.pool] ?? '').split(',');
    const recorded = shown.map((address, i) => ({ address, allocatedFrom: pools[i] ?? pools[0] ?? '' }));
    const legal = recorded.filter(
      ({ address }, i) =>
        shown.findIndex(({ family }) => family === address.family) === i &&
        (before
          ? this.#book.keepRefusal(address, sharer, before)
          : this.#book.learnRefusal(address, sharer)) === undefined,
    );
    this.#book.hold(sharer, legal, before);
  }

  /**
   * Decides about a Service: whether it keeps its addresses, gets new addresses, or is refused with a cause. After an exception, the
   * Service holds what it held before. The book keeps the string `key`. A caller that also keeps the key passes the very string that it keeps,
   * so that memory holds only one copy.
   */
  reconcile(service: Service, key = objectKey(service)): Outcome {
    const before = this.#book.takeOut(key);
    try {
      const sharer = this.#sharer(service, before?.service ?? key);
      const families = wantedFamilies(service);
      const { assigned: decided, refusal } = this.#decide(service, sharer, families, before);
      this.#book.hold(sharer, decided, before);
      const assigned = this.#book.holdingOf(key);
      if (refusal || assigned.length < families.length) this.#waiting.set(key, refusal);
      else this.#waiting.delete(key);
      const warning = this.#sharingWarning(key);
      return {
        assigned,
        ...(refusal ? { refusal } : {}),
        ...(warning === undefined ? {} : { warning }),
        displaced: this.#book.displacedBy(key),
        opensAddresses: this.#opensAddresses(key, before, sharer.terms),
      };
    } catch (error) {
      this.#restore(before);
      throw error;
    }
  }

  /**
   * Takes the addresses of a Service's status, which another program has assigned, into the books. The refusal names the first address that
   * no pool holds, that the Service may not share with its holders, or that follows another address of its family in the status. The
   * Service gets no other address. After an exception, the Service holds what it held before.
   */
  adopt(service: Service): Outcome {
    const key = objectKey(service);
    const before = this.#book.takeOut(key);
    try {
      this.learn(service, before);
      const assigned = this.#book.holdingOf(key);
      const refusal = this.#conflictOf(service, assigned);
      if (refusal) this.#waiting.set(key, refusal);
      else this.#waiting.delete(key);
      return {
        assigned,
        ...(refusal ? { refusal } : {}),
        displaced: this.#book.displacedBy(key),
        opensAddresses: this.#opensAddresses(key, before),
      };
    } catch (error) {
      this.#restore(before);
      throw error;
    }
  }

  #restore(before: Holding | undefined): void {
    if (before) this.#book.hold(before, before.assigned, before);
  }

  /** Whether waiting Services may succeed now: the Service gave up an address, or the terms of sharing one changed. */
  #opensAddresses(key: string, before: Holding | undefined, terms = this.#book.termsOf(key)): boolean {
    if (!before) return false;
    const assigned = this.#book.holdingOf(key);
    return (
      before.assigned.some(({ address }) => !includesIp(assigned, address)) ||
      (terms !== undefined && !sameTerms(before.terms, terms))
    );
  }

  #sharer(service: Service, key: string): Sharer {
    return { service: key, terms: this.#terms.read(key, service, readSharingKeys(service)) };
  }

  #conflictOf(service: Service, assigned: readonly Assigned[]): Refusal | undefined {
    const sharer = this.#sharer(service, objectKey(service));
    for (const address of service.ingress.flatMap(({ ip }) => parseIp(ip) ?? [])) {
      if (!this.#book.poolOf(address)) return refusals.adoptedWithoutPool(address, this.#poolNames());
      if (includesIp(assigned, address)) continue;
      const reason =
        this.#book.learnRefusal(address, sharer) ?? 'the Service has another address of its family';
      return refusals.notAdopted(address, reason);
    }
    return undefined;
  }

  /** Forgets a Service that is gone or no longer ours. Returns the addresses that the Service held. */
  release(key: string): readonly Assigned[] {
    this.#waiting.delete(key);
    return this.#book.release(key)?.assigned ?? [];
  }

  /** Ends the wait of a Service that is being deleted. The Service keeps its addresses and gets no new ones. */
  stopWaiting(key: string): void {
    this.#waiting.delete(key);
  }

  /** Services that lack an address or have a refusal, in the order in which they began to wait. */
  waiting(): readonly string[] {
    return [...this.#waiting.keys()];
  }

  get waitingCount(): number {
    return this.#waiting.size;
  }

  /** The last refusal of a waiting Service. */
  refusalOf(key: string): Refusal | undefined {
    return this.#waiting.get(key);
  }

  /** The last refusal of each waiting Service that was refused. */
  *refusals(): Iterable<Refusal> {
    for (const refusal of this.#waiting.values()) if (refusal) yield refusal;
  }

  assigned(): Iterable<Assigned & { readonly service: string }> {
    return this.#book.assigned();
  }

  /** The Services that hold an address now. */
  services(): readonly string[] {
    return this.#book.services();
  }

  holdingOf(key: string): readonly Assigned[] {
    return this.#book.holdingOf(key);
  }

  usage(): PoolUsage[] {
    return this.#book.pools.flatMap((pool) =>
      ([4, 6] as const).flatMap((family) => {
        const { size, free } = pool.free(family);
        return size === 0n ? [] : [{ pool: pool.config.name, family, size, free }];
      }),
    );
  }

  /** Number of addresses of each pool that Services of each namespace hold; a shared address counts once. */
  *heldByNamespace(): Iterable<{ readonly pool: string; readonly namespace: string; readonly held: number }> {
    for (const pool of this.#book.pools)
      for (const [namespace, held] of pool.heldByNamespace())
        yield { pool: pool.config.name, namespace, held };
  }

  #sharingWarning(key: string): string | undefined {
    const shared = this.#book.sharedAcrossWithoutPermission(key);
    if (shared.length === 0) return undefined;
    const list = shared.map(({ address, pool }) => `${formatIp(address)} of pool ${pool}`).join(' and ');
    return `a Service of another namespace shares ${list}, and the pool does not set share-across-namespaces: the present Services go on sharing, but no other Service may join them from another namespace`;
  }

  #decide(
    service: Service,
    sharer: Sharer,
    families: readonly Family[],
    before: Holding | undefined,
  ): Allocation {
    const kept = families.flatMap(
      (family) =>
        before?.assigned.find(
          ({ address }) =>
            address.family === family &&
            this.#book.poolOf(address) !== undefined &&
            this.#book.keepRefusal(address, sharer, before) === undefined,
        ) ?? [],
    );
    const request = readRequest(service);
    if (!request.ok) return { assigned: kept, refusal: refusals.invalidRequest(request.error) };
    const foreign = request.value.addresses.find(({ family }) => !families.includes(family));
    if (foreign) return { assigned: kept, refusal: refusals.foreignFamily(foreign, service) };
    const namespaceLabels = this.#namespaces.get(service.namespace) ?? {};
    return this.#fulfil({ service, namespaceLabels, request: request.value, sharer, families, kept });
  }

  #fulfil(demand: Demand): Allocation {
    const { service, request, families, kept } = demand;
    const inOrder = this.#plan(demand, families);
    // A limit may allow only one more address in a pool. If the first family takes that address there, and the second family has no other pool,
    // the second one gets none. The reverse order may then give both.
    const reversed = inOrder.refused.size === 0 ? inOrder : this.#plan(demand, families.toReversed());
    const { assigned, refused } = givesMore(reversed, inOrder) ? reversed : inOrder;
    const isMissing = (family: Family) => !assigned.some(({ address }) => address.family === family);
    const isNeeded = service.ipFamilyPolicy !== 'PreferDualStack' || assigned.length === 0;
    const [refusal] = [...refused]
      .filter(
        ([family]) =>
          !isMissing(family) || isNeeded || request.addresses.some((address) => address.family === family),
      )
      .map(([, each]) => each);
    const isAllOrNothing = isNeeded && families.some(isMissing);
    const result = isAllOrNothing
      ? kept
      : families.flatMap((family) => assigned.find(({ address }) => address.family === family) ?? []);
    const recorded = result.map((each) => ({ ...each, allocatedFrom: this.#recordOf(each, request) }));
    return { assigned: recorded, ...(refusal ? { refusal } : {}) };
  }

  /** Looks for missing and requested addresses, one family after another. */
  #plan(demand: Demand, order: readonly Family[]): Plan {
    const { request, kept } = demand;
    const refused = new Map<Family, Refusal>();
    let assigned = kept;
    for (const family of order) {
      const held = kept.find(({ address }) => address.family === family);
      if (held && this.#isAskedFor(held, request)) continue;
      const others = assigned.filter((each) => each !== held);
      const found = this.#find(demand, family, others);
      if ('cause' in found) refused.set(family, found);
      else assigned = [...others, found];
    }
    return { assigned, refused };
  }

  #isAskedFor({ address, allocatedFrom }: Assigned, { addresses, pools }: AddressRequest): boolean {
    const requested = addresses.find(({ family }) => family === address.family);
    if (requested) return sameIp(requested, address);
    const pool = this.#book.poolOf(address)?.config.name ?? '';
    return pools.length === 0 || pools.includes(pool) || pools.includes(allocatedFrom);
  }

  /**
   * The pool to record: the one that holds the address now. If the Service requests the recorded pool and not the present one, the record
   * stays as it is.
   */
  #recordOf({ address, allocatedFrom }: Assigned, { pools }: AddressRequest): string {
    const pool = this.#book.poolOf(address)?.config.name ?? '';
    return pools.includes(allocatedFrom) && !pools.includes(pool) ? allocatedFrom : pool;
  }

  /** Finds an address of the family. `others` are the Service's addresses of other families. */
  #find(demand: Demand, family: Family, others: readonly Assigned[]): Assigned | Refusal {
    const requested = demand.request.addresses.find((each) => each.family === family);
    if (requested) return this.#findRequested(demand, requested, others);
    const reasons: Refusal[] = [];
    for (const pool of this.#candidates(demand)) {
      const found = this.#findIn(pool, demand, family, others);
      if ('address' in found) return found;
      reasons.push(found);
    }
    return this.#noCandidate(demand, reasons);
  }

  #findIn(pool: PoolState, demand: Demand, family: Family, others: readonly Assigned[]): Assigned | Refusal {
    const { service, namespaceLabels, sharer } = demand;
    const { name } = pool.config;
    const free = pool.free(family);
    if (free.size === 0n) return refusals.noSuchFamily(name, family);
    const notAllowed = pool.refusal(service, namespaceLabels);
    if (notAllowed !== undefined) return refusals.notAllowed(notAllowed);
    let overLimit: Refusal | undefined;
    for (const value of [...this.#joinable(pool, family, sharer), free.lowest()]) {
      if (value === undefined) continue;
      const address = { family, value };
      const refusal = this.#limitRefusal(pool, service.namespace, address, others);
      if (refusal === undefined) return { address, pool: name, allocatedFrom: name };
      overLimit ??= refusal;
    }
    return overLimit ?? refusals.exhausted(name, family, free.size);
  }

  #findRequested(demand: Demand, address: IpAddress, others: readonly Assigned[]): Assigned | Refusal {
    const { service, namespaceLabels, request, sharer } = demand;
    const pool = this.#book.poolOf(address);
    if (!pool) return refusals.inNoPool(address, this.#poolNames());
    const { name } = pool.config;
    if (request.pools.length > 0 && !request.pools.includes(name))
      return refusals.inOtherPool(address, name, request.pools);
    const notAllowed = pool.refusal(service, namespaceLabels);
    if (notAllowed !== undefined) return refusals.about(address, refusals.notAllowed(notAllowed));
    const taken = this.#book.joinRefusal(address, sharer);
    if (taken !== undefined) return refusals.inUse(address, taken);
    const isHeld = this.#book.isHeld(address);
    if (!isHeld && !pool.free(address.family).has(address.value)) return refusals.buggy(address, name);
    const overLimit = this.#limitRefusal(pool, service.namespace, address, others);
    return overLimit ? refusals.about(address, overLimit) : { address, pool: name, allocatedFrom: name };
  }

  /** Addresses of the pool that this Service may share under one of its keys, lowest first. */
  #joinable(pool: PoolState, family: Family, sharer: Sharer): bigint[] {
    if (sharer.terms.keys.length === 0) return [];
    return [...this.#book.sharedUnder(sharer.terms, family)]
      .filter((value) => {
        const address = { family, value };
        return pool.contains(address) && this.#book.joinRefusal(address, sharer) === undefined;
      })
      .sort((a, b) => (a < b ? -1 : 1));
  }

  /** The refusal when this address would exceed the namespace's limit. An address that the namespace already holds never exceeds the limit. */
  #limitRefusal(
    pool: PoolState,
    namespace: string,
    address: IpAddress,
    others: readonly Assigned[],
  ): Refusal | undefined {
    const { name, limitPerNamespace } = pool.config;
    if (limitPerNamespace === undefined || this.#book.isHeldIn(namespace, address)) return undefined;
    const own = others.filter(
      (each) => pool.contains(each.address) && !this.#book.isHeldIn(namespace, each.address),
    );
    const wanted = pool.held(namespace) + own.length + 1;
    return wanted <= limitPerNamespace
      ? undefined
      : refusals.limitReached(namespace, wanted, name, limitPerNamespace);
  }

  /** Yields the pools to try, in order. The first pool usually gives an address, and the allocator then judges no other pool. */
  *#candidates({ service, namespaceLabels, request }: Demand): Iterable<PoolState> {
    if (request.pools.length > 0) {
      for (const name of request.pools) {
        const pool = this.#book.pool(name);
        if (pool) yield pool;
      }
      return;
    }
    for (const pool of this.#book.poolsFor(service.namespace))
      if (pool.config.autoAssign && pool.admissionRefusal(service, namespaceLabels) === undefined) yield pool;
  }

  #noCandidate({ service, namespaceLabels, request }: Demand, reasons: readonly Refusal[]): Refusal {
    if (reasons.length > 0) return refusals.together(reasons);
    if (request.pools.length > 0) return refusals.noSuchPool(request.pools, this.#poolNames());
    return refusals.noPool(this.#book.pools, (pool) =>
      pool.config.autoAssign
        ? (pool.refusal(service, namespaceLabels) ?? '')
        : `pool ${pool.config.name} has auto-assign false: name it in an annotation`,
    );
  }

  #poolNames(): string[] {
    return this.#book.pools.map(({ config }) => config.name);
  }
}

/** Whether `plan` has addresses of more families than `other`, or addresses of as many families and fewer refusals. */
function givesMore(plan: Plan, other: Plan): boolean {
  const more = plan.assigned.length - other.assigned.length;
  return more > 0 || (more === 0 && plan.refused.size < other.refused.size);
}

/** The families that a Service wants addresses of, in the order of `ipFamilies`. */
function wantedFamilies({ ipFamilies, ipFamilyPolicy }: Service): readonly Family[] {
  const all = ipFamilies.map((name) => familyNumbers[name]);
  return ipFamilyPolicy === 'SingleStack' ? all.slice(0, 1) : all;
}
